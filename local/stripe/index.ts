import { type FaultHook, underFault } from '../faults.ts'
import { type Journal, openJournal } from '../journal.ts'
import { type Answer, type Call, HANG_UP, json, serveLoopback } from '../loopback.ts'
import { creditNoteRoutes } from './credit-notes.ts'
import { customerRoutes } from './customers.ts'
import { errorAnswer, isStripeError, newId, type StripeErrorBody, stripeError } from './errors.ts'
import { expand } from './expansion.ts'
import { decodeForm } from './form.ts'
import { answerOnce } from './idempotency.ts'
import { lineRoutes } from './invoice-lines.ts'
import { invoiceRoutes } from './invoices.ts'
import { listRoutes } from './lists.ts'
import { meterRoutes } from './meters.ts'
import { type Context, type Objects, openObjects, type StripeObject } from './objects.ts'
import { parseParams } from './params.ts'
import { matchRoute, type Routes } from './routes.ts'
import { subscriptionRoutes } from './subscriptions.ts'
import { type DeliveryOptions, type DeliveryReport, openWebhooks, type Webhooks } from './webhooks.ts'

/** The API version the `stripe` package of this project speaks. */
const STRIPE_VERSION = '2026-10-28.endive'

export type StripeOptions = {
  readonly port?: number
  /** Where everything is kept; memory alone without it. */
  readonly file?: string
  readonly now: () => number
  readonly apiKey: string
  readonly webhookSecret: string
  /** Where events go; may be set later. Without one, events are only listed. */
  readonly webhookUrl?: string
  /** False: events wait for `deliverWebhooks`. True unless told. */
  readonly automaticWebhooks?: boolean
}

export type StripeStandIn = {
  readonly url: string
  readonly port: number
  readonly webhookSecret: string
  setWebhookUrl(url: string | undefined): void
  /** Sends what waits, on request in copies and in another order. */
  deliverWebhooks(options?: DeliveryOptions): Promise<DeliveryReport>
  pendingWebhooks(): StripeObject[]
  /** Everything it holds, by kind. */
  dump(): Readonly<Record<string, StripeObject[]>>
  reset(): void
  /** Asked before every request with `METHOD /path`. */
  setFault(fault: FaultHook<Call> | undefined): void
  close(): Promise<void>
}

const EVENT_ROUTES: Routes = {
  'GET /v1/events/:id': { params: '', run: ({ objects, id }) => objects.get('event', id) },
}

const ROUTES: Routes = {
  ...customerRoutes,
  ...lineRoutes,
  ...invoiceRoutes,
  ...creditNoteRoutes,
  ...subscriptionRoutes,
  ...meterRoutes,
  ...listRoutes,
  ...EVENT_ROUTES,
}

const UNKNOWN_ERROR: StripeErrorBody = { type: 'api_error', message: 'An unknown error occurred' }

type Server = {
  readonly journal: Journal
  readonly objects: Objects
  readonly webhooks: Webhooks
  readonly options: StripeOptions
  readonly nowSeconds: () => number
}

/** The stand-in for api.stripe.com, test mode, as the billing functions use it. */
export async function startStripe(options: StripeOptions): Promise<StripeStandIn> {
  const journal = openJournal(options.file)
  let webhookUrl = options.webhookUrl
  const nowSeconds = (): number => Math.floor(options.now() / 1000)
  const webhooks = openWebhooks({
    journal,
    url: () => webhookUrl,
    secret: options.webhookSecret,
    nowSeconds,
    automatic: options.automaticWebhooks !== false,
  })
  const state: { objects: Objects; fault: FaultHook<Call> | undefined } = {
    objects: openObjects(journal),
    fault: undefined,
  }
  const server = await serveLoopback(options.port ?? 0, (call) =>
    underFault(
      state.fault?.(`${call.method} ${call.url.pathname}`, call),
      () => answer({ journal, objects: state.objects, webhooks, options, nowSeconds }, call),
      (wrong) => (wrong.mode === 'error' ? errorAnswer(wrong.code ?? 503, UNKNOWN_ERROR) : HANG_UP),
    ),
  )
  return {
    url: server.url,
    port: server.port,
    webhookSecret: options.webhookSecret,
    setWebhookUrl: (url) => {
      webhookUrl = url
    },
    deliverWebhooks: webhooks.deliver,
    pendingWebhooks: webhooks.pending,
    dump: () => dumpObjects(state.objects),
    reset: () => {
      journal.clear()
      state.objects = openObjects(journal)
    },
    setFault: (fault) => {
      state.fault = fault
    },
    close: async () => {
      await webhooks.close()
      await server.close()
      journal.close()
    },
  }
}

const KINDS = [
  'customer',
  'product',
  'price',
  'payment_method',
  'subscription',
  'invoice',
  'invoiceitem',
  'credit_note',
  'billing.meter',
  'event',
]

function dumpObjects(objects: Objects): Readonly<Record<string, StripeObject[]>> {
  return Object.fromEntries(KINDS.map((kind) => [kind, objects.list(kind)]))
}

function answer(server: Server, call: Call): Answer {
  const requestId = newId('req').slice(0, 18)
  const version = call.headers['stripe-version']
  const headers = {
    'request-id': requestId,
    'stripe-version': typeof version === 'string' ? version : STRIPE_VERSION,
  }
  const key = call.headers['idempotency-key']
  try {
    authenticate(call, server.options.apiKey)
    const result =
      call.method === 'POST' && typeof key === 'string'
        ? answerOnce({ journal: server.journal, nowSeconds: server.nowSeconds() }, call, key, requestId, () =>
            run(server, call, requestId, key),
          )
        : run(server, call, requestId, null)
    return {
      ...result,
      headers: {
        ...result.headers,
        ...headers,
        ...(typeof key === 'string' ? { 'idempotency-key': key } : {}),
      },
    }
  } catch (error) {
    if (!isStripeError(error)) throw error
    return errorAnswer(error.status, error.body, headers)
  }
}

function authenticate(call: Call, apiKey: string): void {
  const [, scheme, credentials = ''] = /^(Bearer|Basic) (\S+)$/i.exec(call.headers.authorization ?? '') ?? []
  const given =
    scheme?.toLowerCase() === 'basic'
      ? Buffer.from(credentials, 'base64').toString().split(':')[0]
      : credentials
  if (given === apiKey) return
  const message =
    given === undefined || given === ''
      ? "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
      : `Invalid API Key provided: ${given.slice(0, 7)}${'*'.repeat(Math.max(0, given.length - 11))}${given.slice(-4)}`
  throw stripeError(401, { type: 'invalid_request_error', message }, false)
}

function run(server: Server, call: Call, requestId: string, idempotencyKey: string | null): Answer {
  const path = call.url.pathname
  const found = matchRoute(ROUTES, call.method, path)
  if (found === undefined) {
    const message = `Unrecognized request URL (${call.method}: ${path}). Please see https://stripe.com/docs or we can help at https://support.stripe.com/.`
    throw stripeError(404, { type: 'invalid_request_error', message }, false)
  }
  const query = call.url.search.slice(1)
  const form =
    call.method === 'GET' ? query : [query, call.body.toString()].filter((part) => part !== '').join('&')
  const params = parseParams(decodeForm(form), found.route.params)
  const { objects, journal } = server
  const now = server.nowSeconds()
  const emit: Context['emit'] = (type, object, previous) => {
    const event: StripeObject = {
      id: newId('evt'),
      object: 'event',
      api_version: STRIPE_VERSION,
      created: now,
      data: {
        object: structuredClone(object),
        ...(previous === undefined ? {} : { previous_attributes: previous }),
      },
      livemode: false,
      pending_webhooks: 1,
      request: { id: requestId, idempotency_key: idempotencyKey },
      type,
    }
    server.webhooks.add(objects.save(event))
  }
  const result = found.route.run({ objects, journal, now, params, id: found.id, emit })
  return json(200, expand(objects, result, params))
}

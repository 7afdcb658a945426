import { createHmac } from 'node:crypto'
import type { Journal } from '../journal.ts'
import type { StripeObject } from './objects.ts'

/** How the events that wait are delivered. */
export type DeliveryOptions = {
  /** Each event this many times; one unless told. */
  readonly copies?: number
  /** In this order instead of the order they happened in. */
  readonly order?: (events: readonly StripeObject[]) => readonly StripeObject[]
}

export type DeliveryReport = { readonly delivered: number; readonly failed: number }

export type Webhooks = {
  add(event: StripeObject): void
  pending(): StripeObject[]
  /** Sends every event that waits; one whose every copy failed goes on waiting. */
  deliver(options?: DeliveryOptions): Promise<DeliveryReport>
  close(): Promise<void>
}

type Settings = {
  readonly journal: Journal
  readonly url: () => string | undefined
  readonly secret: string
  readonly nowSeconds: () => number
  /** Deliver by itself as events come, and again until they are taken. */
  readonly automatic: boolean
}

const PENDING = 'webhook/'
/** Real time on purpose: how long to leave an endpoint that did not answer well alone. */
const RETRY_MS = [200, 500, 1000, 2000, 5000, 15_000, 60_000]

/** The header Stripe signs a payload with: `t=…,v1=…`, HMAC-SHA256 over `t.payload`. */
function signPayload(payload: string, secret: string, seconds: number): string {
  const signature = createHmac('sha256', secret).update(`${seconds}.${payload}`).digest('hex')
  return `t=${seconds},v1=${signature}`
}

/**
 * Delivers events to the webhook endpoint at least once, in no promised order.
 *
 * What waits is on disk: a stack that is killed delivers the rest after its restart.
 */
export function openWebhooks(settings: Settings): Webhooks {
  let timer: NodeJS.Timeout | undefined
  let failures = 0
  let running: Promise<DeliveryReport> | undefined
  let closed = false

  const pending = (): StripeObject[] =>
    [...settings.journal.entries()]
      .filter(([key]) => key.startsWith(PENDING))
      .map(([, event]) => event as StripeObject)
  const deliver = async (options: DeliveryOptions = {}): Promise<DeliveryReport> => {
    const events = pending()
    const copies = Array.from({ length: options.copies ?? 1 }, () => events).flat()
    const taken = new Set<string>()
    let failed = 0
    for (const event of options.order?.(copies) ?? copies) {
      if (closed) break
      if (await send(settings, event)) taken.add(event.id)
      else failed += 1
    }
    for (const id of taken) settings.journal.delete(`${PENDING}${id}`)
    return { delivered: taken.size, failed }
  }
  const schedule = (delayMs: number): void => {
    if (!settings.automatic || closed || timer !== undefined || settings.url() === undefined) return
    timer = setTimeout(() => {
      timer = undefined
      running = deliver().then((report) => {
        failures = report.failed === 0 ? 0 : failures + 1
        if (pending().length > 0) schedule(RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 60_000)
        return report
      })
    }, delayMs)
  }
  if (pending().length > 0) schedule(0)
  return {
    add: (event) => {
      if (settings.url() === undefined) return
      settings.journal.set(`${PENDING}${event.id}`, event)
      schedule(0)
    },
    pending,
    deliver,
    close: async () => {
      closed = true
      clearTimeout(timer)
      await running
    },
  }
}

/** True if the endpoint took it. Its time-out is Stripe's order of magnitude, in real time. */
async function send(settings: Settings, event: StripeObject): Promise<boolean> {
  const url = settings.url()
  if (url === undefined) return false
  const body = JSON.stringify(event, undefined, 2)
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'stripe-signature': signPayload(body, settings.secret, settings.nowSeconds()),
        'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
      },
      body,
      signal: AbortSignal.timeout(10_000),
    })
    await response.arrayBuffer()
    return response.ok
  } catch {
    return false
  }
}

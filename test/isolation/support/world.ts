import { request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { http } from '@google-cloud/functions-framework'
import { getTestServer } from '@google-cloud/functions-framework/testing'
import { startSecretManagerEngine } from '#local/engine/secrets/index.ts'
import { startGoogleIssuer } from '#local/issuers/google.ts'
import { startKubernetes } from '#local/kubernetes/index.ts'
import { FUNCTIONS, type FunctionId, GROUPS, type Group } from '#shared/catalogue/functions.ts'
import { manualClock } from '#shared/clock.ts'
import { readConfig } from '#shared/config.ts'
import { SUBSCRIPTIONS, type Subscription } from '#shared/contracts/topics.ts'
import { closeDatabase } from '#shared/firestore/database.ts'
import { httpEdge } from '#shared/http/edge.ts'
import { installFront } from '#shared/http/front.ts'
import { silentLogger } from '#shared/log.ts'
import { eventEdge } from '#shared/pubsub/event-edge.ts'
import type { OutgoingMessage } from '#shared/pubsub/publisher.ts'
import { authEventHandlers } from '../../../functions/auth/events.ts'
import { authHandlers, authRefusalReply } from '../../../functions/auth/http.ts'
import { bootstrapOperator } from '../../../functions/auth/operations/bootstrap-operator.ts'
import { wireAuth } from '../../../functions/auth/wiring.ts'
import { billingEvents } from '../../../functions/billing/events.ts'
import { billingApi } from '../../../functions/billing/http.ts'
import { wireBilling } from '../../../functions/billing/wiring.ts'
import { lifecycleEvents } from '../../../functions/tenant-events/events.ts'
import { tenantsApi } from '../../../functions/tenant-events/http.ts'
import { wireLifecycle } from '../../../functions/tenant-events/wiring.ts'
import { startTestCloud } from '../../support/cloud.ts'
import { type Acting, trespasses } from './names.ts'
import { type RecordingProxy, startRecordingProxy } from './recording-proxy.ts'

export const START_MS = Date.parse('2026-11-23T09:00:00.000Z')
const BASE_URL = 'https://api.energent.test'
const ACCOUNT = 'tenant-events@demo-energent.iam.gserviceaccount.com'

export type Credentials = { readonly clientId: string; readonly clientSecret: string }
export type Reply = { readonly status: number; readonly text: string; readonly json: Record<string, unknown> }
export type Waiting = { readonly subscription: Subscription; readonly message: OutgoingMessage }
export type Ask = {
  readonly token?: string | undefined
  readonly body?: unknown
  readonly form?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
}
export type IsolationWorld = Awaited<ReturnType<typeof startWorld>>

/**
 * The three groups' own handlers, edges and adapters over one Firestore, each group behind a recorder
 * of its own; only Pub/Sub is played by the test, so that it decides what is delivered when.
 */
export async function startWorld(firestoreHost: string, project: string) {
  installFront()
  const clock = manualClock(START_MS)
  const proxies = Object.fromEntries(
    await Promise.all(
      GROUPS.map(async (group) => [group, await startRecordingProxy(firestoreHost)] as const),
    ),
  ) as Record<Group, RecordingProxy>
  const standIns = await startStandIns(clock.now, project)
  const waiting: Waiting[] = []
  const publisher = {
    publish: async (message: OutgoingMessage) => {
      for (const subscription of SUBSCRIPTIONS) {
        if (subscription.topic === message.topic) waiting.push({ subscription, message })
      }
      return 'm'
    },
  }
  const parts = { clock, publisher, log: silentLogger }
  const configOf = (group: Group, authUrl = 'http://127.0.0.1:1') =>
    readConfig({
      GOOGLE_CLOUD_PROJECT: project,
      FUNCTION_TARGET: group,
      FUNCTION_URI: 'https://function.energent.test',
      PUBLIC_BASE_URL: BASE_URL,
      JWKS_URI: `${authUrl}/.well-known/jwks.json`,
      CALLER_CHECK: 'direct',
      FIRESTORE_EMULATOR_HOST: proxies[group].host,
      ...standIns.cloud.settings,
      KUBERNETES_API_URL: standIns.kubernetes.url,
      GCE_METADATA_HOST: standIns.issuer.metadataHost,
    })
  const auth = wireAuth(configOf('auth'), parts)
  const servers: Server[] = []
  const serve = async (name: string, handler: Parameters<typeof http>[1]): Promise<string> => {
    http(`${project}-${name}`, handler)
    const server = getTestServer(`${project}-${name}`)
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }
  const authEdge = httpEdge(auth.platform, 'auth', authHandlers(auth), { refusalReply: authRefusalReply })
  const authUrl = await serve('auth', authEdge)
  const billing = wireBilling(configOf('billing', authUrl), parts)
  const lifecycle = wireLifecycle(configOf('lifecycle', authUrl), parts)
  const urls: Readonly<Record<FunctionId, string>> = {
    auth: authUrl,
    'auth-events': await serve(
      'auth-events',
      eventEdge(auth.platform, 'auth-events', authEventHandlers(auth)),
    ),
    billing: await serve('billing', eventEdge(billing.platform, 'billing', billingEvents(billing.deps))),
    'billing-api': await serve(
      'billing-api',
      httpEdge(billing.platform, 'billing-api', billingApi(billing.platform, billing.deps)),
    ),
    'tenant-events': await serve(
      'tenant-events',
      eventEdge(lifecycle.platform, 'tenant-events', { events: lifecycleEvents(lifecycle.deps) }),
    ),
    'tenants-api': await serve(
      'tenants-api',
      httpEdge(
        lifecycle.platform,
        'tenants-api',
        tenantsApi(lifecycle.platform, lifecycle.deps, lifecycle.checks),
      ),
    ),
  }
  const platforms = { auth: auth.platform, billing: billing.platform, lifecycle: lifecycle.platform }
  let recorded = 0

  /** Does something for someone; throws when any group named what is not theirs meanwhile. */
  const acting = async <T>(whom: Acting, act: () => Promise<T>): Promise<T> => {
    for (const group of GROUPS) proxies[group].take()
    const result = await act()
    const wrong = GROUPS.flatMap((group) => {
      const calls = proxies[group].take()
      recorded += calls.length
      return calls.flatMap((call) => trespasses(group, call, whom))
    })
    if (wrong.length > 0) throw new Error(`for ${JSON.stringify(whom)} was sent: ${wrong.join('; ')}`)
    return result
  }

  const operator = await bootstrapOperator(auth, {
    email: 'ops@example.com',
    deployer: 'test',
    nowMs: clock.now(),
  })
  if (!operator.ok) throw new Error(operator.detail)
  // Both rings begin here: the first revocation of a tenant would start the one that signs it, in its name.
  await auth.eventKeyring.publicKeys(clock.now())
  return {
    clock,
    waiting,
    platforms,
    acting,
    recorded: () => recorded,
    operator: { clientId: operator.value.client.clientId, clientSecret: operator.value.clientSecret },
    ask: (id: FunctionId, method: string, path: string, options: Ask = {}) =>
      exchange(`${urls[id]}${path}`, method, options),
    push: (
      listener: FunctionId,
      subscription: string,
      message: Pick<OutgoingMessage, 'data' | 'attributes'>,
    ) =>
      exchange(`${urls[listener]}/events/${subscription}`, 'POST', {
        body: {
          message: {
            data: Buffer.from(message.data).toString('base64'),
            attributes: message.attributes,
            messageId: '1',
          },
          subscription: `projects/${project}/subscriptions/${subscription}`,
        },
      }),
    groupOf: (id: FunctionId): Group => FUNCTIONS[id].group,
    close: async () => {
      for (const server of servers) {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      }
      await Promise.all(GROUPS.map((group) => closeDatabase(platforms[group].database)))
      await Promise.all(GROUPS.map((group) => proxies[group].close()))
      await standIns.close()
    },
  }
}

async function startStandIns(now: () => number, project: string) {
  const secrets = await startSecretManagerEngine({ now })
  const issuer = await startGoogleIssuer({ now, defaultAccount: ACCOUNT })
  const kubernetes = await startKubernetes({
    now,
    provisioner: ACCOUNT,
    authenticate: (token) => {
      const user = issuer.introspectAccessToken(token)
      return user === undefined ? undefined : { user, groups: [] }
    },
  })
  const cloud = await startTestCloud({
    now,
    project,
    provisioner: ACCOUNT,
    whose: issuer.introspectAccessToken,
    secrets,
  })
  const close = async (): Promise<void> => {
    await kubernetes.close()
    await cloud.close()
    await issuer.close()
    await secrets.close()
  }
  return { secrets, issuer, kubernetes, cloud, close }
}

/** By the plainest client there is: others put a path in order before they send it. */
function exchange(url: string, method: string, options: Ask): Promise<Reply> {
  const { token, body, form, headers = {} } = options
  const sent = form === undefined ? bodyOf(body) : new URLSearchParams(form).toString()
  const type = form === undefined ? 'application/json' : 'application/x-www-form-urlencoded'
  const cut = url.indexOf('/', 'http://'.length)
  const { hostname, port } = new URL(url.slice(0, cut))
  const all = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(sent === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(sent) }),
    ...headers,
  }
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, method, path: url.slice(cut), headers: all }, (answer) => {
      answer.setEncoding('utf8')
      let text = ''
      answer.on('data', (chunk: string) => {
        text += chunk
      })
      answer.on('end', () => {
        const json = text.startsWith('{') ? JSON.parse(text) : {}
        resolve({ status: answer.statusCode ?? 0, text, json })
      })
    })
    asked.on('error', reject)
    asked.end(sent)
  })
}

function bodyOf(body: unknown): string | undefined {
  return body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
}

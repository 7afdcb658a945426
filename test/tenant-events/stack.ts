import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { http } from '@google-cloud/functions-framework'
import { getTestServer } from '@google-cloud/functions-framework/testing'
import {
  type CompositeIndex,
  type FirestoreEngine,
  startFirestoreEngine,
} from '#local/engine/firestore/index.ts'
import { startGoogleIssuer } from '#local/issuers/google.ts'
import { type Kubernetes, startKubernetes } from '#local/kubernetes/index.ts'
import type { PlatformScope, TenantScope } from '#shared/catalogue/scopes.ts'
import { readConfig } from '#shared/config.ts'
import { chargeRefused } from '#shared/contracts/events/charge-refused.ts'
import { subscriptionReady } from '#shared/contracts/events/subscription-ready.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import type { TopicName } from '#shared/contracts/topics.ts'
import { closeDatabase } from '#shared/firestore/database.ts'
import { outboxRow } from '#shared/firestore/outbox.ts'
import { httpEdge } from '#shared/http/edge.ts'
import { installFront } from '#shared/http/front.ts'
import { PLATFORM_TENANT, type TenantId } from '#shared/ids.ts'
import { silentLogger } from '#shared/log.ts'
import { eventEdge } from '#shared/pubsub/event-edge.ts'
import type { OutgoingMessage } from '#shared/pubsub/publisher.ts'
import { ok, refuse } from '#shared/result.ts'
import { prove } from '#shared/tenancy/proofs.ts'
import { lifecycleEvents } from '../../functions/tenant-events/events.ts'
import { tenantsApi } from '../../functions/tenant-events/http.ts'
import { type Lifecycle, wireLifecycle } from '../../functions/tenant-events/wiring.ts'
import { startTestCloud, type TestCloud } from '../support/cloud.ts'
import { type ManualClock, manualClockAt } from './messages.ts'

const ACCOUNT = 'tenant-events@demo-energent.iam.gserviceaccount.com'

export type Reply = {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
}

export type ApiOptions = {
  readonly as?: string
  /** Sent as it is when it is text, else as JSON. */
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

type Message = Pick<OutgoingMessage, 'data' | 'attributes'>

export type Stack = Lifecycle & {
  readonly clock: ManualClock
  readonly engine: FirestoreEngine
  readonly kubernetes: Kubernetes
  readonly cloud: TestCloud
  readonly published: OutgoingMessage[]
  /** Calls the API; `as` is a token such as `operator` or `tenant:acme`. */
  api(method: string, path: string, options?: ApiOptions): Promise<Reply>
  /** Asks for the tenant `acme`, or for one that differs from it in some fields. */
  create(fields?: object, headers?: Record<string, string>, as?: string): Promise<Reply>
  /** As if nothing had ever happened: no documents, no objects, nothing published. */
  forgetAll(): void
  /** Pushes a message as Pub/Sub does; answers the status. */
  push(topic: TopicName, message: Message): Promise<number>
  /** A fact of billing about an operation, ready to be pushed. */
  billingFact(tenantId: TenantId, operationId: string, kind: 'ready' | 'refused'): OutgoingMessage
  /** Delivers what was published, billing answering, until nothing is left. */
  pump(billing?: 'ready' | 'refused'): Promise<void>
  close(): Promise<void>
}

/** The composite indexes the group lives with: its outbox has one, its own queries need none. */
const INDEXES: readonly CompositeIndex[] = [
  {
    collectionGroup: 'lifecycle_outbox',
    queryScope: 'COLLECTION',
    fields: [
      { fieldPath: 'status', order: 'ASCENDING' },
      { fieldPath: 'createdAtMs', order: 'ASCENDING' },
    ],
  },
]

/** What a request for the tenant `acme` says. */
export const ACME_BODY = {
  tenantId: 'acme',
  displayName: 'Acme',
  tier: 'standard',
  deploymentModel: 'multi_tenant',
  region: 'us-central1',
}

let stacks = 0

/** The group's two entry points on the local stand-ins, with only the pusher and billing played here. */
export async function aStack(): Promise<Stack> {
  const standIns = await startStandIns()
  const { clock, cloud, engine, kubernetes } = standIns
  const published: OutgoingMessage[] = []
  const publisher = {
    publish: async (message: OutgoingMessage) => {
      published.push(message)
      return String(published.length)
    },
  }
  const lifecycle = wireLifecycle(standIns.config, { clock, publisher, log: silentLogger })
  const served = await serveEntryPoints(lifecycle)
  const stack: Stack = {
    ...lifecycle,
    clock,
    cloud,
    engine,
    kubernetes,
    published,
    api: (method, path, options = {}) => callApi(`${served.apiUrl}${path}`, method, options),
    create: (fields = {}, headers = {}, as = 'operator') =>
      stack.api('POST', '/v1/tenants', { as, body: { ...ACME_BODY, ...fields }, headers }),
    forgetAll: () => {
      engine.reset()
      kubernetes.reset()
      published.length = 0
    },
    push: (topic, message) => pushTo(served.eventsUrl, topic, message),
    billingFact: (tenantId, operationId, kind) => billingFact(tenantId, operationId, kind, clock.now()),
    pump: async (billing = 'ready') => {
      for (let message = published.shift(); message !== undefined; message = published.shift()) {
        if (message.topic === 'tenant-work') await pushed(stack, 'tenant-work', message)
        const { type, tenantid } = message.attributes
        if (type?.includes('subscription-requested')) {
          const { operationId } = JSON.parse(Buffer.from(message.data).toString()).data
          await pushed(stack, 'billing-facts', stack.billingFact(tenantid as TenantId, operationId, billing))
        }
      }
    },
    close: async () => {
      await served.close()
      await closeDatabase(lifecycle.platform.database)
      await standIns.close()
    },
  }
  return stack
}

async function startStandIns() {
  const clock = manualClockAt('2026-11-23T09:00:00Z')
  const engine = await startFirestoreEngine({ now: clock.now, indexes: INDEXES })
  const issuer = await startGoogleIssuer({ now: clock.now, defaultAccount: ACCOUNT })
  const kubernetes = await startKubernetes({
    now: clock.now,
    provisioner: ACCOUNT,
    authenticate: (token) => {
      const user = issuer.introspectAccessToken(token)
      return user === undefined ? undefined : { user, groups: [] }
    },
  })
  const cloud = await startTestCloud({
    now: clock.now,
    provisioner: ACCOUNT,
    whose: issuer.introspectAccessToken,
  })
  const config = readConfig({
    GOOGLE_CLOUD_PROJECT: 'demo-test',
    FUNCTION_TARGET: 'tenantsApiHandler',
    FUNCTION_URI: 'http://127.0.0.1:1',
    PUBLIC_BASE_URL: 'http://127.0.0.1:1',
    CALLER_CHECK: 'direct',
    FIRESTORE_EMULATOR_HOST: engine.host,
    KUBERNETES_API_URL: kubernetes.url,
    GCE_METADATA_HOST: issuer.metadataHost,
    ...cloud.settings,
  })
  const close = async (): Promise<void> => {
    await kubernetes.close()
    await cloud.close()
    await issuer.close()
    await engine.close()
  }
  return { clock, cloud, engine, kubernetes, config, close }
}

/** Both entry points under functions-framework, each stack's under names of its own. */
async function serveEntryPoints({ platform: wired, deps, checks }: Lifecycle) {
  const platform = { ...wired, verifyToken: async (token: string) => tokenOf(token, wired.clock.now()) }
  installFront()
  stacks += 1
  const name = `tenants${stacks}`
  http(`${name}Api`, httpEdge(platform, 'tenants-api', tenantsApi(platform, deps, checks)))
  http(`${name}Events`, eventEdge(platform, 'tenant-events', { events: lifecycleEvents(deps) }))
  const servers = [getTestServer(`${name}Api`), getTestServer(`${name}Events`)]
  const [apiUrl = '', eventsUrl = ''] = await Promise.all(servers.map(listen))
  const close = async (): Promise<void> => {
    for (const server of servers) await new Promise((resolve) => server.close(resolve))
  }
  return { apiUrl, eventsUrl, close }
}

async function callApi(url: string, method: string, options: ApiOptions): Promise<Reply> {
  const { as = 'operator', body, headers = {} } = options
  const response = await fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${as}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json') === true
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : { text } }
}

async function pushTo(url: string, topic: TopicName, { data, attributes }: Message): Promise<number> {
  const subscription = `${topic}-to-tenant-events`
  const message = { data: Buffer.from(data).toString('base64'), attributes, messageId: '1' }
  const response = await fetch(`${url}/events/${subscription}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ message, subscription: `projects/demo-test/subscriptions/${subscription}` }),
  })
  await response.text()
  return response.status
}

function billingFact(
  tenantId: TenantId,
  operationId: string,
  kind: 'ready' | 'refused',
  nowMs: number,
): OutgoingMessage {
  const event = newEvent({
    id: `${operationId}.${kind}`,
    source: '//energent.ai/billing',
    type: kind === 'ready' ? subscriptionReady.type : chargeRefused.type,
    tenantId,
    nowMs,
    data:
      kind === 'ready'
        ? { tenantId, operationId, subscriptionId: 'sub_1', planId: 'example-standard' }
        : { tenantId, operationId, reason: 'plan.tier_mismatch' },
  })
  const row = outboxRow({ topic: 'billing-facts', event }, tenantId, 0, nowMs)
  return { topic: row.topic, data: Buffer.from(row.body), attributes: row.attributes }
}

async function pushed(stack: Stack, topic: TopicName, message: OutgoingMessage): Promise<void> {
  const status = await stack.push(topic, message)
  if (status !== 204) throw new Error(`${topic} was answered ${status}`)
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const OPERATOR: readonly PlatformScope[] = ['platform:tenants', 'platform:read', 'platform:purge']
const MEMBER: readonly TenantScope[] = ['tenant:read', 'tenant:manage']

/** Whose machine an operator's client is: the first two are one person's, the last one nobody's. */
const OWNERS: Readonly<Record<string, string>> = {
  operator: 'usr_ada',
  operator1: 'usr_ada',
  operator2: 'usr_grace',
}

/**
 * `operator`, `operator1`, `operator2`, `operator3`, `support` (reads only), `tenant:{id}` and `owner:{id}`,
 * `impostor:{id}` (an operator's scopes), or nobody.
 */
function tokenOf(token: string, nowMs: number) {
  const member = /^(?:tenant|owner|impostor):(.+)$/.exec(token)?.[1]
  const operator = /^(operator\d?|support)$/.test(token)
  if (member === undefined && !operator) return refuse('token.invalid', 'nobody')
  const scopes: readonly string[] = /^(?:tenant|owner):/.test(token)
    ? MEMBER
    : token === 'support'
      ? ['platform:read']
      : OPERATOR
  const issuedAt = Math.floor(nowMs / 1000)
  return ok(
    prove.token({
      tenant: (member ?? PLATFORM_TENANT) as TenantId,
      tier: 'enterprise',
      subject: token,
      clientId: token,
      scopes: new Set(scopes),
      roles: token.startsWith('owner:') ? ['owner'] : [],
      owner: OWNERS[token],
      tokenId: 'j1',
      issuedAt,
      expiresAt: issuedAt + 3600,
    }),
  )
}

import { randomBytes } from 'node:crypto'
import type { Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Firestore } from '@google-cloud/firestore'
import { http } from '@google-cloud/functions-framework'
import { getTestServer } from '@google-cloud/functions-framework/testing'
import type { Clock } from '#shared/clock.ts'
import { type Config, readConfig } from '#shared/config.ts'
import { closeDatabase } from '#shared/firestore/database.ts'
import { httpEdge } from '#shared/http/edge.ts'
import { installFront } from '#shared/http/front.ts'
import type { FrameworkRequest } from '#shared/http/read-request.ts'
import { PLATFORM_TENANT, type TenantId } from '#shared/ids.ts'
import { silentLogger } from '#shared/log.ts'
import { eventEdge } from '#shared/pubsub/event-edge.ts'
import type { Publisher } from '#shared/pubsub/publisher.ts'
import { ok } from '#shared/result.ts'
import { prove } from '#shared/tenancy/proofs.ts'
import type { Platform, PlatformParts } from '#shared/wiring.ts'
import { billingEvents } from '../../functions/billing/events.ts'
import { billingApi } from '../../functions/billing/http.ts'
import { wireBilling } from '../../functions/billing/wiring.ts'
import { tenantsApi } from '../../functions/tenant-events/http.ts'
import { wireLifecycle } from '../../functions/tenant-events/wiring.ts'

/** One instance of a function: the production edge, operations and official clients, on one line each. */
export type Instance = {
  readonly platform: Platform
  /** Pushes a message as Pub/Sub does, once; the status, or undefined when there was no answer. */
  push(subscription: string, data: unknown, attributes?: Readonly<Record<string, string>>): Promise<number>
  /** Calls the API as the tenant's token, or the operator's. */
  call(method: string, path: string, options: CallOptions): Promise<Answer>
  close(): Promise<void>
}

type CallOptions = { readonly as: string; readonly body?: unknown; readonly key?: string }
type Answer = { readonly status: number; readonly body: Record<string, unknown> }

type Lines = {
  readonly project: string
  readonly firestoreHost: string
  readonly pubsubHost?: string
  readonly clock?: Clock
}

type Serve = (request: FrameworkRequest, response: ServerResponse) => Promise<void>

let started = 0

/** A project of its own: engines are shared by a whole run. */
export function newProject(): string {
  return `demo-${randomBytes(5).toString('hex')}`
}

/** A client that goes past the bad network, for looking at what is stored. */
export function directClient(host: string, project: string): Firestore {
  return new Firestore({
    projectId: project,
    host,
    ssl: false,
    customHeaders: { Authorization: 'Bearer owner' },
  })
}

export async function startBilling(lines: Lines): Promise<Instance> {
  const { platform, deps } = wireBilling(configOf(lines, 'billingHandler'), partsOf(lines))
  const trusting = trustingTokens(platform)
  return serve(
    platform,
    eventEdge(trusting, 'billing', billingEvents(deps)),
    httpEdge(trusting, 'billing-api', billingApi(trusting, deps)),
  )
}

export async function startTenantsApi(lines: Lines): Promise<Instance> {
  const { platform, deps, checks } = wireLifecycle(configOf(lines, 'tenantsApiHandler'), partsOf(lines))
  const trusting = trustingTokens(platform)
  const unused: Serve = async (_request, response) => void response.writeHead(404).end()
  return serve(platform, unused, httpEdge(trusting, 'tenants-api', tenantsApi(trusting, deps, checks)))
}

const nowhere: Publisher = { publish: async () => 'nowhere' }

function partsOf({ clock, pubsubHost }: Lines): PlatformParts {
  return {
    log: silentLogger,
    ...(clock === undefined ? {} : { clock }),
    ...(pubsubHost === undefined ? { publisher: nowhere } : {}),
  }
}

function configOf({ project, firestoreHost, pubsubHost }: Lines, target: string): Config {
  const unused = 'http://127.0.0.1:1'
  return readConfig({
    GOOGLE_CLOUD_PROJECT: project,
    FUNCTION_TARGET: target,
    FUNCTION_URI: unused,
    PUBLIC_BASE_URL: unused,
    KUBERNETES_API_URL: unused,
    CALLER_CHECK: 'direct',
    FIRESTORE_EMULATOR_HOST: firestoreHost,
    PUBSUB_EMULATOR_HOST: pubsubHost,
  })
}

/** `operator`, or the id of the tenant whose token it stands for: tokens have their own tests. */
function trustingTokens(platform: Platform): Platform {
  const scopes = ['usage:write', 'usage:read', 'platform:tenants', 'platform:read']
  return {
    ...platform,
    verifyToken: async (token) =>
      ok(
        prove.token({
          tenant: token === 'operator' ? PLATFORM_TENANT : (token as TenantId),
          tier: 'enterprise',
          subject: token,
          clientId: token,
          scopes: new Set(scopes.filter((scope) => scope.startsWith('platform:') === (token === 'operator'))),
          roles: [],
          tokenId: 'j1',
          issuedAt: 0,
          expiresAt: platform.clock.now() / 1000 + 3600,
        }),
      ),
  }
}

async function serve(platform: Platform, events: Serve, api: Serve): Promise<Instance> {
  installFront()
  started += 1
  const names = [`exactlyOnceEvents${started}`, `exactlyOnceApi${started}`] as const
  http(names[0], events)
  http(names[1], api)
  const servers = names.map((name) => getTestServer(name))
  const [eventsUrl = '', apiUrl = ''] = await Promise.all(servers.map(listening))
  return {
    platform,
    push: async (subscription, data, attributes = {}) => {
      const bytes = Buffer.isBuffer(data) ? data : Buffer.from(JSON.stringify(data))
      const message = { data: bytes.toString('base64'), attributes, messageId: String(Math.random()) }
      const body = { message, subscription: `projects/p/subscriptions/${subscription}`, deliveryAttempt: 3 }
      const answer = await send(`${eventsUrl}/events/${subscription}`, 'POST', {}, body)
      return answer.status
    },
    call: (method, path, { as, body, key }) =>
      send(
        apiUrl + path,
        method,
        { authorization: `Bearer ${as}`, ...(key === undefined ? {} : { 'idempotency-key': key }) },
        body,
      ),
    close: async () => {
      for (const server of servers) {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      }
      await closeDatabase(platform.database)
    },
  }
}

async function send(
  url: string,
  method: string,
  headers: Record<string, string>,
  body: unknown,
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : {} }
}

function listening(server: Server): Promise<string> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    })
  })
}

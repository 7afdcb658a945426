import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { http } from '@google-cloud/functions-framework'
import { getTestServer } from '@google-cloud/functions-framework/testing'
import { startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { manualClock } from '#shared/clock.ts'
import { readConfig } from '#shared/config.ts'
import { tenantFactType } from '#shared/contracts/events/tenant-fact.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { closeDatabase } from '#shared/firestore/database.ts'
import { httpEdge } from '#shared/http/edge.ts'
import { installFront } from '#shared/http/front.ts'
import type { TenantId } from '#shared/ids.ts'
import { silentLogger } from '#shared/log.ts'
import { eventEdge } from '#shared/pubsub/event-edge.ts'
import type { OutgoingMessage } from '#shared/pubsub/publisher.ts'
import { ok } from '#shared/result.ts'
import { prove } from '#shared/tenancy/proofs.ts'
import { billingEvents } from '../../../functions/billing/events.ts'
import { billingApi } from '../../../functions/billing/http.ts'
import { wireBilling } from '../../../functions/billing/wiring.ts'

export const NOW = Date.parse('2026-11-23T09:30:00Z')

export type Answer = { status: number; headers: Record<string, unknown>; json: Record<string, unknown> }
export type World = Awaited<ReturnType<typeof startWorld>>

let started = 0

installFront()

/** What two instances have in common. */
type Shared = {
  readonly clock: ReturnType<typeof manualClock>
  readonly engine: Awaited<ReturnType<typeof startFirestoreEngine>>
}

/**
 * Billing on the embedded Firestore, with both edges in front and a publisher that remembers. `sharing`
 * another's store and clock it is a second instance.
 */
export async function startWorld({ sharing }: { readonly sharing?: Shared } = {}) {
  const clock = sharing?.clock ?? manualClock(NOW)
  const engine = sharing?.engine ?? (await startFirestoreEngine({ now: clock.now }))
  const published: OutgoingMessage[] = []
  const broken = { publish: false }
  const calls: string[] = []
  const config = readConfig({
    GOOGLE_CLOUD_PROJECT: 'demo-test',
    FUNCTION_TARGET: 'billingHandler',
    FUNCTION_URI: 'http://127.0.0.1:1',
    PUBLIC_BASE_URL: 'http://127.0.0.1:1',
    CALLER_CHECK: 'direct',
    FIRESTORE_EMULATOR_HOST: engine.host,
  })
  const publisher = {
    publish: async (message: OutgoingMessage) => {
      if (broken.publish) throw new Error('Pub/Sub is down')
      published.push(message)
      return String(published.length)
    },
  }
  const { platform, deps } = wireBilling(config, { clock, log: silentLogger, publisher })
  const trusting = {
    ...platform,
    // `token` is `tenant` or `tenant scope scope`: the verifier has its own tests.
    verifyToken: async (token: string) => {
      const [tenant = '', ...scopes] = token.split('+')
      return ok(
        prove.token({
          tenant: tenant as TenantId,
          tier: 'enterprise',
          subject: 'someone',
          clientId: 'c',
          scopes: new Set(scopes.length === 0 ? ['usage:write', 'usage:read', 'invoices:read'] : scopes),
          roles: [],
          tokenId: 't',
          issuedAt: 0,
          expiresAt: clock.now() / 1000 + 600,
        }),
      )
    },
  }
  started += 1
  http(`billingEvents${started}`, eventEdge(trusting, 'billing', billingEvents(deps)))
  http(`billingApi${started}`, httpEdge(trusting, 'billing-api', billingApi(trusting, deps)))
  const servers = [getTestServer(`billingEvents${started}`), getTestServer(`billingApi${started}`)] as const
  const [events, api] = await Promise.all([listening(servers[0]), listening(servers[1])])
  engine.setFault((rpc) => {
    calls.push(rpc)
    return undefined
  })
  const request = (options: {
    method?: string
    path: string
    token?: string
    body?: unknown
    contentType?: string
    headers?: Record<string, string>
  }): Promise<Answer> => {
    const { method = 'GET', path, token, body, contentType = 'application/json' } = options
    const headers: Record<string, string> = {
      ...options.headers,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': contentType }),
    }
    return exchange(api, { method, path, headers, body })
  }
  const push = async (
    subscription: string,
    data: unknown,
    attributes: Record<string, string> = {},
  ): Promise<number> => {
    const bytes = Buffer.isBuffer(data) ? data : Buffer.from(JSON.stringify(data))
    const body = {
      message: { data: bytes.toString('base64'), attributes, messageId: '1' },
      subscription: `projects/demo-test/subscriptions/${subscription}`,
    }
    return (await exchange(events, { method: 'POST', path: `/events/${subscription}`, headers: {}, body }))
      .status
  }
  return {
    clock,
    engine,
    /** Where the API listens, for clients of its own. */
    apiUrl: api,
    published,
    broken,
    calls,
    deps,
    platform,
    request,
    push,
    usage: (data: unknown, attributes?: Record<string, string>) =>
      push('billing-events-to-billing', data, attributes),
    command: (data: unknown) => push('billing-commands-to-billing', data),
    fact: (data: unknown) => push('tenant-facts-to-billing', data),
    /** Delivers everything the API has published as Pub/Sub would. */
    deliver: async () => {
      for (const message of published.splice(0)) {
        if (message.topic === 'billing-events') {
          await push('billing-events-to-billing', Buffer.from(message.data), { ...message.attributes })
        }
      }
    },
    /** Runs the roll-up job and does the units of work that it asks for. */
    rollUp: async () => {
      const run = await exchange(api, {
        method: 'POST',
        path: '/internal/rollups/run',
        headers: {},
        body: {},
      })
      if (run.status !== 200) throw new Error(`the job answered ${run.status}`)
      const units = published.filter(({ topic }) => topic === 'billing-work')
      for (const message of units) {
        published.splice(published.indexOf(message), 1)
        const status = await push('billing-work-to-billing', Buffer.from(message.data), {
          ...message.attributes,
        })
        if (status !== 204) throw new Error(`a unit of work answered ${status}`)
      }
      return run.json
    },
    documents: (prefix: string) => engine.dump(prefix),
    close: async () => {
      for (const server of servers) {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      }
      await closeDatabase(platform.database)
      if (sharing === undefined) await engine.close()
    },
  }
}

/** A usage event, good unless told otherwise. */
export function aUsageEvent(fields: {
  id: string
  tenant?: string
  meter?: string
  time?: string
  value?: unknown
  source?: string
  data?: Record<string, unknown>
}) {
  return {
    specversion: '1.0',
    id: fields.id,
    source: fields.source ?? '//agents.example/pods/agent-7',
    type: `ai.energent.usage.${fields.meter ?? 'agent_minutes'}.v1`,
    subject: `tenants/${fields.tenant ?? 'acme'}`,
    time: fields.time ?? '2026-11-23T09:00:00.000Z',
    data: { ...(fields.value === null ? {} : { value: fields.value ?? '60' }), ...fields.data },
  }
}

/** A fact about a tenant, as tenant-events publishes it. */
export function aTenantFact(fields: {
  tenant?: string
  kind?: Parameters<typeof tenantFactType>[0]
  state?: string
  tier?: string
  sequence?: bigint
  id?: string
  operationId?: string
}) {
  const tenantId = (fields.tenant ?? 'acme') as TenantId
  const sequence = fields.sequence ?? 2n
  return newEvent({
    id: fields.id ?? `fact.${tenantId}.${sequence}`,
    source: '//energent.ai/tenant-events',
    type: tenantFactType(fields.kind ?? 'activated'),
    tenantId,
    nowMs: NOW,
    sequence,
    data: {
      tenantId,
      state: fields.state ?? 'ACTIVE',
      tier: fields.tier ?? 'standard',
      deploymentModel: 'multi_tenant',
      cluster: 'energent-shared',
      namespace: `tenant-${tenantId}`,
      ...(fields.operationId === undefined ? {} : { operationId: fields.operationId }),
      revision: Number(sequence % 1000n),
      at: new Date(NOW).toISOString(),
    },
  })
}

export function aSubscriptionCommand(fields: {
  what?: 'requested' | 'cancel-requested'
  id: string
  operationId?: string
  tier?: string
  tenant?: string
  sequence?: bigint
}) {
  const tenantId = (fields.tenant ?? 'acme') as TenantId
  const what = fields.what ?? 'requested'
  return newEvent({
    id: fields.id,
    source: '//energent.ai/tenant-events',
    type: `ai.energent.billing.subscription-${what}.v1`,
    tenantId,
    nowMs: NOW,
    commandSequence: fields.sequence ?? 1n,
    data: {
      tenantId,
      operationId: fields.operationId ?? 'op_1',
      ...(what === 'requested' ? { tier: fields.tier ?? 'standard' } : {}),
    },
  })
}

async function exchange(
  url: string,
  options: { method: string; path: string; headers: Record<string, string>; body: unknown },
): Promise<Answer> {
  const { method, path, headers, body } = options
  const bytes = Buffer.isBuffer(body) ? body : JSON.stringify(body)
  const response = await fetch(url + path, {
    method,
    headers,
    ...(body === undefined ? {} : { body: bytes as string }),
  })
  const text = await response.text()
  const json = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : { text }
  return { status: response.status, headers: Object.fromEntries(response.headers), json }
}

function listening(server: Server): Promise<string> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    })
  })
}

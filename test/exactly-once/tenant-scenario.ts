import type { Firestore } from '@google-cloud/firestore'
import type { ProxyCounts } from '#local/fault-proxy/index.ts'
import { manualClock, systemClock } from '#shared/clock.ts'
import { directClient, type Instance, newProject, startTenantsApi } from './instances.ts'
import { eachOf, openNetwork } from './network.ts'
import { openWire, type Wire } from './wire.ts'

export type TenantScale = {
  readonly tenants: number
  /** Cut between the function and Firestore, and between the function and Pub/Sub. */
  readonly cuts: number
  readonly seed: number
}

/** What was made for one tenant. */
export type MadeTenant = {
  readonly tenantId: string
  /** Ids that the answers named: one, however often the request was sent. */
  readonly answered: readonly string[]
  readonly operations: readonly string[]
  readonly audits: number
  readonly rows: readonly { readonly id: string; readonly type: string; readonly status: string }[]
  /** Bodies seen on the wire for each event id. */
  readonly published: ReadonlyMap<string, { readonly bodies: number; readonly copies: number }>
}

export type TenantOutcome = {
  readonly firestore: ProxyCounts
  readonly pubsub: ProxyCounts
  readonly requests: number
  readonly tenants: readonly MadeTenant[]
}

const INSTANCES = 8

/**
 * Tenants created over HTTP while the lines to Firestore and to Pub/Sub are cut: each request is sent
 * again with its Idempotency-Key until it is answered 202, and the sweep publishes what is left.
 */
export async function runTenants(
  hosts: { readonly firestore: string; readonly pubsub: string },
  scale: TenantScale,
): Promise<TenantOutcome> {
  const project = newProject()
  const wire = await openWire(hosts.pubsub, project, ['tenant-facts', 'tenant-work'])
  const clock = manualClock(systemClock.now())
  const store = await openNetwork(hosts.firestore, INSTANCES, scale.seed)
  const queue = await openNetwork(hosts.pubsub, INSTANCES, scale.seed + 1)
  const instances = await Promise.all(
    store.lines.map((line, at) =>
      startTenantsApi({ project, clock, firestoreHost: line.host, pubsubHost: queue.lines[at]?.host ?? '' }),
    ),
  )
  try {
    const ids = Array.from({ length: scale.tenants }, (_, at) => `tenant-${at}`)
    const rate = Math.min(0.4, (2 * scale.cuts) / scale.tenants)
    for (const network of [store, queue]) network.cutUntil(scale.cuts, rate)
    const answered = new Map<string, string[]>(ids.map((id) => [id, []]))
    let requests = 0
    await eachOf(ids, 2 * INSTANCES, async (tenantId, at) => {
      // Two callers at once with one key, as a client does that lost patience.
      const senders = at % 5 === 0 ? 2 : 1
      await Promise.all(
        Array.from({ length: senders }, async (_, copy) => {
          const { operationId, sent } = await createTenant(instances, at + copy, tenantId)
          answered.get(tenantId)?.push(operationId)
          requests += sent
        }),
      )
    })
    for (const network of [store, queue]) network.heal()
    await sweepUntilSent(instances, (ms) => clock.advance(ms))
    return {
      firestore: store.counts(),
      pubsub: queue.counts(),
      requests,
      tenants: await whatWasMade(hosts.firestore, project, wire, answered),
    }
  } finally {
    await Promise.all(instances.map((instance) => instance.close()))
    await Promise.all([store.close(), queue.close(), wire.close()])
  }
}

async function createTenant(
  instances: readonly Instance[],
  first: number,
  tenantId: string,
): Promise<{ operationId: string; sent: number }> {
  const body = {
    tenantId,
    displayName: 'Tenant',
    tier: 'basic',
    deploymentModel: 'multi_tenant',
    region: 'us-central1',
  }
  for (let sent = 1; ; sent += 1) {
    const instance = instances[(first + sent) % instances.length]
    const answer = await instance?.call('POST', '/v1/tenants', { as: 'operator', body, key: tenantId })
    if (answer?.status === 202) return { operationId: String(answer.body['operationId']), sent }
    if (answer !== undefined && answer.status < 500) throw new Error(JSON.stringify(answer))
  }
}

async function sweepUntilSent(instances: readonly Instance[], advance: (ms: number) => void): Promise<void> {
  for (let failed = 1; failed > 0; ) {
    advance(31_000)
    const swept = await instances[0]?.platform.outbox.sweep()
    failed = (swept?.failed ?? 0) + (swept?.published ?? 0)
  }
}

async function whatWasMade(
  host: string,
  project: string,
  wire: Wire,
  answered: ReadonlyMap<string, readonly string[]>,
): Promise<MadeTenant[]> {
  const direct = directClient(host, project)
  const messages = await wire.pullAll()
  const rows = (await direct.collection('lifecycle_outbox').get()).docs
  const made = await Promise.all(
    [...answered].map(async ([tenantId, operationIds]): Promise<MadeTenant> => {
      const own = messages.filter((message) => message.attributes['tenantid'] === tenantId)
      const published = Map.groupBy(own, (message) => String(JSON.parse(message.text).id))
      return {
        tenantId,
        answered: [...new Set(operationIds)],
        operations: await idsIn(direct, `tenants/${tenantId}/lifecycle_operations`),
        audits: (await idsIn(direct, `tenantAudit/${tenantId}/lifecycle_segments`)).length,
        rows: rows
          .filter((row) => row.get('tenantId') === tenantId)
          .map((row) => ({
            id: String(JSON.parse(String(row.get('body'))).id),
            type: String(row.get('attributes').type),
            status: String(row.get('status')),
          })),
        published: new Map(
          [...published].map(([id, copies]) => [
            id,
            { bodies: new Set(copies.map(({ text }) => text)).size, copies: copies.length },
          ]),
        ),
      }
    }),
  )
  await direct.terminate()
  return made
}

async function idsIn(direct: Firestore, path: string): Promise<string[]> {
  return (await direct.collection(path).get()).docs.map((doc) => doc.id)
}

import { eventClaim } from '#shared/firestore/claim.ts'
import { systemIds, type TenantId } from '#shared/ids.ts'
import { asRecord, digestOf } from '#shared/json.ts'
import { silentLogger } from '#shared/log.ts'
import { TenantContext } from '#shared/tenancy/context.ts'
import { prove } from '#shared/tenancy/proofs.ts'
import type { Trace } from '#shared/trace.ts'
import type { Tenant, TenantRequestBody } from '../../functions/tenant-events/domain/tenant.ts'
import { continueOperation } from '../../functions/tenant-events/operations/continue-operation.ts'
import { createTenant } from '../../functions/tenant-events/operations/create-tenant.ts'
import { recordAnswer } from '../../functions/tenant-events/operations/record-answer.ts'
import { resumeDueOperations } from '../../functions/tenant-events/operations/resume-due-operations.ts'
import type { LifecycleDeps } from '../../functions/tenant-events/ports.ts'
import { type MemoryCloud, memoryCloud } from './memory-cloud.ts'
import { type MemoryCluster, memoryCluster } from './memory-cluster.ts'
import { type MemoryLeaving, memoryLeaving, memoryPurge } from './memory-purge.ts'
import { type MemoryStore, memoryStore } from './memory-store.ts'
import { type ManualClock, type Message, manualClockAt } from './messages.ts'

export const ACME = 'acme' as TenantId
export const TRACE: Trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: false }
/** Of a message that has all the time there is. */
export const NO_DEADLINE = new AbortController().signal

export const LOG = silentLogger

export type World = {
  readonly clock: ManualClock
  readonly store: MemoryStore
  readonly cluster: MemoryCluster
  /** Of a tenant that is not on the shared one. */
  readonly ownCluster: MemoryCluster
  readonly cloud: MemoryCloud
  /** What is in the bucket, and what others keep. */
  readonly leaving: MemoryLeaving
  /** What billing answers to a subscription request; undefined leaves it unanswered. */
  billing: 'ready' | 'refused' | undefined
  /** Parts of a process that crashes at its `at`-th call of a port, before or after the call's effect. */
  process(crash?: Crash): LifecycleDeps
  /** Delivers messages, answers for billing, moves time and sweeps until no operation runs. */
  settle(next?: () => LifecycleDeps): Promise<Tenant>
}

export type Crash = { readonly at: number; readonly mode: 'before' | 'after'; reached?: boolean }

export function aWorld(): World {
  const clock = manualClockAt('2026-11-23T09:00:00Z')
  const store = memoryStore(clock.now)
  const cluster = memoryCluster()
  const ownCluster = memoryCluster()
  const cloud = memoryCloud(clock.now)
  const leaving = { ...memoryLeaving(), certificates: store.certificates }
  const queued: Message[] = []
  let taken = 0
  const world: World = {
    clock,
    store,
    cluster,
    ownCluster,
    cloud,
    leaving,
    billing: 'ready',
    process: (crash) => {
      const guard = crashing(crash)
      const guarded = guard(cluster, ['apply', 'preview', 'find', 'list', 'delete', 'review'])
      return {
        store: guard(store, ['create', 'change', 'changeStanding']),
        directory: store,
        queue: { enqueue: async (_tenantId, outgoing) => void queued.push(outgoing) },
        timers: store.timerBook,
        world: { ...cloud, ...memoryPurge(store, leaving) },
        clusterNamed: (name, place) => {
          if (name === 'energent-shared') return guarded
          return place === undefined || place.deploymentModel === 'multi_tenant' ? undefined : ownCluster
        },
        clock,
        ids: systemIds,
        elapsedMs: () => 0,
        budgetMs: 480_000,
        defaultCluster: 'energent-shared',
      }
    },
    settle: async (next = () => world.process()) => {
      for (let round = 0; round < 200; round += 1) {
        queued.push(...store.outbox.slice(taken))
        taken = store.outbox.length
        const message = queued.shift()
        if (message !== undefined) await deliver(world, message, next())
        else if (![...store.tenants.values()].some((tenant) => tenant.op !== null)) return onlyTenant(store)
        else {
          clock.advance(60_000)
          await resumeDueOperations(world.process(), clock.now(), LOG)
        }
      }
      throw new Error('the operation does not end')
    },
  }
  return world
}

/** As the event edge does: an exception means the message comes again, at once and once more. */
async function deliver(world: World, { event, topic }: Message, deps: LifecycleDeps): Promise<void> {
  const operationId = String(asRecord(event.data)?.['operationId'])
  const tenantId = event.tenantid as TenantId
  const ctx = contextOf(tenantId)
  if (topic === 'tenant-work') {
    const request = { ctx, operationId, trace: TRACE, signal: NO_DEADLINE, log: LOG }
    try {
      await continueOperation(deps, request)
    } catch {
      await continueOperation(world.process(), request)
    }
  }
  if (topic === 'billing-commands' && event.type.includes('subscription-requested') && world.billing) {
    await answer(world, tenantId, operationId, world.billing)
  }
}

/** Billing's answer, delivered twice. */
export async function answer(
  world: World,
  tenantId: TenantId,
  operationId: string,
  kind: 'ready' | 'refused',
): Promise<void> {
  const fact = { source: '//energent.ai/billing', id: `${operationId}.${kind}` }
  for (let copy = 0; copy < 2; copy += 1) {
    await recordAnswer(world.process(), {
      ctx: contextOf(tenantId),
      claim: eventClaim(fact, digestOf(fact)),
      operationId,
      answer:
        kind === 'ready'
          ? {
              kind: 'subscription',
              value: { kind, subscriptionId: 'sub_acme', planId: 'example-standard' },
            }
          : { kind: 'refusal', reason: 'plan.tier_mismatch' },
      nowMs: world.clock.now(),
      trace: TRACE,
    })
  }
}

export function contextOf(tenantId: TenantId): TenantContext {
  return new TenantContext(prove.event({ tenantId, eventId: 'e1', type: 'test' }))
}

export function aRequest(fields: Partial<TenantRequestBody> = {}): TenantRequestBody {
  return {
    tenantId: ACME,
    displayName: 'Acme',
    tier: 'standard',
    deploymentModel: 'multi_tenant',
    region: 'us-central1',
    trialEndsAt: null,
    ...fields,
  }
}

/** A tenant just requested; returns the id of its operation. */
export async function request(world: World, fields: Partial<TenantRequestBody> = {}): Promise<string> {
  const body = aRequest(fields)
  const created = await createTenant(world.process(), {
    ctx: contextOf(body.tenantId),
    body,
    claim: undefined,
    nowMs: world.clock.now(),
    trace: TRACE,
  })
  if (!created.ok) throw new Error(created.code)
  return created.value.operationId
}

/** The kinds of the facts said about tenants, in order. */
export function factsOf(store: MemoryStore): string[] {
  return store.outbox
    .filter(({ topic }) => topic === 'tenant-facts')
    .map(({ event }) => event.type.replace(/^ai\.energent\.tenant\.(.*)\.v1$/, '$1'))
}

function onlyTenant(store: MemoryStore): Tenant {
  const [tenant] = store.tenants.values()
  if (tenant === undefined) throw new Error('there is no tenant')
  return tenant
}

class ProcessDied extends Error {}

/** Counts the calls of all guarded ports of one process; after the crash every call fails. */
function crashing(crash: Crash | undefined) {
  let calls = 0
  let dead = false
  return <T extends object>(port: T, names: readonly (keyof T)[]): T => {
    const wrapped = names.map((name) => {
      const call = port[name] as (...args: unknown[]) => Promise<unknown>
      return [
        name,
        async (...args: unknown[]) => {
          if (dead) throw new ProcessDied()
          calls += 1
          const now = crash !== undefined && calls === crash.at
          if (now) {
            crash.reached = true
            dead = true
            if (crash.mode === 'after') await call(...args)
            throw new ProcessDied()
          }
          return call(...args)
        },
      ]
    })
    return { ...port, ...Object.fromEntries(wrapped) }
  }
}

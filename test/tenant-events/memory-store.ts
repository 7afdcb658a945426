import type { Claim } from '#shared/firestore/claim.ts'
import type { AuditEntry } from '#shared/firestore/tenant-store.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { Burial, StoredCertificate } from '../../functions/tenant-events/domain/burial.ts'
import { factsForAudit, type OutgoingEvent } from '../../functions/tenant-events/domain/facts.ts'
import type { Operation } from '../../functions/tenant-events/domain/operation.ts'
import type { Tenant } from '../../functions/tenant-events/domain/tenant.ts'
import { timerId } from '../../functions/tenant-events/domain/timers.ts'
import type { Timer } from '../../functions/tenant-events/domain/work.ts'
import type {
  Change,
  LifecycleStore,
  TenantDirectory,
  TimerBook,
} from '../../functions/tenant-events/ports.ts'

/** What is stored. Documents are never changed in place: a copy of the collections is a copy of it all. */
export type MemoryDocuments = {
  readonly tenants: Map<string, Tenant>
  readonly operations: Map<string, Operation>
  readonly tombstones: Set<string>
  readonly certificates: Map<string, StoredCertificate>
  readonly timers: Map<string, Timer>
  /** Every event ever committed, in order. */
  readonly outbox: OutgoingEvent[]
  readonly audit: AuditEntry[]
  readonly claims: Map<string, { readonly digest: string; readonly answer: unknown }>
}

export type MemoryStore = LifecycleStore &
  TenantDirectory &
  MemoryDocuments & { readonly timerBook: TimerBook }

/** How one call of the store travels: its effect happens in one moment, or not at all. */
export type Link = <T>(what: string, effect: () => T) => Promise<T>

/** Nothing happens to a call on its way; others may have a turn before it arrives. */
const direct: Link = async (_what, effect) => {
  await Promise.resolve()
  return effect()
}

export function memoryDocuments(): MemoryDocuments {
  return {
    tenants: new Map(),
    operations: new Map(),
    tombstones: new Set(),
    certificates: new Map(),
    timers: new Map(),
    outbox: [],
    audit: [],
    claims: new Map(),
  }
}

/**
 * The lifecycle store in memory: conditional commits, claims, and an outbox that, as the real one,
 * takes no event id twice. Reading and committing are two calls, as they are of the real one.
 */
export function memoryStore(
  now: () => number,
  documents: MemoryDocuments = memoryDocuments(),
  link: Link = direct,
): MemoryStore {
  const { tenants, operations, tombstones, certificates, timers, outbox, audit, claims } = documents

  const seen = (claim: Claim | undefined) => {
    const found = claim === undefined ? undefined : claims.get(claim.id)
    if (found === undefined || claim === undefined) return undefined
    if (found.digest !== claim.digest) {
      return refuse(claim.kind === 'event' ? 'event.id_reused' : 'request.idempotency_mismatch', 'claim')
    }
    return ok({ duplicate: true as const, answer: found.answer })
  }
  const bury = ({ tombstone, certificate }: Burial) => {
    const { tenantId } = tombstone
    tenants.delete(tenantId)
    for (const [id, operation] of operations) if (operation.tenantId === tenantId) operations.delete(id)
    tombstones.add(tenantId)
    certificates.set(tenantId, certificate)
  }
  const apply = <T>(claim: Claim | undefined, change: Change<T>) => {
    for (const { event } of change.events ?? []) {
      if (outbox.some((earlier) => earlier.event.id === event.id)) {
        throw new Error(`event ${event.id} was committed before`)
      }
    }
    if (claim !== undefined) {
      const answer = claim.kind === 'request' ? JSON.parse(JSON.stringify(change.value)) : undefined
      claims.set(claim.id, { digest: claim.digest, answer })
    }
    if (change.tenant !== undefined) tenants.set(change.tenant.tenantId, change.tenant)
    for (const operation of change.operations ?? []) operations.set(operation.operationId, operation)
    for (const timer of change.timers ?? []) timers.set(timerId(timer), timer)
    outbox.push(...(change.events ?? []))
    audit.push(...(change.audit ?? []), ...factsForAudit(change.events ?? []))
    if (change.burial !== undefined) bury(change.burial)
    return ok({ duplicate: false as const, value: change.value })
  }

  /** Undefined when somebody else was faster: read and decide again. */
  const commit = <T>(claim: Claim | undefined, decided: Result<Change<T>>, stale: boolean) => {
    if (!decided.ok) return seen(claim) ?? decided
    const nothing = decided.value.tenant === undefined && decided.value.operations === undefined
    if (stale && !(nothing && claim === undefined)) return undefined
    return seen(claim) ?? apply(claim, decided.value)
  }

  return {
    ...documents,
    findTenant: (ctx) => link('read tenant', () => tenants.get(ctx.tenantId)),
    findOperation: (ctx, operationId) =>
      link('read operation', () => {
        const operation = operations.get(operationId)
        return operation?.tenantId === ctx.tenantId ? operation : undefined
      }),
    create: async (ctx, claim, decide) => {
      for (;;) {
        const look = () => ({ exists: tenants.has(ctx.tenantId), tombstone: tombstones.has(ctx.tenantId) })
        const taken = await link('read taken', look)
        const decided = decide(taken)
        const committed = await link('commit', () => {
          if (!decided.ok) return seen(claim) ?? decided
          const then = look()
          if (then.exists !== taken.exists || then.tombstone !== taken.tombstone) return seen(claim)
          const { operation, ...created } = decided.value
          return seen(claim) ?? apply(claim, { ...created, operations: [operation] })
        })
        if (committed !== undefined) return committed
      }
    },
    changeTenant: async (ctx, claim, decide) => {
      for (;;) {
        const tenant = await link('read tenant', () => tenants.get(ctx.tenantId))
        if (tenant === undefined) return refuse('resource.not_found', 'no tenant')
        const decided = decide(tenant)
        const committed = await link('commit', () => {
          if (!decided.ok) return seen(claim) ?? decided
          const stale = decided.value.tenant !== undefined && tenants.get(ctx.tenantId) !== tenant
          return stale ? undefined : (seen(claim) ?? apply(claim, decided.value))
        })
        if (committed !== undefined) return committed
      }
    },
    change: async (ctx, claim, operationId, decide) => {
      for (;;) {
        const [tenant, operation, readTimeMs] = await link('read', () => [
          tenants.get(ctx.tenantId),
          operations.get(operationId),
          now(),
        ])
        if (tenant === undefined || operation?.tenantId !== ctx.tenantId) {
          return refuse('resource.not_found', operationId)
        }
        const waiting = tenant.queue.flatMap((entry) => operations.get(entry.operationId) ?? [])
        const decided = decide({ tenant, operation, waiting, readTimeMs })
        const stale = () =>
          tenants.get(ctx.tenantId) !== tenant ||
          [operation, ...waiting].some((read) => operations.get(read.operationId) !== read)
        const committed = await link('commit', () => commit(claim, decided, stale()))
        if (committed !== undefined) return committed
      }
    },
    changeStanding: async (ctx, claim, named, decide) => {
      for (;;) {
        const [tenant, known, readTimeMs] = await link('read', () => {
          const found = tenants.get(ctx.tenantId)
          const ids = new Set([
            ...(found === undefined || found.op === null ? [] : [found.op.operationId]),
            ...(found?.queue ?? []).map(({ operationId }) => operationId),
            ...(named === undefined ? [] : [named]),
          ])
          const read = [...ids].flatMap((id) => operations.get(id) ?? [])
          return [found, read.filter(({ tenantId }) => tenantId === ctx.tenantId), now()] as const
        })
        if (tenant === undefined) return refuse('resource.not_found', 'no tenant')
        const decided = decide({ tenant, operations: known, readTimeMs })
        const stale = () =>
          tenants.get(ctx.tenantId) !== tenant ||
          known.some((read) => operations.get(read.operationId) !== read)
        const committed = await link('commit', () => commit(claim, decided, stale()))
        if (committed !== undefined) return committed
      }
    },
    find: (tenantId) => link('read tenant', () => tenants.get(tenantId)),
    timerBook: {
      due: (nowMs, limit) =>
        link('read timers', () =>
          [...timers.values()]
            .filter(({ dueAtMs }) => dueAtMs <= nowMs)
            .sort((left, right) => left.dueAtMs - right.dueAtMs)
            .slice(0, limit),
        ),
      drop: (timer) => link('drop timer', () => void timers.delete(timerId(timer))),
    },
    list: async (filter, pageSize, after) => {
      const all = [...tenants.values()]
        .filter((tenant) => filter.state === undefined || tenant.state === filter.state)
        .filter((tenant) => filter.tier === undefined || tenant.desired.tier === filter.tier)
        .filter((tenant) => after === undefined || tenant.tenantId > after)
        .sort((left, right) => (left.tenantId < right.tenantId ? -1 : 1))
      const page = all.slice(0, pageSize)
      return { tenants: page, next: all.length > pageSize ? page.at(-1)?.tenantId : undefined }
    },
    due: (nowMs, limit) =>
      link('read due', () =>
        [...tenants.values()]
          .filter((tenant) => tenant.op !== null && tenant.op.dueAtMs <= nowMs)
          .sort((left, right) => (left.op?.dueAtMs ?? 0) - (right.op?.dueAtMs ?? 0))
          .slice(0, limit),
      ),
  }
}

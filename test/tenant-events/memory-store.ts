import type { Claim } from '#shared/firestore/claim.ts'
import type { AuditEntry } from '#shared/firestore/tenant-store.ts'
import { ok, refuse } from '#shared/result.ts'
import type { OutgoingEvent } from '../../functions/tenant-events/domain/facts.ts'
import type { Operation } from '../../functions/tenant-events/domain/operation.ts'
import type { Tenant } from '../../functions/tenant-events/domain/tenant.ts'
import type { Change, LifecycleStore, TenantDirectory } from '../../functions/tenant-events/ports.ts'

/** What is stored. Documents are never changed in place: a copy of the collections is a copy of it all. */
export type MemoryDocuments = {
  readonly tenants: Map<string, Tenant>
  readonly operations: Map<string, Operation>
  readonly tombstones: Set<string>
  /** Every event ever committed, in order. */
  readonly outbox: OutgoingEvent[]
  readonly audit: AuditEntry[]
  readonly claims: Map<string, { readonly digest: string; readonly answer: unknown }>
}

export type MemoryStore = LifecycleStore & TenantDirectory & MemoryDocuments

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
  const { tenants, operations, tombstones, outbox, audit, claims } = documents

  const seen = (claim: Claim | undefined) => {
    const found = claim === undefined ? undefined : claims.get(claim.id)
    if (found === undefined || claim === undefined) return undefined
    if (found.digest !== claim.digest) {
      return refuse(claim.kind === 'event' ? 'event.id_reused' : 'request.idempotency_mismatch', 'claim')
    }
    return ok({ duplicate: true as const, answer: found.answer })
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
    if (change.operation !== undefined) operations.set(change.operation.operationId, change.operation)
    outbox.push(...(change.events ?? []))
    audit.push(...(change.audit ?? []))
    return ok({ duplicate: false as const, value: change.value })
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
          return seen(claim) ?? apply(claim, decided.value)
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
        const decided = decide({ tenant, operation, readTimeMs })
        const committed = await link('commit', () => {
          if (!decided.ok) return seen(claim) ?? decided
          const { tenant: changedTenant, operation: changedOperation } = decided.value
          const nothing = changedTenant === undefined && changedOperation === undefined
          const stale = tenants.get(ctx.tenantId) !== tenant || operations.get(operationId) !== operation
          if (stale && !(nothing && claim === undefined)) return undefined
          return seen(claim) ?? apply(claim, decided.value)
        })
        if (committed !== undefined) return committed
      }
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

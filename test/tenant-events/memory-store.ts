import type { Claim } from '#shared/firestore/claim.ts'
import type { AuditEntry } from '#shared/firestore/tenant-store.ts'
import { ok, refuse } from '#shared/result.ts'
import type { OutgoingEvent } from '../../functions/tenant-events/domain/facts.ts'
import type { Operation } from '../../functions/tenant-events/domain/operation.ts'
import type { Tenant } from '../../functions/tenant-events/domain/tenant.ts'
import type { Change, LifecycleStore, TenantDirectory } from '../../functions/tenant-events/ports.ts'

export type MemoryStore = LifecycleStore &
  TenantDirectory & {
    readonly tenants: Map<string, Tenant>
    readonly operations: Map<string, Operation>
    readonly tombstones: Set<string>
    /** Every event ever committed, in order. */
    readonly outbox: OutgoingEvent[]
    readonly audit: AuditEntry[]
  }

/**
 * The lifecycle store in memory: conditional commits, claims, and an outbox that, as the real one,
 * takes no event id twice.
 */
export function memoryStore(now: () => number): MemoryStore {
  const tenants = new Map<string, Tenant>()
  const operations = new Map<string, Operation>()
  const tombstones = new Set<string>()
  const outbox: OutgoingEvent[] = []
  const audit: AuditEntry[] = []
  const claims = new Map<string, { digest: string; answer: unknown }>()

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
    tenants,
    operations,
    tombstones,
    outbox,
    audit,
    findTenant: async (ctx) => tenants.get(ctx.tenantId),
    findOperation: async (ctx, operationId) => {
      const operation = operations.get(operationId)
      return operation?.tenantId === ctx.tenantId ? operation : undefined
    },
    create: async (ctx, claim, decide) => {
      const taken = { exists: tenants.has(ctx.tenantId), tombstone: tombstones.has(ctx.tenantId) }
      const decided = decide(taken)
      if (!decided.ok) return seen(claim) ?? decided
      return seen(claim) ?? apply(claim, decided.value)
    },
    changeTenant: async (ctx, claim, decide) => {
      for (;;) {
        const tenant = tenants.get(ctx.tenantId)
        if (tenant === undefined) return refuse('resource.not_found', 'no tenant')
        const decided = decide(tenant)
        // Somebody else's turn between the read and the commit.
        await Promise.resolve()
        if (!decided.ok) return seen(claim) ?? decided
        const stale = decided.value.tenant !== undefined && tenants.get(ctx.tenantId) !== tenant
        if (!stale) return seen(claim) ?? apply(claim, decided.value)
      }
    },
    change: async (ctx, claim, operationId, decide) => {
      for (;;) {
        const tenant = tenants.get(ctx.tenantId)
        const operation = operations.get(operationId)
        if (tenant === undefined || operation?.tenantId !== ctx.tenantId) {
          return refuse('resource.not_found', operationId)
        }
        const decided = decide({ tenant, operation, readTimeMs: now() })
        // Somebody else's turn between the read and the commit.
        await Promise.resolve()
        if (!decided.ok) return seen(claim) ?? decided
        const stale =
          (decided.value.tenant !== undefined && tenants.get(ctx.tenantId) !== tenant) ||
          (decided.value.operation !== undefined && operations.get(operationId) !== operation)
        if (!stale) return seen(claim) ?? apply(claim, decided.value)
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
    due: async (nowMs, limit) =>
      [...tenants.values()]
        .filter((tenant) => tenant.op !== null && tenant.op.dueAtMs <= nowMs)
        .sort((left, right) => (left.op?.dueAtMs ?? 0) - (right.op?.dueAtMs ?? 0))
        .slice(0, limit),
  }
}

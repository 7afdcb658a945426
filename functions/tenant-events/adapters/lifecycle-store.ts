import type { SystemFirestore } from '#shared/firestore/system.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { ok, refuse } from '#shared/result.ts'
import type { LifecycleStore } from '../ports.ts'
import { parseOperation, parseTenant } from './documents.ts'

const OPERATIONS = 'lifecycle_operations'

/** Tenants and operations in Firestore; every change is one commit, guarded by all that it was decided on. */
export function firestoreLifecycleStore(tenants: TenantFirestore, system: SystemFirestore): LifecycleStore {
  return {
    findTenant: (ctx) => tenants.withTenant(ctx, async (db) => (await db.find([], parseTenant))?.value),
    findOperation: (ctx, operationId) =>
      tenants.withTenant(
        ctx,
        async (db) => (await db.find([OPERATIONS, operationId], parseOperation))?.value,
      ),

    create: (ctx, claim, decide) =>
      tenants.optimistic(ctx, claim, async (db) => {
        // The tenant first: a purge removes it and leaves the tombstone in one commit, so that whoever
        // no longer sees the one must see the other. Whatever is stored there, the id is taken. That there
        // is none must still be so at the commit: a whole life may pass between the two.
        const existing = await db.find([], ok)
        const tombstone = await system.find('tombstones', db.tenantId, ok)
        const decided = decide({ exists: existing !== undefined, tombstone: tombstone !== undefined })
        if (!decided.ok) return decided
        const { value, tenant, operation, events, audit } = decided.value
        const writes = [
          db.verifySystem('tombstones', db.tenantId, tombstone),
          db.create([], tenant),
          db.create([OPERATIONS, operation.operationId], operation),
        ]
        return ok({ value, writes, events, audit })
      }),

    changeTenant: (ctx, claim, decide) =>
      tenants.optimistic(ctx, claim, async (db) => {
        const tenant = await db.find([], parseTenant)
        if (tenant === undefined) return refuse('resource.not_found', 'no tenant')
        const decided = decide(tenant.value)
        if (!decided.ok) return decided
        const { value, tenant: changed, events = [], audit = [] } = decided.value
        if (changed === undefined && claim === undefined) return ok({ value, writes: [], events, audit })
        const write = changed === undefined ? db.verify([], tenant) : db.update([], tenant, changed)
        return ok({ value, writes: [write], events, audit })
      }),

    change: (ctx, claim, operationId, decide) =>
      tenants.optimistic(ctx, claim, async (db) => {
        const [tenant, operation] = await Promise.all([
          db.find([], parseTenant),
          db.find([OPERATIONS, operationId], parseOperation),
        ])
        if (tenant === undefined || operation === undefined) {
          return refuse('resource.not_found', `no operation ${operationId}`)
        }
        // The earlier of the two reads: a lease is never believed over before it is.
        const readTimeMs = Math.min(tenant.readTimeMs, operation.readTimeMs)
        const decided = decide({ tenant: tenant.value, operation: operation.value, readTimeMs })
        if (!decided.ok) return decided
        const { value, events = [], audit = [], ...change } = decided.value
        // Only an answer: whoever asks again gets the next one. With a claim nobody asks again.
        const nothing = change.tenant === undefined && change.operation === undefined
        if (nothing && claim === undefined) return ok({ value, writes: [], events, audit })
        const path = [OPERATIONS, operationId]
        const writes = [
          change.tenant === undefined ? db.verify([], tenant) : db.update([], tenant, change.tenant),
          change.operation === undefined
            ? db.verify(path, operation)
            : db.update(path, operation, change.operation),
        ]
        return ok({ value, writes, events, audit })
      }),
  }
}

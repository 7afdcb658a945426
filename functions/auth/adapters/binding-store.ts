import { findCredential } from '#shared/firestore/credentials.ts'
import type { Database } from '#shared/firestore/database.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { ok } from '#shared/result.ts'
import { parseTenantAuthState } from '../domain/tenant-state.ts'
import { type Binding, MOST_BINDINGS, parseBinding } from '../domain/workload-binding.ts'
import type { BindingStore, FindBinding } from '../ports/exchange.ts'
import { listGuard } from './list-guard.ts'

const BINDINGS = 'auth_bindings'
const STATE = ['auth_state', 'current']

export function firestoreFindBinding(database: Database): FindBinding {
  return async (tenantId, bindingId) => {
    const { state, credential } = await findCredential(database, tenantId, BINDINGS, bindingId, parseBinding)
    return { state, binding: credential === undefined ? undefined : { id: bindingId, ...credential } }
  }
}

export function firestoreBindingStore(tenants: TenantFirestore): BindingStore {
  return {
    list: (ctx) =>
      tenants.withTenant(ctx, async (db) => {
        // The default binding comes on top of what a tenant may make.
        const [state, all] = await Promise.all([
          db.find(STATE, parseTenantAuthState),
          db.list([BINDINGS], { limit: MOST_BINDINGS + 1 }, parseBinding),
        ])
        return state === undefined ? undefined : all.map(({ id, value }): Binding => ({ id, ...value }))
      }),
    add: (ctx, claim, { id, ...fields }, decide) =>
      tenants.optimistic(ctx, claim, async (db) => {
        const guard = await listGuard(db, 'bindings')
        const [state, existing, all] = await Promise.all([
          db.find(STATE, parseTenantAuthState),
          db.find([BINDINGS, id], parseBinding),
          db.list([BINDINGS], { limit: MOST_BINDINGS + 1 }, parseBinding),
        ])
        const decided = decide({
          state: state?.value,
          existing: existing === undefined ? undefined : { id, ...existing.value },
          count: all.length,
        })
        if (!decided.ok) return decided
        const { binding: value, audit } = decided.value
        // A binding made beside the tenant's end would outlive it.
        const writes = [db.verify(STATE, state), db.create([BINDINGS, id], fields), guard()]
        return ok({ value, audit, writes })
      }),
    remove: (ctx, id, decide) =>
      tenants.optimistic(ctx, undefined, async (db) => {
        const path = [BINDINGS, id]
        const existing = await db.find(path, parseBinding)
        const decided = decide(existing === undefined ? undefined : { id, ...existing.value })
        if (!decided.ok) return decided
        const { audit, revocations = [] } = decided.value
        const writes = existing === undefined ? [] : [db.delete(path, existing)]
        return ok({ value: undefined, writes, audit, revocations })
      }),
  }
}

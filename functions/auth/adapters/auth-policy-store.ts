import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { ok } from '#shared/result.ts'
import { parseTenantAuthState } from '../domain/tenant-state.ts'
import type { AuthPolicyStore } from '../ports/auth-policy.ts'
import { commitWithAssertion } from './replay-store.ts'

const STATE = ['auth_state', 'current']

export function firestoreAuthPolicies(tenants: TenantFirestore): AuthPolicyStore {
  return {
    stateOf: (ctx) =>
      tenants.withTenant(ctx, async (db) => (await db.find(STATE, parseTenantAuthState))?.value),
    change: (ctx, decide) =>
      commitWithAssertion(tenants, ctx, undefined, async (db) => {
        const state = await db.find(STATE, parseTenantAuthState)
        const decided = decide(state?.value)
        if (!decided.ok) return decided
        const { audit, policy, version } = decided.value
        const writes =
          state === undefined ? [] : [db.update(STATE, state, { policy: { ...policy }, version })]
        return ok({ value: policy, writes, audit, stateChanged: true })
      }),
  }
}

import type { AuthPolicy } from '#shared/catalogue/auth-policy.ts'
import type { AuditEntry } from '#shared/firestore/tenant-store.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { TenantAuthState } from '../domain/tenant-state.ts'

/** A policy as it becomes true, and the version that tokens must say from then on. */
export type PolicyChange = {
  readonly policy: AuthPolicy
  readonly version: number
  readonly audit: readonly AuditEntry[]
}

/** The policy in a tenant's auth state. Throws when the store is down. */
export type AuthPolicyStore = {
  stateOf(ctx: TenantContext): Promise<TenantAuthState | undefined>
  /** Decides and commits under the guard of the state; every verifier reads it again within two seconds. */
  change(
    ctx: TenantContext,
    decide: (state: TenantAuthState | undefined) => Result<PolicyChange>,
  ): Promise<Result<AuthPolicy>>
}

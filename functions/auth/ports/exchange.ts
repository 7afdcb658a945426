import type { Revocation } from '#shared/contracts/revocation.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import type { AuditEntry, Committed } from '#shared/firestore/tenant-store.ts'
import type { TenantId } from '#shared/ids.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Binding } from '../domain/workload-binding.ts'
import type { KnownState } from '../ports.ts'

/** An issuer that the operators trust, and where its keys are. */
export type TrustedIssuer = { readonly issuer: string; readonly jwksUri: string }

export type TrustedIssuers = {
  /** The clusters whose service accounts can be bound, by the name that tenants' placement has. */
  readonly clusters: readonly (TrustedIssuer & { readonly cluster: string })[]
  /** How the issuers of clusters begin that are one tenant's each; undefined where there are none. */
  readonly dedicated: string | undefined
  readonly google: TrustedIssuer
}

/** Finds bindings by what is bound; read before anybody is known, so it takes a bare tenant id and only reads. */
export type FindBinding = (
  tenantId: TenantId,
  bindingId: string,
) => Promise<{ readonly state: KnownState | undefined; readonly binding: Binding | undefined }>

/** What a new binding is decided by. */
export type BindingSurroundings = {
  readonly state: KnownState | undefined
  readonly existing: Binding | undefined
  readonly count: number
}

export type BindingStore = {
  /** All of them: a tenant has a hundred at most. Undefined when there is no such tenant. */
  list(ctx: TenantContext): Promise<readonly Binding[] | undefined>
  /** Adds a binding, unless what it binds is bound or there are too many. */
  add(
    ctx: TenantContext,
    claim: Claim | undefined,
    binding: Binding,
    decide: (found: BindingSurroundings) => Result<BindingCommit>,
  ): Promise<Result<Committed<Binding>>>
  /** Removes a binding and revokes what was issued for it, in one commit. */
  remove(
    ctx: TenantContext,
    bindingId: string,
    decide: (found: Binding | undefined) => Result<BindingCommit>,
  ): Promise<Result<unknown>>
}

export type BindingCommit = {
  readonly binding: Binding
  readonly audit: readonly AuditEntry[]
  readonly revocations?: readonly Revocation[]
}

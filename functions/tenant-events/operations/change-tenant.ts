import type { TenantState } from '#shared/contracts/events/tenant-fact.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { rename } from '../domain/tenant.ts'
import { type TenantView, tenantView } from '../domain/views.ts'
import type { LifecycleDeps } from '../ports.ts'

export type ChangeTenant = {
  readonly ctx: TenantContext
  readonly displayName: string
  /** From `Idempotency-Key`, if the caller sent one. */
  readonly claim: Claim | undefined
  /** Whether the caller has seen the tenant as it is (`If-Match`). */
  readonly hasSeen: (revision: number) => Result<void>
}

/** States in which a tenant's own people may export and come back, and nothing else (contracts: access by state). */
const LEAVING: readonly TenantState[] = ['OFFBOARDING', 'GRACE', 'PURGING']

/**
 * Gives a tenant another name, with its audit in the same commit. The name it has already changes
 * nothing, so that a caller who asks again without a key does no harm.
 */
export async function changeTenant(
  deps: Pick<LifecycleDeps, 'store'>,
  request: ChangeTenant,
): Promise<Result<TenantView>> {
  const { claim, ctx, displayName, hasSeen } = request
  const committed = await deps.store.changeTenant<TenantView>(ctx, claim, (tenant) => {
    const seen = hasSeen(tenant.revision)
    if (!seen.ok) return seen
    if (LEAVING.includes(tenant.state)) {
      return refuse('tenant.state_conflict', `rename in ${tenant.state}`, 'The tenant is leaving.')
    }
    const renamed = rename(tenant, displayName)
    const value = tenantView(renamed)
    if (renamed === tenant) return ok({ value })
    return ok({ value, tenant: renamed, audit: [{ action: 'tenant.renamed', target: 'tenant' }] })
  })
  if (!committed.ok) return committed
  // The answer was stored by this very function, as text.
  return ok(committed.value.duplicate ? (committed.value.answer as TenantView) : committed.value.value)
}

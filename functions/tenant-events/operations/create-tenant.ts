import type { Claim } from '#shared/firestore/claim.ts'
import { ulid } from '#shared/ids.ts'
import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import { acceptTenant } from '../domain/accept-tenant.ts'
import type { TenantRequestBody } from '../domain/tenant.ts'
import { type TenantView, tenantView } from '../domain/views.ts'
import type { LifecycleDeps } from '../ports.ts'

export type CreateTenant = {
  /** Of the tenant that is to be. */
  readonly ctx: TenantContext
  readonly body: TenantRequestBody
  /** From `Idempotency-Key`, if the caller sent one. */
  readonly claim: Claim | undefined
  readonly nowMs: number
  readonly trace: Trace
}

export type CreatedTenant = { readonly operationId: string; readonly tenant: TenantView }

/**
 * Accepts a tenant: its document, its operation, the audit, the fact and the first continuation are
 * one commit. The same request again gets the same answer; of two for one id, one wins.
 */
export async function createTenant(
  deps: Pick<LifecycleDeps, 'store' | 'ids'>,
  request: CreateTenant,
): Promise<Result<CreatedTenant>> {
  const { ctx, body, claim, nowMs, trace } = request
  const operationId = `op_${ulid(deps.ids, nowMs)}`
  const committed = await deps.store.create<CreatedTenant>(ctx, claim, (taken) => {
    const accepted = acceptTenant(body, taken, { operationId, nowMs, trace })
    if (!accepted.ok) return accepted
    const { tenant, operation, events } = accepted.value
    const audit = [{ action: 'tenant.requested', target: `operations/${operationId}` }]
    return ok({ value: { operationId, tenant: tenantView(tenant) }, tenant, operation, events, audit })
  })
  if (!committed.ok) return committed
  // The answer was stored by this very function, as text.
  return ok(committed.value.duplicate ? (committed.value.answer as CreatedTenant) : committed.value.value)
}

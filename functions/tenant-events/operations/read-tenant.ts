import { isDocumentId } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Audience } from '../domain/audience.ts'
import {
  type OperationView,
  type OperatorTenantView,
  operationView,
  operatorTenantView,
  type TenantView,
  tenantView,
} from '../domain/views.ts'
import type { LifecycleDeps } from '../ports.ts'

/** The tenant with its running operation. */
export async function readTenant(
  deps: Pick<LifecycleDeps, 'store'>,
  ctx: TenantContext,
  audience: Audience,
): Promise<Result<TenantView | OperatorTenantView>> {
  const tenant = await deps.store.findTenant(ctx)
  if (tenant === undefined) return refuse('resource.not_found', 'no tenant')
  return ok(audience === 'operator' ? operatorTenantView(tenant) : tenantView(tenant))
}

/** One operation of the tenant, running or over. */
export async function readOperation(
  deps: Pick<LifecycleDeps, 'store'>,
  ctx: TenantContext,
  operationId: string | undefined,
  audience: Audience,
): Promise<Result<OperationView>> {
  if (!isDocumentId(operationId)) return refuse('resource.not_found', 'not an operation id')
  const operation = await deps.store.findOperation(ctx, operationId)
  if (operation === undefined) return refuse('resource.not_found', 'no operation')
  return ok(operationView(operation, audience))
}

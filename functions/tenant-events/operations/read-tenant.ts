import { isDocumentId } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { type OperationView, operationView, type TenantView, tenantView } from '../domain/views.ts'
import type { LifecycleDeps } from '../ports.ts'

/** The tenant with its running operation. */
export async function readTenant(
  deps: Pick<LifecycleDeps, 'store'>,
  ctx: TenantContext,
): Promise<Result<TenantView>> {
  const tenant = await deps.store.findTenant(ctx)
  return tenant === undefined ? refuse('resource.not_found', 'no tenant') : ok(tenantView(tenant))
}

/** One operation of the tenant, running or over. */
export async function readOperation(
  deps: Pick<LifecycleDeps, 'store'>,
  ctx: TenantContext,
  operationId: string | undefined,
): Promise<Result<OperationView>> {
  if (!isDocumentId(operationId)) return refuse('resource.not_found', 'not an operation id')
  const operation = await deps.store.findOperation(ctx, operationId)
  return operation === undefined ? refuse('resource.not_found', 'no operation') : ok(operationView(operation))
}

import type { Tenant } from '../../functions/tenant-events/domain/tenant.ts'
import { operatorTenantView } from '../../functions/tenant-events/domain/views.ts'

/** What a read shows of a tenant, its number and the running step apart: one revision has one of it. */
export function shownOf(tenant: Tenant): string {
  const { operation, revision: _revision, ...rest } = operatorTenantView(tenant)
  return JSON.stringify({ ...rest, operation: operation?.operationId ?? null })
}

import type { TenantContext } from '#shared/tenancy/context.ts'
import type { LifecycleDeps } from '../ports.ts'

/**
 * Whether the tenant was purged, or is being purged and what was asked for is erased already. What still
 * comes for such a tenant is late and harmless; set aside, it would leave a trace of a tenant who was
 * promised that none is left.
 */
export async function isPurged(
  deps: Pick<LifecycleDeps, 'store' | 'world'>,
  ctx: TenantContext,
): Promise<boolean> {
  const tenant = await deps.store.findTenant(ctx)
  if (tenant !== undefined) return tenant.state === 'PURGING'
  return (await deps.world.certificates.find(ctx.tenantId)) !== undefined
}

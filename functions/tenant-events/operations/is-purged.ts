import type { TenantContext } from '#shared/tenancy/context.ts'
import type { LifecycleDeps } from '../ports.ts'

/**
 * Whether the tenant was purged. What still comes for such a tenant is late and harmless; set aside, it
 * would leave a trace of a tenant who was promised that none is left.
 */
export async function isPurged(
  deps: Pick<LifecycleDeps, 'store' | 'world'>,
  ctx: TenantContext,
): Promise<boolean> {
  if ((await deps.store.findTenant(ctx)) !== undefined) return false
  return (await deps.world.certificates.find(ctx.tenantId)) !== undefined
}

import type { TenantContext } from '#shared/tenancy/context.ts'

export type AuditTenants = {
  /** Whether auth knows the tenant: of one that never was there is no audit, not an empty one. */
  isKnown(ctx: TenantContext): Promise<boolean>
}

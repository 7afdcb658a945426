import type { TenantState } from '../contracts/events/tenant-fact.ts'

/**
 * What tokens a tenant's state allows (contracts §7).
 *
 * `restricted`: only holders of an owner or admin role, and only the scopes named.
 */
export type TenantAccess =
  | { readonly kind: 'none' }
  | { readonly kind: 'all' }
  | { readonly kind: 'restricted'; readonly roles: readonly string[]; readonly scopes: readonly string[] }

const NONE: TenantAccess = { kind: 'none' }
const ALL: TenantAccess = { kind: 'all' }
const SUSPENDED_SCOPES = ['tenant:read', 'invoices:read', 'billing:manage', 'audit:read']
const SUSPENDED: TenantAccess = { kind: 'restricted', roles: ['owner', 'admin'], scopes: SUSPENDED_SCOPES }
const LEAVING: TenantAccess = {
  kind: 'restricted',
  roles: ['owner', 'admin'],
  scopes: [...SUSPENDED_SCOPES, 'tenant:manage'],
}

export const ACCESS_BY_STATE: Readonly<Record<TenantState, TenantAccess>> = {
  REQUESTED: NONE,
  PROVISIONING: NONE,
  PROVISION_FAILED: NONE,
  REJECTED: NONE,
  ACTIVE: ALL,
  TIER_CHANGING: ALL,
  SUSPENDING: SUSPENDED,
  SUSPENDED,
  RESUMING: SUSPENDED,
  OFFBOARDING: LEAVING,
  GRACE: LEAVING,
  PURGING: NONE,
  PURGED: NONE,
}

/** The scopes that remain of `scopes` for someone with `roles` in a tenant in this state. */
export function scopesAllowed(
  state: TenantState,
  roles: readonly string[],
  scopes: readonly string[],
): readonly string[] {
  const access = ACCESS_BY_STATE[state]
  if (access.kind === 'none') return []
  if (access.kind === 'all') return scopes
  if (!roles.some((role) => access.roles.includes(role))) return []
  return scopes.filter((scope) => access.scopes.includes(scope))
}

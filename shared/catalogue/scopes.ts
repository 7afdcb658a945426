/** What a tenant's own tokens may be allowed (contracts §6). */
export const TENANT_SCOPES = [
  'tenant:read',
  'tenant:manage',
  'usage:write',
  'usage:read',
  'invoices:read',
  'billing:manage',
  'workflows:use',
  'clients:manage',
  'keys:manage',
  'users:manage',
  'sso:manage',
  'sessions:manage',
  'audit:read',
  'revocations:read',
  'introspect',
  'scim',
] as const

/** What an operator's tokens may be allowed. */
export const PLATFORM_SCOPES = [
  'platform:read',
  'platform:tenants',
  'platform:billing',
  'platform:purge',
  'platform:operate',
  'platform:security',
] as const

export type TenantScope = (typeof TENANT_SCOPES)[number]
export type PlatformScope = (typeof PLATFORM_SCOPES)[number]
export type Scope = TenantScope | PlatformScope

/**
 * The roles that every tenant has, and the scopes they carry (contracts §6). To end a tenant's contract
 * takes `owner` itself, whatever scopes a role has.
 */
export const TENANT_ROLES: Readonly<Record<TenantRole, readonly TenantScope[]>> = {
  owner: TENANT_SCOPES,
  admin: TENANT_SCOPES.filter((scope) => scope !== 'billing:manage'),
  billing: ['tenant:read', 'usage:read', 'invoices:read', 'billing:manage'],
  developer: ['tenant:read', 'usage:read', 'usage:write', 'workflows:use', 'keys:manage'],
  viewer: ['tenant:read', 'usage:read'],
}

export const TENANT_ROLE_NAMES = ['owner', 'admin', 'billing', 'developer', 'viewer'] as const
export type TenantRole = (typeof TENANT_ROLE_NAMES)[number]

/** Platform roles and the scopes they carry; their names never come from an identity provider. */
export const PLATFORM_ROLES: Readonly<Record<string, readonly PlatformScope[]>> = {
  platform_admin: PLATFORM_SCOPES,
  platform_support: ['platform:read', 'platform:operate'],
  platform_finance: ['platform:read', 'platform:billing'],
  platform_security: ['platform:security'],
}

/** Whether `scope` is a platform scope: only operators, who live in the tenant `platform`, hold one. */
export function isPlatformScope(scope: string): scope is PlatformScope {
  return (PLATFORM_SCOPES as readonly string[]).includes(scope)
}

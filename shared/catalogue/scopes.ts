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

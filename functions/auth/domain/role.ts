import {
  isPlatformScope,
  PLATFORM_ROLES,
  PLATFORM_SCOPES,
  type Scope,
  TENANT_ROLE_NAMES,
  TENANT_ROLES,
  TENANT_SCOPES,
  type TenantRole,
  type TenantScope,
} from '#shared/catalogue/scopes.ts'
import { PLATFORM_TENANT, type TenantId } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'

/** Scopes of a tenant's own roles, by role name. */
export type CustomRoles = ReadonlyMap<string, readonly TenantScope[]>

const ROLE_NAME = /^[a-z][a-z0-9_-]{1,39}$/
/** Names that only operators carry; whoever says to have one from elsewhere is not heard. */
const RESERVED = /^platform(?:_|$)/

export function isTenantRole(name: string): name is TenantRole {
  return (TENANT_ROLE_NAMES as readonly string[]).includes(name)
}

/** Whether a name can be a role of a tenant at all: its own or one that every tenant has. */
export function isRoleName(name: string): boolean {
  return ROLE_NAME.test(name) && !RESERVED.test(name)
}

/** Whether a tenant may give this name to a role of its own. */
export function isCustomRoleName(name: string): boolean {
  return isRoleName(name) && !isTenantRole(name)
}

/** A role of operators (contracts §6). It means something in the tenant `platform` and nowhere else. */
export function isPlatformRole(name: string): boolean {
  return Object.hasOwn(PLATFORM_ROLES, name)
}

/** What the roles of an operator allow besides; nothing outside the tenant `platform`, whatever stands there. */
export function operatorScopes(tenantId: TenantId, roles: readonly string[]): Scope[] {
  if (tenantId !== PLATFORM_TENANT) return []
  const held = roles.filter(isPlatformRole).flatMap((role) => PLATFORM_ROLES[role] ?? [])
  return PLATFORM_SCOPES.filter((scope) => held.includes(scope))
}

/** What the roles allow together; a role that is gone allows nothing. */
export function scopesOfRoles(roles: readonly string[], custom: CustomRoles): Scope[] {
  const held = new Set(
    roles.flatMap((role): readonly Scope[] =>
      isTenantRole(role) ? TENANT_ROLES[role] : (custom.get(role) ?? []),
    ),
  )
  return TENANT_SCOPES.filter((scope) => held.has(scope))
}

/** Who wants to change roles: what their own token holds, and whose token it is. */
export type RoleGiver = {
  readonly tenantId: TenantId
  readonly scopes: ReadonlySet<string>
  readonly roles: readonly string[]
}

/**
 * Whether `giver` may turn somebody's roles `before` into `after`.
 *
 * Nobody gives more than they hold, nor takes it: an administrator makes no owner and unmakes none.
 * `owner` is more than its scopes, so only an owner gives or takes it, whatever else a token holds.
 * Operators open a tenant's first door without holding any of its scopes.
 */
export function checkRolesGivable(
  giver: RoleGiver,
  tenantId: TenantId,
  before: readonly string[],
  after: readonly string[],
  custom: CustomRoles,
): Result<void> {
  const unknown = after.find((role) => !before.includes(role) && !isTenantRole(role) && !custom.has(role))
  if (unknown !== undefined) return refuse('role.unknown', 'unknown role', 'A role is not known here.')
  if (giver.tenantId === PLATFORM_TENANT && tenantId !== PLATFORM_TENANT) return ok(undefined)
  if (giver.tenantId !== tenantId) return refuse('resource.not_found', 'foreign tenant')
  const changed = [
    ...after.filter((role) => !before.includes(role)),
    ...before.filter((role) => !after.includes(role)),
  ]
  if (changed.includes('owner') && !giver.roles.includes('owner')) {
    return refuse('role.not_givable', 'owner by another than an owner', 'Only an owner gives or takes owner.')
  }
  const beyond = scopesOfRoles(changed, custom).filter((scope) => !giver.scopes.has(scope))
  return beyond.length === 0
    ? ok(undefined)
    : refuse('role.not_givable', 'more than the caller holds', 'You can only give and take what you hold.')
}

/**
 * Whether `giver` may turn the operators' roles among somebody's `before` into those among `after`:
 * only in the tenant `platform`, only as a platform administrator there, and only what they hold.
 */
export function checkOperatorRoles(
  giver: RoleGiver,
  tenantId: TenantId,
  before: readonly string[],
  after: readonly string[],
): Result<void> {
  const changed = [
    ...after.filter((role) => !before.includes(role)),
    ...before.filter((role) => !after.includes(role)),
  ].filter(isPlatformRole)
  if (changed.length === 0) return ok(undefined)
  if (tenantId !== PLATFORM_TENANT)
    return refuse('role.unknown', 'platform role', 'A role is not known here.')
  const held = operatorScopes(tenantId, changed).every((scope) => giver.scopes.has(scope))
  if (isOperatorAdmin(giver) && held) return ok(undefined)
  const hint = 'Only a platform administrator gives or takes the roles of operators.'
  return refuse('role.not_givable', 'platform role', hint)
}

/** Whether this is an administrator of the operators, a person or a client of one. */
export function isOperatorAdmin({ tenantId, roles }: Pick<RoleGiver, 'tenantId' | 'roles'>): boolean {
  return tenantId === PLATFORM_TENANT && roles.includes('platform_admin')
}

/** A role of a tenant's own, as stored in `auth_roles/{name}`. */
export type Role = {
  readonly name: string
  readonly description: string
  readonly scopes: readonly TenantScope[]
  /** Rises by one with each change; the ETag. */
  readonly revision: number
  readonly createdAt: number
  readonly updatedAt: number
}

export const MOST_CUSTOM_ROLES = 50
/** Roles of one user, whatever gave them. */
export const MOST_ROLES = 20

/** Reads scope names of a role: known ones, of tenants, each once. */
export function parseRoleScopes(names: readonly string[]): Result<readonly TenantScope[]> {
  if (names.some(isPlatformScope)) {
    return refuse('scope.invalid', 'platform scope in a role', 'Only operators hold platform scopes.')
  }
  const scopes = TENANT_SCOPES.filter((scope) => names.includes(scope))
  return scopes.length === new Set(names).size
    ? ok(scopes)
    : refuse('scope.invalid', 'unknown scope', 'A scope is not known.')
}

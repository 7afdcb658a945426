import type { TenantScope } from '#shared/catalogue/scopes.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { isCustomRoleName, MOST_CUSTOM_ROLES, type Role } from '../domain/role.ts'
import type { RoleCommit, RoleStore, RoleSurroundings } from '../ports/people.ts'
import type { RevisionCheck } from './manage-users.ts'
import type { PeopleCommand } from './people.ts'

export type ManageRolesDeps = { readonly roles: RoleStore }

export type RoleContent = { readonly description: string; readonly scopes: readonly TenantScope[] }

/** Makes a role of the tenant's own. Nobody puts into it what their own token does not hold. */
export function createRole(
  deps: ManageRolesDeps,
  command: PeopleCommand & RoleContent & { readonly name: string },
): Promise<Result<Role>> {
  const { ctx, name, nowMs } = command
  if (!isCustomRoleName(name)) {
    return Promise.resolve(refuse('role.name_taken', 'reserved or malformed name', NAME_HINT))
  }
  const held = checkHeld(command, command.scopes)
  if (!held.ok) return Promise.resolve(held)
  return deps.roles.change(ctx, name, (found) => {
    if (found.role !== undefined) return refuse('role.name_taken', 'there is one', NAME_HINT)
    if (found.count >= MOST_CUSTOM_ROLES) return refuse('role.limit_reached', `${found.count} roles`)
    const role: Role = {
      name,
      description: command.description,
      scopes: command.scopes,
      revision: 1,
      createdAt: nowMs,
      updatedAt: nowMs,
    }
    return ok({ value: role, role, audit: [entry('created', role)] })
  })
}

const NAME_HINT =
  'A role is named by 2 to 40 of a-z, 0-9, _ and -, and neither like a usual one nor like an operator’s.'

/**
 * Changes what a role allows. Where it allows less, every token of the tenant issued until now is dead:
 * those of its holders say more than is true, and clients get new ones by themselves.
 */
export function changeRole(
  deps: ManageRolesDeps,
  command: PeopleCommand & Partial<RoleContent> & { readonly name: string; readonly ifMatch: RevisionCheck },
): Promise<Result<Role>> {
  const { ctx, name, nowMs } = command
  return deps.roles.change(ctx, name, (found) => {
    const before = found.role
    if (before === undefined) return NO_ROLE
    const current = command.ifMatch(before.revision)
    if (!current.ok) return current
    const scopes = command.scopes ?? before.scopes
    const held = checkHeld(command, differenceOf(before.scopes, scopes))
    if (!held.ok) return held
    const role: Role = {
      ...before,
      description: command.description ?? before.description,
      scopes,
      revision: before.revision + 1,
      updatedAt: nowMs,
    }
    const narrowed = before.scopes.some((scope) => !scopes.includes(scope))
    return ok({ value: role, role, audit: [entry('changed', role)], ...endOfTokens(found, narrowed, nowMs) })
  })
}

/** Removes a role that nobody has. */
export function deleteRole(
  deps: ManageRolesDeps,
  command: PeopleCommand & { readonly name: string; readonly ifMatch: RevisionCheck },
): Promise<Result<Role>> {
  return deps.roles.change(command.ctx, command.name, ({ role, inUse }) => {
    if (role === undefined) return NO_ROLE
    const current = command.ifMatch(role.revision)
    if (!current.ok) return current
    const held = checkHeld(command, role.scopes)
    if (!held.ok) return held
    if (inUse) return refuse('role.in_use', 'a user has it', 'Take it from its users first.')
    return ok({ value: role, deleted: true, audit: [entry('deleted', role)] })
  })
}

const NO_ROLE = refuse('resource.not_found', 'no such role')

function checkHeld({ giver }: PeopleCommand, scopes: readonly TenantScope[]): Result<void> {
  return scopes.every((scope) => giver.scopes.has(scope))
    ? ok(undefined)
    : refuse('role.not_givable', 'more than the caller holds', 'You can only give and take what you hold.')
}

function differenceOf(before: readonly TenantScope[], after: readonly TenantScope[]): TenantScope[] {
  return [
    ...after.filter((scope) => !before.includes(scope)),
    ...before.filter((scope) => !after.includes(scope)),
  ]
}

function endOfTokens(
  { inUse }: RoleSurroundings,
  narrowed: boolean,
  nowMs: number,
): Pick<RoleCommit, 'tenantNotBefore'> {
  return narrowed && inUse ? { tenantNotBefore: Math.floor(nowMs / 1000) } : {}
}

function entry(what: string, role: Role) {
  return { action: `auth.role.${what}`, target: role.name, outcome: role.scopes.join(' ') }
}

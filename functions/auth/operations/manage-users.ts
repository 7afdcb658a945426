import { PLATFORM_TENANT } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import {
  checkOperatorRoles,
  checkRolesGivable,
  isOperatorAdmin,
  isPlatformRole,
  type RoleGiver,
} from '../domain/role.ts'
import { isActiveOwner, isUserId, type User, type UserId, withRolesFrom, withStatus } from '../domain/user.ts'
import type { PersonalData, UserCommit, UserStore, UserSurroundings } from '../ports/people.ts'
import { type EndSessionsDeps, revokeSessions } from './end-sessions.ts'
import { type PeopleCommand, type UserView, viewOfUser } from './people.ts'
import { deletedUser, userCommit } from './user-commit.ts'

export type ManageUsersDeps = EndSessionsDeps & {
  readonly users: UserStore
  readonly personalData: PersonalData
}

/** Whether a change may be made to the revision that is there: `If-Match`. */
export type RevisionCheck = (revision: number) => Result<void>

export type UserCommand = PeopleCommand & { readonly userId: string; readonly ifMatch: RevisionCheck }

/** A user and its revision. */
export type SeenUser = { readonly view: UserView; readonly revision: number }

/** One page of the tenant's users, and the id after which the next one starts. */
export async function listUsers(
  deps: ManageUsersDeps,
  ctx: TenantContext,
  page: { readonly pageSize: number; readonly after: string | undefined },
): Promise<{ readonly items: readonly UserView[]; readonly last: string | undefined }> {
  const after = isUserId(page.after) ? page.after : undefined
  const found = await deps.users.list(ctx, { limit: page.pageSize + 1, after })
  const items = found.slice(0, page.pageSize)
  const last = found.length > items.length ? items.at(-1)?.userId : undefined
  return { items: await Promise.all(items.map((user) => viewOfUser(deps, ctx, user))), last }
}

export async function getUser(
  deps: ManageUsersDeps,
  ctx: TenantContext,
  userId: string,
): Promise<Result<SeenUser>> {
  const user = isUserId(userId) ? await deps.users.find(ctx, userId) : undefined
  return user === undefined ? NO_USER : ok(await seen(deps, ctx, user))
}

/**
 * Lets a user in or keeps them out. Whoever is kept out has no session and no token from now on.
 *
 * An owner is kept out by an owner or an operator alone, and the last one by nobody.
 */
export async function setUserStatus(
  deps: ManageUsersDeps,
  command: UserCommand & { readonly status: User['status'] },
): Promise<Result<SeenUser>> {
  const changed = await changeUser(deps, command, (user, found) => {
    const allowed = mayTouch(command, user)
    if (!allowed.ok) return allowed
    const next = withStatus(user, 'people', command.status)
    if (next.status !== command.status) {
      return refuse(
        'user.disabled',
        'by the directory',
        'The directory of their company keeps this person out.',
      )
    }
    return keepingAnOwner(found, user, next, command)
  })
  if (!changed.ok) return changed
  if (command.status === 'disabled') await endSessions(deps, command, 'user_disabled')
  return ok(await seen(deps, command.ctx, changed.value))
}

/** Replaces the roles that people gave a user; those of groups and connections stay. */
export async function setUserRoles(
  deps: ManageUsersDeps,
  command: UserCommand & { readonly roles: readonly string[] },
): Promise<Result<SeenUser>> {
  const { ctx, giver, roles } = command
  const changed = await changeUser(deps, command, (user, found) => {
    const before = user.rolesFrom.people
    const operators = checkOperatorRoles(giver, ctx.tenantId, before, roles)
    if (!operators.ok) return operators
    if (user.idpLinks.length === 0 && roles.some(isPlatformRole)) {
      const hint = 'They must have signed in once: until then an address is all that is known of them.'
      return refuse('role.not_givable', 'an operator nobody has seen', hint)
    }
    const usual = (names: readonly string[]) => names.filter((role) => !isPlatformRole(role))
    const givable = checkRolesGivable(giver, ctx.tenantId, usual(before), usual(roles), found.custom)
    return givable.ok ? keepingAnOwner(found, user, withRolesFrom(user, 'people', roles), command) : givable
  })
  return changed.ok ? ok(await seen(deps, ctx, changed.value)) : changed
}

/** Removes a user with everything that leads to them; a later sign-in is somebody new. */
export async function deleteUser(deps: ManageUsersDeps, command: UserCommand): Promise<Result<void>> {
  const { ctx, userId } = command
  if (!isUserId(userId)) return NO_USER
  const deleted = await deps.users.change<undefined>(ctx, undefined, { userId }, (found) => {
    const { user } = found
    if (user === undefined) return NO_USER
    const current = command.ifMatch(user.revision)
    if (!current.ok) return current
    const allowed = mayTouch(command, user)
    if (!allowed.ok) return allowed
    return lastOwner(found, user, undefined) ?? ok(deletedUser(user, command))
  })
  if (!deleted.ok) return deleted
  await endSessions(deps, command, 'user_disabled')
  return ok(undefined)
}

const NO_USER = refuse('resource.not_found', 'no such user')

async function changeUser(
  deps: ManageUsersDeps,
  command: UserCommand,
  decide: (user: User, found: UserSurroundings) => Result<UserCommit<User>>,
): Promise<Result<User>> {
  const { ctx, userId } = command
  if (!isUserId(userId)) return NO_USER
  const changed = await deps.users.change<User>(ctx, undefined, { userId }, (found) => {
    if (found.user === undefined) return NO_USER
    const current = command.ifMatch(found.user.revision)
    return current.ok ? decide(found.user, found) : current
  })
  if (!changed.ok) return changed
  // Without a claim nothing can be a duplicate.
  if (changed.value.duplicate) throw new Error('a change without a claim was seen before')
  return ok(changed.value.value)
}

function mayTouch({ ctx, giver }: PeopleCommand, user: User): Result<void> {
  if (user.roles.some(isPlatformRole) && !isOperatorAdmin(giver)) {
    const hint = 'Only a platform administrator may do this to an operator.'
    return refuse('role.not_givable', 'an operator, by another than their administrator', hint)
  }
  if (!user.roles.includes('owner') || isOperator(giver, ctx) || giver.roles.includes('owner')) {
    return ok(undefined)
  }
  return refuse('role.not_givable', 'an owner, by another than an owner', 'Only an owner may do this to one.')
}

function isOperator(giver: RoleGiver, ctx: TenantContext): boolean {
  return giver.tenantId === PLATFORM_TENANT && ctx.tenantId !== PLATFORM_TENANT
}

function keepingAnOwner(
  found: UserSurroundings,
  user: User,
  next: User,
  command: PeopleCommand,
): Result<UserCommit<User>> {
  return lastOwner(found, user, next) ?? ok(userCommit(user, next, command))
}

/** The refusal to leave a tenant without an owner: the list is in the same commit, so two at once meet. */
function lastOwner(found: UserSurroundings, user: User, next: User | undefined) {
  if (!isActiveOwner(user) || isActiveOwner(next)) return undefined
  if (found.owners.some((id: UserId) => id !== user.userId)) return undefined
  return refuse('user.last_owner', 'the last owner', 'Make somebody else an owner first.')
}

/** After the user's own commit, which already keeps them out; done again, it ends nothing twice. */
async function endSessions(deps: ManageUsersDeps, command: UserCommand, reason: 'user_disabled') {
  const { ctx, nowMs, trace, userId } = command
  const ended = await revokeSessions(deps, {
    ctx,
    selection: { userId },
    reason,
    nowMs,
    ...(trace === undefined ? {} : { trace }),
  })
  if (!ended.ok) throw new Error(`sessions of a user were not ended: ${ended.detail}`)
}

async function seen(deps: ManageUsersDeps, ctx: TenantContext, user: User): Promise<SeenUser> {
  return { view: await viewOfUser(deps, ctx, user), revision: user.revision }
}

import { DependencyFailed } from '#shared/deadline.ts'
import type { Ids } from '#shared/ids.ts'
import { asRecord } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { applyPatch, type PatchOperation } from '../domain/scim/patch.ts'
import { type DirectoryPerson, foldUserName, parsePerson } from '../domain/scim/person.ts'
import type { Resource } from '../domain/scim/resource.ts'
import { USER_KIND } from '../domain/scim/schema.ts'
import { isUserId, newUser, newUserId, type User, type UserId, withStatus } from '../domain/user.ts'
import type { PersonalData, UserCommit, UserStore, UserSurroundings } from '../ports/people.ts'
import { type EndSessionsDeps, revokeSessions } from './end-sessions.ts'
import { forgetMember, type ScimCommand, type ScimGroupsDeps } from './scim-groups.ts'
import { createdUser, deletedUser, userCommit } from './user-commit.ts'

export type ScimUsersDeps = ScimGroupsDeps &
  EndSessionsDeps & {
    readonly ids: Ids
    readonly users: UserStore
    readonly personalData: PersonalData
  }

/** A provisioned user and what the directory sent of them. */
export type ProvisionedUser = { readonly user: User; readonly attributes: Resource }

const NO_USER = refuse('resource.not_found', 'no such user')
/** Somebody else changed the user between our read and our write: read again. */
const MOST_TRIES = 5

/**
 * Provisions a person. Somebody who signed in before with that very address, verified, is the same
 * person and is not made twice: else who left would be disabled here and still signed in there.
 */
export async function createPerson(
  deps: ScimUsersDeps,
  command: ScimCommand,
  person: DirectoryPerson,
): Promise<Result<ProvisionedUser>> {
  const { ctx, nowMs } = command
  const sealed = await sealPerson(deps, ctx, person)
  const userId = newUserId(deps.ids, nowMs)
  const lookup = { userNameHash: sealed.userNameHash, emailHash: sealed.emailHash ?? undefined }
  const made = await deps.users.change<User>(ctx, undefined, lookup, (found) => {
    if (found.userNameOwner !== undefined) return USER_NAME_TAKEN
    const known = adoptable(found)
    if (known !== undefined) return ok(userCommit(known, withPerson(known, person, sealed), command))
    const user = withPerson(newUser(userId, ctx.tenantId, nowMs), person, sealed)
    return ok(createdUser(user, user))
  })
  return finish(deps, command, person, made)
}

const USER_NAME_TAKEN = refuse('scim.not_unique', 'userName', 'userName: another user has it')

/** Replaces what the directory keeps of a person (PUT). */
export function replacePerson(
  deps: ScimUsersDeps,
  command: ScimCommand,
  userId: string,
  person: DirectoryPerson,
): Promise<Result<ProvisionedUser>> {
  return changePerson(deps, command, userId, () => ok(person))
}

/** Changes some of it (PATCH); all operations or none. */
export function patchPerson(
  deps: ScimUsersDeps,
  command: ScimCommand,
  userId: string,
  operations: readonly PatchOperation[],
): Promise<Result<ProvisionedUser>> {
  return changePerson(deps, command, userId, ({ attributes, user }) => {
    const active = !user.disabledBy.includes('directory')
    const patched = applyPatch(USER_KIND, { ...attributes, active }, operations)
    return patched.ok ? parsePerson(patched.value) : patched
  })
}

/**
 * Removes a person, with sessions, tokens and memberships. The directory may remove the last owner too:
 * whoever left must not keep access, and operators can invite another.
 */
export async function deletePerson(
  deps: ScimUsersDeps,
  command: ScimCommand,
  userId: string,
): Promise<Result<void>> {
  const { ctx } = command
  if (!isUserId(userId)) return NO_USER
  let groups: readonly string[] = []
  const deleted = await deps.users.change<undefined>(ctx, undefined, { userId }, ({ user }) => {
    if (user?.scim == null) return NO_USER
    const current = command.ifMatch(user.revision)
    if (!current.ok) return current
    groups = user.scim.groups
    return ok(deletedUser(user, command))
  })
  if (!deleted.ok) return deleted
  await endSessions(deps, command, userId)
  await forgetMember(deps, command, userId, groups)
  return ok(undefined)
}

/** A provisioned user by id; one that the directory does not know is none. */
export async function findPerson(
  deps: ScimUsersDeps,
  ctx: TenantContext,
  userId: string,
): Promise<ProvisionedUser | undefined> {
  const user = isUserId(userId) ? await deps.users.find(ctx, userId) : undefined
  return user === undefined ? undefined : openPerson(deps, ctx, user)
}

/** What the directory sent of a user; nothing once the tenant's key was destroyed, or if it never did. */
export async function openPerson(
  deps: { readonly personalData: Pick<PersonalData, 'open'> },
  ctx: TenantContext,
  user: User,
): Promise<ProvisionedUser | undefined> {
  if (user.scim === null) return undefined
  const text = await deps.personalData.open(ctx, user.scim.sealed, 'scim')
  return text === undefined ? undefined : { user, attributes: asRecord(JSON.parse(text)) ?? {} }
}

async function changePerson(
  deps: ScimUsersDeps,
  command: ScimCommand,
  userId: string,
  plan: (known: ProvisionedUser) => Result<DirectoryPerson>,
): Promise<Result<ProvisionedUser>> {
  const { ctx } = command
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    const known = await findPerson(deps, ctx, userId)
    if (known === undefined) return NO_USER
    const current = command.ifMatch(known.user.revision)
    if (!current.ok) return current
    const person = plan(known)
    if (!person.ok) return person
    const sealed = await sealPerson(deps, ctx, person.value)
    const lookup = { userId: known.user.userId, userNameHash: sealed.userNameHash }
    const changed = await deps.users.change<User | 'again'>(ctx, undefined, lookup, (found) => {
      if (found.user === undefined) return NO_USER
      if (found.user.revision !== known.user.revision) return ok({ value: 'again' })
      if (found.userNameOwner !== undefined && found.userNameOwner !== found.user.userId)
        return USER_NAME_TAKEN
      const next = withPerson(found.user, person.value, sealed)
      return ok(
        unchanged(known, person.value, next) ? { value: found.user } : commitOf(found.user, next, command),
      )
    })
    if (!changed.ok) return changed
    if (changed.value.duplicate) throw new Error('a change without a claim was seen before')
    const { value } = changed.value
    if (value !== 'again') return finish(deps, command, person.value, ok({ duplicate: false, value }))
  }
  throw new DependencyFailed('a user kept changing')
}

function commitOf(user: User, next: User, command: ScimCommand): UserCommit<User | 'again'> {
  return userCommit(user, next, command)
}

/** Nothing new: sealing the same again gives other bytes, and a directory says the same every night. */
function unchanged(known: ProvisionedUser, person: DirectoryPerson, next: User): boolean {
  return (
    JSON.stringify(known.attributes) === JSON.stringify(person.attributes) &&
    known.user.disabledBy.join() === next.disabledBy.join()
  )
}

async function finish(
  deps: ScimUsersDeps,
  command: ScimCommand,
  person: DirectoryPerson,
  changed: Awaited<ReturnType<typeof deps.users.change<User>>>,
): Promise<Result<ProvisionedUser>> {
  if (!changed.ok) return changed
  if (changed.value.duplicate) throw new Error('a change without a claim was seen before')
  const user = changed.value.value
  if (user.status === 'disabled') await endSessions(deps, command, user.userId)
  return ok({ user, attributes: person.attributes })
}

/** After the commit that keeps them out; done again, it ends nothing twice. */
async function endSessions(deps: ScimUsersDeps, command: ScimCommand, userId: UserId): Promise<void> {
  const { ctx, nowMs, trace } = command
  const ended = await revokeSessions(deps, {
    ctx,
    selection: { userId },
    reason: 'user_disabled',
    nowMs,
    ...(trace === undefined ? {} : { trace }),
  })
  if (!ended.ok) throw new Error(`sessions of a user were not ended: ${ended.detail}`)
}

type SealedPerson = Awaited<ReturnType<typeof sealPerson>>

async function sealPerson(deps: ScimUsersDeps, ctx: TenantContext, person: DirectoryPerson) {
  const { hash, seal } = deps.personalData
  const { attributes, email, externalId, name, userName } = person
  const [sealed, userNameHash, externalIdHash, emailSealed, emailHash, nameSealed] = await Promise.all([
    seal(ctx, JSON.stringify(attributes), 'scim'),
    hash(ctx, foldUserName(userName), 'scim-user-name'),
    externalId === undefined ? null : hash(ctx, externalId, 'scim-external-id'),
    email === undefined ? null : seal(ctx, email, 'email'),
    email === undefined ? null : hash(ctx, email, 'email'),
    name === undefined ? null : seal(ctx, name, 'name'),
  ])
  return { sealed, userNameHash, externalIdHash, emailSealed, emailHash, nameSealed }
}

function withPerson(user: User, person: DirectoryPerson, sealed: SealedPerson): User {
  const sameEmail = sealed.emailHash === user.emailHash
  const described: User = {
    ...user,
    ...(sameEmail
      ? {}
      : { emailSealed: sealed.emailSealed, emailHash: sealed.emailHash, emailVerified: false }),
    nameSealed: sealed.nameSealed,
    scim: {
      sealed: sealed.sealed,
      userNameHash: sealed.userNameHash,
      externalIdHash: sealed.externalIdHash,
      groups: user.scim?.groups ?? [],
    },
  }
  return withStatus(described, 'directory', person.active ? 'active' : 'disabled')
}

/** The one person who signed in with the address, verified, and whom the directory does not keep yet. */
function adoptable({ sameEmail }: UserSurroundings): User | undefined {
  const verified = sameEmail.filter((user) => user.emailVerified && user.scim === null)
  return verified.length === 1 ? verified[0] : undefined
}

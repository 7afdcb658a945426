import type { Ids } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import { normalizeEmail } from '../domain/email-address.ts'
import { type Invitation, isOpen } from '../domain/invitation.ts'
import type { Once } from '../domain/once.ts'
import type { Sealed } from '../domain/personal-data.ts'
import { newUser, newUserId, type User, withRolesFrom } from '../domain/user.ts'
import type { PersonalData, UserCommit, UserStore, UserSurroundings } from '../ports/people.ts'
import { createdUser, userCommit } from './user-commit.ts'

export type SignInUserDeps = {
  readonly ids: Ids
  readonly users: UserStore
  readonly personalData: PersonalData
}

/** Who signs in, as an identity provider of the tenant has proven. */
export type ProvenIdentity = {
  /** The provider's `sub`: unique for the connection, and no more than that. */
  readonly subject: string
  readonly email?: string | undefined
  /** True only if the provider says so and the tenant has proven the domain of the address. */
  readonly emailVerified: boolean
  readonly name?: string | undefined
  readonly groups: readonly string[]
}

/** What a connection says about the people who come through it. */
export type SignInConnection = {
  readonly connectionId: string
  /** Roles by the provider's name of a group. */
  readonly groupRoles?: readonly { readonly group: string; readonly role: string }[] | undefined
  /** Roles of everybody who comes through it; `viewer` unless given. */
  readonly defaultRoles?: readonly string[] | undefined
  /** Whether people nobody invited or provisioned may come in; they may unless told otherwise. */
  readonly admits?: 'everyone' | 'invited' | undefined
}

export type SignInCommand = {
  readonly ctx: TenantContext
  readonly connection: SignInConnection
  readonly identity: ProvenIdentity
  readonly nowMs: number
  readonly trace?: Trace | undefined
  /** A client's assertion that counts with the commit of this, whatever it comes to. */
  readonly assertion?: Once | undefined
}

/** Claims of an identity provider are somebody else's words: what is longer is left out. */
const MOST_NAME_LENGTH = 200

/**
 * The user behind an identity that was just proven, made if there is none.
 *
 * Somebody is recognised by connection and subject alone. An address leads to a user only if it is
 * verified and the tenant said that this person comes: by an invitation, or by provisioning a user
 * nobody has signed in as yet. An unverified address leads to nobody.
 * Refuses `user.disabled` and `user.not_provisioned`; two first log-ins at once make one user.
 */
export async function signInUser(deps: SignInUserDeps, command: SignInCommand): Promise<Result<User>> {
  const { ctx, connection, identity } = command
  const link = { connectionId: connection.connectionId, sub: identity.subject }
  const person = await sealPerson(deps, command)
  const emailHash = identity.emailVerified ? person.emailHash : undefined
  const userId = newUserId(deps.ids, command.nowMs)
  const lookup = emailHash === undefined ? { link } : { link, emailHash }
  // Opened before the commit: a decision does nothing but compute.
  const known = await deps.users.findByLink(ctx, link)
  const sameName = known !== undefined && (await hasName(deps, ctx, known, person.name))
  return deps.users.changeWithAssertion<User>(ctx, command.assertion, lookup, (found) => {
    const invitation = found.invitations.find((open) => isOpen(open, command.nowMs))
    const user = found.linked ?? claimable(found)
    if (user === undefined && invitation === undefined && connection.admits === 'invited') {
      return refuse('user.not_provisioned', 'nobody invited this person', 'Ask to be invited.')
    }
    if (user?.status === 'disabled') return refuse('user.disabled', 'disabled user')
    const before = user ?? newUser(userId, ctx.tenantId, command.nowMs)
    const seen = withPerson(before, person, identity.emailVerified, sameName && known.userId === user?.userId)
    const linked = found.linked === undefined ? { ...seen, idpLinks: [...seen.idpLinks, link] } : seen
    const mapped = withRolesFrom(linked, 'signIn', rolesOf(connection, identity.groups))
    const invited = invitation === undefined ? mapped : withInvitation(mapped, invitation)
    const commit = user === undefined ? createdUser(invited, invited) : userCommit(user, invited, command)
    return ok(invitation === undefined ? commit : accepted(commit, invitation))
  })
}

type Person = {
  readonly name: string | undefined
  readonly emailHash: string | undefined
  readonly emailSealed: Sealed | undefined
  readonly nameSealed: Sealed | undefined
}

async function sealPerson(deps: SignInUserDeps, { ctx, identity }: SignInCommand): Promise<Person> {
  const email = identity.email === undefined ? undefined : normalizeEmail(identity.email)
  const name = cleanName(identity.name)
  const { personalData } = deps
  const [emailHash, emailSealed, nameSealed] = await Promise.all([
    email === undefined ? undefined : personalData.hash(ctx, email, 'email'),
    email === undefined ? undefined : personalData.seal(ctx, email, 'email'),
    name === undefined ? undefined : personalData.seal(ctx, name, 'name'),
  ])
  return { name, emailHash, emailSealed, nameSealed }
}

function cleanName(name: string | undefined): string | undefined {
  const printable = name
    ?.normalize('NFC')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '')
    .trim()
  return printable === undefined || printable === '' ? undefined : printable.slice(0, MOST_NAME_LENGTH)
}

async function hasName(
  deps: SignInUserDeps,
  ctx: TenantContext,
  user: User,
  name: string | undefined,
): Promise<boolean> {
  if (name === undefined) return true
  if (user.nameSealed === null) return false
  return (await deps.personalData.open(ctx, user.nameSealed, 'name')) === name
}

/** The one user that the directory made for this verified address; with two of them it is nobody. */
function claimable({ sameEmail }: UserSurroundings): User | undefined {
  const unclaimed = sameEmail.filter(({ idpLinks, scim }) => scim !== null && idpLinks.length === 0)
  return unclaimed.length === 1 ? unclaimed[0] : undefined
}

/** What the provider says now. What it no longer says stays: a sign-in erases nothing. */
function withPerson(user: User, person: Person, verified: boolean, sameName: boolean): User {
  const { emailHash, emailSealed, nameSealed } = person
  const sameEmail = emailHash === undefined || emailHash === user.emailHash
  // A claim that nobody vouches for does not take the place of an address that is known to be theirs.
  const kept = sameEmail || (user.emailVerified && !verified)
  return {
    ...user,
    ...(emailSealed === undefined || kept ? {} : { emailSealed, emailHash, emailVerified: verified }),
    ...(sameEmail && emailHash !== undefined && verified ? { emailVerified: true } : {}),
    ...(nameSealed === undefined || sameName ? {} : { nameSealed }),
  }
}

function rolesOf(connection: SignInConnection, groups: readonly string[]): string[] {
  const mapped = (connection.groupRoles ?? []).filter(({ group }) => groups.includes(group))
  return [...(connection.defaultRoles ?? ['viewer']), ...mapped.map(({ role }) => role)]
}

function withInvitation(user: User, invitation: Invitation): User {
  return withRolesFrom(user, 'people', [...user.rolesFrom.people, invitation.role])
}

function accepted(commit: UserCommit<User>, invitation: Invitation): UserCommit<User> {
  return {
    ...commit,
    invitation: { ...invitation, status: 'accepted', acceptedBy: commit.value.userId },
    audit: [
      ...(commit.audit ?? []),
      { action: 'auth.invitation.accepted', target: invitation.invitationId, outcome: commit.value.userId },
    ],
  }
}

import type { Claim } from '#shared/firestore/claim.ts'
import type { Ids } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { ACCESS_BY_STATE } from '#shared/tokens/tenant-access.ts'
import { normalizeEmail } from '../domain/email-address.ts'
import {
  hashInvitationToken,
  INVITATION_LIFE_MS,
  type Invitation,
  type InvitationToken,
  isInvitationId,
  isOpen,
  MOST_PENDING_INVITATIONS,
  newInvitationId,
  newInvitationToken,
  readInvitationToken,
} from '../domain/invitation.ts'
import { checkRolesGivable } from '../domain/role.ts'
import type { TenantAuthState } from '../domain/tenant-state.ts'
import { isUserId, type User, withRolesFrom } from '../domain/user.ts'
import type { InvitationStore, PersonalData, UserCommit, UserStore } from '../ports/people.ts'
import { type PeopleCommand, type UserView, viewOfUser } from './people.ts'
import { userCommit } from './user-commit.ts'

export type InviteDeps = {
  readonly ids: Ids
  readonly invitations: InvitationStore
  readonly users: UserStore
  readonly personalData: PersonalData
}

/** An invitation as it is shown. What is pending and over is `expired`. */
export type InvitationView = {
  readonly invitationId: string
  readonly email: string | null
  readonly role: string
  readonly status: Invitation['status'] | 'expired'
  readonly createdAt: string
  readonly expiresAt: string
}

/** What the claim of a request keeps: no address, since it is kept in the clear. */
type Kept = { readonly invitation: Omit<InvitationView, 'email'> }

export type NewInvitation = {
  readonly view: InvitationView
  /** Missing when this request was answered before: it is shown once and kept nowhere. */
  readonly token: InvitationToken | undefined
}

/**
 * Invites somebody to have a role. The token goes to the caller, who hands it to the person; with it,
 * or by signing in with that address verified, they get the role, once, within seven days.
 *
 * Says nothing about whether somebody with the address is there. A new invitation takes the place of
 * an earlier one to the same address.
 */
export async function invite(
  deps: InviteDeps,
  command: PeopleCommand & {
    readonly email: string
    readonly role: string
    readonly claim: Claim | undefined
  },
): Promise<Result<NewInvitation>> {
  const { ctx, giver, nowMs, role } = command
  const email = normalizeEmail(command.email)
  if (email === undefined) return refuse('request.malformed', 'email', 'email: must be an e-mail address')
  // Before anything is sealed: a tenant that is none gets no key.
  const open = checkOpen(await deps.invitations.stateOf(ctx))
  if (!open.ok) return open
  const token = newInvitationToken(deps.ids, ctx.tenantId)
  const [emailSealed, emailHash] = await Promise.all([
    deps.personalData.seal(ctx, email, 'email'),
    deps.personalData.hash(ctx, email, 'email'),
  ])
  const invitation: Invitation = {
    invitationId: newInvitationId(deps.ids, nowMs),
    tenantId: ctx.tenantId,
    emailSealed,
    emailHash,
    role,
    tokenHash: hashInvitationToken(token),
    status: 'pending',
    acceptedBy: null,
    createdAt: nowMs,
    expiresAt: nowMs + INVITATION_LIFE_MS,
  }
  const added = await deps.invitations.add<Kept>(ctx, command.claim, { emailHash }, (found) => {
    const still = checkOpen(found.state)
    if (!still.ok) return still
    const givable = checkRolesGivable(giver, ctx.tenantId, [], [role], found.custom)
    if (!givable.ok) return givable
    if (found.pendingCount >= MOST_PENDING_INVITATIONS) {
      return refuse('rate.limited', 'too many invitations', 'Withdraw invitations that nobody accepts.')
    }
    const { email: _email, ...kept } = viewOf(invitation, null, nowMs)
    const audit = [{ action: 'auth.invitation.created', target: invitation.invitationId, outcome: role }]
    return ok({ value: { invitation: kept }, invitation, audit })
  })
  if (!added.ok) return added
  const kept = added.value.duplicate ? (added.value.answer as Kept) : added.value.value
  return ok({ view: { ...kept.invitation, email }, token: added.value.duplicate ? undefined : token })
}

function checkOpen(state: TenantAuthState | undefined): Result<void> {
  if (state === undefined) return refuse('resource.not_found', 'auth knows no such tenant')
  if (ACCESS_BY_STATE[state.status].kind !== 'none') return ok(undefined)
  return refuse('tenant.state_conflict', `tenant is ${state.status}`, 'The tenant is not active.')
}

export async function listInvitations(
  deps: InviteDeps,
  ctx: TenantContext,
  page: { readonly pageSize: number; readonly after: string | undefined },
  nowMs: number,
): Promise<Result<{ readonly items: readonly InvitationView[]; readonly last: string | undefined }>> {
  if ((await deps.invitations.stateOf(ctx)) === undefined)
    return refuse('resource.not_found', 'no such tenant')
  const after = isInvitationId(page.after) ? page.after : undefined
  const found = await deps.invitations.list(ctx, { limit: page.pageSize + 1, after })
  const items = found.slice(0, page.pageSize)
  return ok({
    items: await Promise.all(items.map((invitation) => opened(deps, ctx, invitation, nowMs))),
    last: found.length > items.length ? items.at(-1)?.invitationId : undefined,
  })
}

export async function getInvitation(
  deps: InviteDeps,
  ctx: TenantContext,
  id: string,
  nowMs: number,
): Promise<Result<InvitationView>> {
  const invitation = isInvitationId(id) ? await deps.invitations.find(ctx, id) : undefined
  return invitation === undefined ? NO_INVITATION : ok(await opened(deps, ctx, invitation, nowMs))
}

/** Takes an invitation back; one that was accepted has had its effect and stays. */
export async function withdrawInvitation(
  deps: InviteDeps,
  command: PeopleCommand & { readonly invitationId: string },
): Promise<Result<void>> {
  const { ctx, invitationId } = command
  if (!isInvitationId(invitationId)) return NO_INVITATION
  const changed = await deps.invitations.change(ctx, invitationId, (found) => {
    if (found === undefined || found.status === 'accepted') return NO_INVITATION
    const audit = [{ action: 'auth.invitation.withdrawn', target: invitationId }]
    return ok({ invitation: { ...found, status: 'withdrawn' }, audit })
  })
  return changed.ok ? ok(undefined) : changed
}

/**
 * Accepts an invitation for the user who calls: they hold its token, and so had the mail.
 *
 * Whatever is wrong is the same 404: a token that is unknown, used, over, another tenant's, or meant for
 * an address that is not the one this user is known by. The same user again gets the same answer.
 */
export async function acceptInvitation(
  deps: InviteDeps,
  command: Omit<PeopleCommand, 'giver'> & { readonly subject: string; readonly token: string },
): Promise<Result<UserView>> {
  const { ctx, nowMs, subject } = command
  const token = readInvitationToken(command.token)
  if (token === undefined || token.tenantId !== ctx.tenantId || !isUserId(subject)) return NO_INVITATION
  const known = await deps.invitations.findByToken(ctx, token.tokenHash)
  if (known === undefined) return NO_INVITATION
  const lookup = { userId: subject, invitationId: known.invitationId }
  const accepted = await deps.users.change<User>(ctx, undefined, lookup, ({ user, invitation }) => {
    if (user === undefined || invitation === undefined) return NO_INVITATION
    if (user.status === 'disabled') return refuse('user.disabled', 'disabled user')
    if (invitation.status === 'accepted' && invitation.acceptedBy === user.userId) return ok({ value: user })
    const foreign = user.emailVerified && user.emailHash !== invitation.emailHash
    if (foreign || !isOpen(invitation, nowMs)) return NO_INVITATION
    return ok(acceptance(user, invitation, command))
  })
  if (!accepted.ok) return accepted
  if (accepted.value.duplicate) throw new Error('a change without a claim was seen before')
  return ok(await viewOfUser(deps, ctx, accepted.value.value))
}

const NO_INVITATION = refuse('resource.not_found', 'no such invitation')

function acceptance(
  user: User,
  invitation: Invitation,
  command: { readonly nowMs: number },
): UserCommit<User> {
  const invited = withRolesFrom(user, 'people', [...user.rolesFrom.people, invitation.role])
  // The mail reached them: the address is theirs.
  const verified = user.emailHash === invitation.emailHash ? { ...invited, emailVerified: true } : invited
  const commit = userCommit(user, verified, command)
  return {
    ...commit,
    invitation: { ...invitation, status: 'accepted', acceptedBy: user.userId },
    audit: [
      ...(commit.audit ?? []),
      { action: 'auth.invitation.accepted', target: invitation.invitationId, outcome: user.userId },
    ],
  }
}

async function opened(
  deps: InviteDeps,
  ctx: TenantContext,
  invitation: Invitation,
  nowMs: number,
): Promise<InvitationView> {
  const email = await deps.personalData.open(ctx, invitation.emailSealed, 'email')
  return viewOf(invitation, email ?? null, nowMs)
}

function viewOf(invitation: Invitation, email: string | null, nowMs: number): InvitationView {
  const { createdAt, expiresAt, invitationId, role, status } = invitation
  return {
    invitationId,
    email,
    role,
    status: status === 'pending' && expiresAt <= nowMs ? 'expired' : status,
    createdAt: new Date(createdAt).toISOString(),
    expiresAt: new Date(expiresAt).toISOString(),
  }
}

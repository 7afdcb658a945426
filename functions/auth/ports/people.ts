import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import type { Revocation } from '#shared/contracts/revocation.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import type { AuditEntry, Committed } from '#shared/firestore/tenant-store.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Invitation } from '../domain/invitation.ts'
import type { Once } from '../domain/once.ts'
import type { HashPurpose, Sealed, SealPurpose } from '../domain/personal-data.ts'
import type { CustomRoles, Role } from '../domain/role.ts'
import type { Group } from '../domain/scim/group.ts'
import type { TenantAuthState } from '../domain/tenant-state.ts'
import type { IdpLink, User, UserId } from '../domain/user.ts'

/**
 * Personal data of one tenant, encrypted under its own data key, which its Cloud KMS key wraps.
 *
 * With that key everything sealed is gone, wherever copies of it are: that is how a tenant is erased.
 */
export type PersonalData = {
  /** Throws when the tenant's key cannot be used: nothing personal is ever stored in the clear instead. */
  seal(ctx: TenantContext, text: string, purpose: SealPurpose): Promise<Sealed>
  /** The text, or undefined once the key was destroyed. Throws when the key cannot be reached. */
  open(ctx: TenantContext, sealed: Sealed, purpose: SealPurpose): Promise<string | undefined>
  /** A digest to find a text by; it is gone with the key too. Throws as `seal` does. */
  hash(ctx: TenantContext, text: string, purpose: HashPurpose): Promise<string>
  /** Destroys the tenant's data key for good; doing it again changes nothing. */
  destroy(ctx: TenantContext, nowMs: number): Promise<void>
}

/** What to find beside the user whom a change is about. Each member given costs one read. */
export type UserLookup = {
  readonly userId?: UserId | undefined
  readonly link?: IdpLink | undefined
  readonly emailHash?: string | undefined
  readonly userNameHash?: string | undefined
  readonly invitationId?: string | undefined
}

/** What a change of a user is decided by. */
export type UserSurroundings = {
  readonly user: User | undefined
  /** Who has the link. */
  readonly linked: User | undefined
  /**
   * Who has the address, verified or not. Of two commits that make a user of one address at once, the
   * second is decided again and sees the first one's.
   */
  readonly sameEmail: readonly User[]
  /** Pending invitations to the address; they may have expired. */
  readonly invitations: readonly Invitation[]
  readonly invitation: Invitation | undefined
  /** Who has the SCIM `userName`. */
  readonly userNameOwner: UserId | undefined
  readonly owners: readonly UserId[]
  readonly custom: CustomRoles
}

/** Everything that becomes true together with a change of a user. */
export type UserCommit<T> = {
  readonly value: T
  /** A new or changed user; without one nobody changes. */
  readonly user?: User
  /** Somebody who goes. */
  readonly deleted?: User
  readonly invitation?: Invitation
  readonly events?: readonly CloudEvent[]
  readonly audit?: readonly AuditEntry[]
  readonly revocations?: readonly Revocation[]
}

export type UserPage = { readonly limit: number; readonly after?: UserId | undefined }

export type UserStore = {
  find(ctx: TenantContext, userId: UserId): Promise<User | undefined>
  findByLink(ctx: TenantContext, link: IdpLink): Promise<User | undefined>
  /** Everybody, by user id: in the order they came. */
  list(ctx: TenantContext, page: UserPage): Promise<readonly User[]>
  findByUserName(ctx: TenantContext, userNameHash: string): Promise<User | undefined>
  findByExternalId(ctx: TenantContext, externalIdHash: string): Promise<readonly User[]>
  findByEmail(ctx: TenantContext, emailHash: string): Promise<readonly User[]>
  /**
   * Reads what `lookup` names, decides and commits, with the indexes of links and user names and the
   * list of owners. Contention runs `decide` again, so it computes and does nothing else.
   */
  change<T>(
    ctx: TenantContext,
    claim: Claim | undefined,
    lookup: UserLookup,
    decide: (found: UserSurroundings) => Result<UserCommit<T>>,
  ): Promise<Result<Committed<T>>>
  /** The same, with an assertion that counts with the commit, whatever is decided (`SessionStore`). */
  changeWithAssertion<T>(
    ctx: TenantContext,
    assertion: Once | undefined,
    lookup: UserLookup,
    decide: (found: UserSurroundings) => Result<UserCommit<T>>,
  ): Promise<Result<T>>
}

/** What a change of a role is decided by. */
export type RoleSurroundings = {
  readonly role: Role | undefined
  /** How many roles of its own the tenant has. */
  readonly count: number
  /** Whether a user has the role. */
  readonly inUse: boolean
}

export type RoleCommit = {
  readonly value: Role
  readonly role?: Role
  readonly deleted?: boolean
  /** The tenant's new watermark, in seconds: where a role allows less than tokens say. */
  readonly tenantNotBefore?: number
  readonly audit: readonly AuditEntry[]
}

/** Invitations of a tenant. */
export type InvitationStore = {
  /** What auth knows of the tenant: an operator may ask about one that does not exist. */
  stateOf(ctx: TenantContext): Promise<TenantAuthState | undefined>
  find(ctx: TenantContext, invitationId: string): Promise<Invitation | undefined>
  findByToken(ctx: TenantContext, tokenHash: string): Promise<Invitation | undefined>
  list(
    ctx: TenantContext,
    page: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<readonly Invitation[]>
  /** Adds one, in whose place earlier pending ones to the same address are withdrawn. */
  add<T>(
    ctx: TenantContext,
    claim: Claim | undefined,
    wanted: Pick<Invitation, 'emailHash'>,
    decide: (found: {
      readonly state: TenantAuthState | undefined
      readonly pendingCount: number
      readonly custom: CustomRoles
    }) => Result<{ value: T; invitation: Invitation; audit: readonly AuditEntry[] }>,
  ): Promise<Result<Committed<T>>>
  change(
    ctx: TenantContext,
    invitationId: string,
    decide: (
      found: Invitation | undefined,
    ) => Result<{ invitation: Invitation; audit: readonly AuditEntry[] }>,
  ): Promise<Result<Invitation>>
}

/** Roles of a tenant's own. */
export type RoleStore = {
  /** Reads, decides and commits; contention runs `decide` again, so it computes and does nothing else. */
  change(
    ctx: TenantContext,
    name: string,
    decide: (found: RoleSurroundings) => Result<RoleCommit>,
  ): Promise<Result<Role>>
  all(ctx: TenantContext): Promise<readonly Role[]>
  find(ctx: TenantContext, name: string): Promise<Role | undefined>
  /** The scopes of the tenant's own roles among `names`; reads nothing when there are none among them. */
  scopesOf(ctx: TenantContext, names: readonly string[]): Promise<CustomRoles>
}

/** What one step of a change of a group is decided by. */
export type GroupStep = {
  /** The group before, or undefined for a new one. */
  readonly group: Group | undefined
  /** As it is after this step; undefined when it goes. */
  readonly next: Group | undefined
  /** Everybody whose membership or roles the step changes; who is gone is missing. */
  readonly users: ReadonlyMap<UserId, User>
  /** All groups that they are in, by id. */
  readonly groups: ReadonlyMap<string, Group>
}

export type GroupStepCommit = {
  readonly users: readonly UserCommit<User>[]
  readonly audit: readonly AuditEntry[]
}

/** What becomes of a group: its new content, or `deleted`. */
export type GroupPlan = Result<Omit<Group, 'revision' | 'createdAt' | 'updatedAt'> | 'deleted'>

export type GroupStore = {
  find(ctx: TenantContext, groupId: string): Promise<Group | undefined>
  findMany(ctx: TenantContext, groupIds: readonly string[]): Promise<readonly Group[]>
  list(ctx: TenantContext): Promise<readonly Group[]>
  /**
   * Changes a group and its members, some of them in one commit: true when nothing is left to do, and
   * the caller goes on until then. Each step leaves group and users in agreement.
   */
  step(
    ctx: TenantContext,
    groupId: string,
    nowMs: number,
    plan: (found: { readonly group: Group | undefined; readonly others: readonly Group[] }) => GroupPlan,
    decide: (step: GroupStep) => Result<GroupStepCommit>,
  ): Promise<Result<{ readonly done: boolean; readonly group: Group | undefined }>>
}

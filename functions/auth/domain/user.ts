import { z } from 'zod'
import { type Branded, type Ids, PLATFORM_TENANT, type TenantId, ulid } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import type { Sealed } from './personal-data.ts'
import { isPlatformRole, isRoleName, MOST_ROLES } from './role.ts'

/** `usr_` + ULID: the subject of a person's tokens, which can equal no client id (RFC 9700 §4.15). */
export type UserId = Branded<'UserId'>

/** Who somebody is at an identity provider of the tenant. */
export type IdpLink = { readonly connectionId: string; readonly sub: string }

/** Where a role came from. Each source is replaced by itself alone, so none undoes what another gave. */
export type RoleSource = 'people' | 'signIn' | 'directory'

/** An administrator, or the directory of the tenant. */
export type DisabledBy = 'people' | 'directory'

/** What the tenant's directory keeps of a person, by SCIM. */
export type DirectoryEntry = {
  /** The SCIM attributes as JSON, sealed: all of them are personal. */
  readonly sealed: Sealed
  readonly userNameHash: string
  readonly externalIdHash: string | null
  /** Ids of the SCIM groups that have this person as a member. */
  readonly groups: readonly string[]
}

/** A person of a tenant, as stored in `auth_users/{userId}`. */
export type User = {
  readonly userId: UserId
  readonly tenantId: TenantId
  readonly idpLinks: readonly IdpLink[]
  readonly emailSealed: Sealed | null
  readonly emailHash: string | null
  /** Whether the address is known to be theirs: the IdP said so for a proven domain, or an invitation came back. */
  readonly emailVerified: boolean
  readonly nameSealed: Sealed | null
  /** All roles, whatever gave them: what tokens say. */
  readonly roles: readonly string[]
  readonly rolesFrom: Readonly<Record<RoleSource, readonly string[]>>
  readonly status: 'active' | 'disabled'
  /** Who keeps them out. Each lets them in again for itself alone: what people forbid, no directory allows. */
  readonly disabledBy: readonly DisabledBy[]
  /** Tokens issued at or before this second are refused. */
  readonly notBefore: number
  readonly scim: DirectoryEntry | null
  /** Rises by one with each change; the ETag. */
  readonly revision: number
  readonly createdAt: number
  readonly updatedAt: number
}

const USER_ID = /^usr_[0-9A-HJKMNP-TV-Z]{26}$/

export function newUserId(ids: Ids, nowMs: number): UserId {
  return `usr_${ulid(ids, nowMs)}` as UserId
}

export function isUserId(value: unknown): value is UserId {
  return typeof value === 'string' && USER_ID.test(value)
}

const sealed = z.string().transform((value) => value as Sealed)
const names = z.array(z.string())

export const parseUser = parser<User>(
  z.object({
    userId: z.string().transform((value) => value as UserId),
    tenantId: z.string().transform((value) => value as TenantId),
    idpLinks: z.array(z.object({ connectionId: z.string(), sub: z.string() })),
    emailSealed: sealed.nullable(),
    emailHash: z.string().nullable(),
    emailVerified: z.boolean(),
    nameSealed: sealed.nullable(),
    roles: names,
    rolesFrom: z.object({ people: names, signIn: names, directory: names }),
    status: z.enum(['active', 'disabled']),
    disabledBy: z.array(z.enum(['people', 'directory'])),
    notBefore: z.number().int(),
    scim: z
      .object({ sealed, userNameHash: z.string(), externalIdHash: z.string().nullable(), groups: names })
      .nullable(),
    revision: z.number().int(),
    createdAt: z.number().int(),
    updatedAt: z.number().int(),
  }),
)

/** Somebody new, of whom nothing is known yet. */
export function newUser(userId: UserId, tenantId: TenantId, nowMs: number): User {
  return {
    userId,
    tenantId,
    idpLinks: [],
    emailSealed: null,
    emailHash: null,
    emailVerified: false,
    nameSealed: null,
    roles: [],
    rolesFrom: { people: [], signIn: [], directory: [] },
    status: 'active',
    disabledBy: [],
    notBefore: 0,
    scim: null,
    revision: 1,
    createdAt: nowMs,
    updatedAt: nowMs,
  }
}

/**
 * The user with one source's roles replaced. `owner` is given by people alone: whoever may edit a
 * connection or a directory could else make themselves one. So are the roles of operators, and in their
 * own tenant alone. Names that no role can have are not heard.
 */
export function withRolesFrom(user: User, source: RoleSource, roles: readonly string[]): User {
  const byPeople = source === 'people'
  const heard = roles.filter((role) =>
    isPlatformRole(role)
      ? byPeople && user.tenantId === PLATFORM_TENANT
      : isRoleName(role) && (byPeople || role !== 'owner'),
  )
  const rolesFrom = { ...user.rolesFrom, [source]: [...new Set(heard)].sort() }
  const all = [...rolesFrom.people, ...rolesFrom.signIn, ...rolesFrom.directory]
  return { ...user, rolesFrom, roles: [...new Set(all)].slice(0, MOST_ROLES).sort() }
}

/** The user let in or kept out by one of those who may; active when nobody keeps them out. */
export function withStatus(user: User, by: DisabledBy, status: User['status']): User {
  const others = user.disabledBy.filter((known) => known !== by)
  const disabledBy = status === 'disabled' ? [...others, by].sort() : others
  return { ...user, disabledBy, status: disabledBy.length === 0 ? 'active' : 'disabled' }
}

/**
 * The user as changed by `next`, one revision later; tokens are dead where the change took something:
 * a role, or everything by disabling.
 */
export function changedUser(user: User, next: User, nowMs: number): User {
  const narrowed = losesAccess(user, next)
  return {
    ...next,
    notBefore: narrowed ? Math.max(user.notBefore, Math.floor(nowMs / 1000)) : next.notBefore,
    revision: user.revision + 1,
    updatedAt: nowMs,
  }
}

/** Whether tokens issued before a change say more than is true after it. */
export function losesAccess(before: User, after: User): boolean {
  if (before.status === 'active' && after.status === 'disabled') return true
  return before.roles.some((role) => !after.roles.includes(role))
}

export function isActiveOwner(user: User | undefined): boolean {
  return user !== undefined && user.status === 'active' && user.roles.includes('owner')
}

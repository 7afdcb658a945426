import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { ScimFilter } from '../domain/scim/filter.ts'
import type { Group } from '../domain/scim/group.ts'
import { matches } from '../domain/scim/match.ts'
import { foldUserName } from '../domain/scim/person.ts'
import type { Resource } from '../domain/scim/resource.ts'
import { GROUP_KIND, USER_KIND } from '../domain/scim/schema.ts'
import { groupResource, userResource } from '../domain/scim/view.ts'
import { isUserId, type User, type UserId } from '../domain/user.ts'
import { openPerson, type ProvisionedUser, type ScimUsersDeps } from './scim-users.ts'

export type ScimSearch = {
  readonly ctx: TenantContext
  /** Of every location in the answer: `…/scim/v2/{tenantId}`. */
  readonly base: string
  readonly filter: ScimFilter | undefined
  /** From 1. */
  readonly startIndex: number
  readonly count: number
}

export type ScimPage = { readonly resources: readonly Resource[]; readonly totalResults: number }

const SCAN_PAGE = 500
/** A larger directory is searched by `userName`, `externalId` or `id` alone. */
const MOST_SCANNED = 10_000

/**
 * The provisioned users that a filter asks for, in the order they came.
 *
 * What directories ask all day (`userName eq`, `externalId eq`, `id eq`) is looked up; anything else
 * opens every user of the tenant, since what is sealed can only be compared after it was opened.
 */
export async function searchUsers(deps: ScimUsersDeps, search: ScimSearch): Promise<Result<ScimPage>> {
  const { base, ctx, filter } = search
  const candidates = filter === undefined ? undefined : await lookUp(deps, ctx, filter)
  const users = candidates ?? (await scan(deps, ctx))
  if (users === undefined) {
    return refuse('scim.too_many', 'too many users', 'Search so many users by userName or externalId.')
  }
  const opened = await Promise.all(users.map((user) => openPerson(deps, ctx, user)))
  const provisioned = opened.filter((person) => person !== undefined)
  const names = await groupsOf(deps, ctx, provisioned)
  const resources = provisioned.map((person) => viewOf(base, person, names))
  return ok(
    pageOf(
      search,
      filter === undefined ? resources : resources.filter((each) => matches(USER_KIND, each, filter)),
    ),
  )
}

/** One user with the names of their groups. */
export async function userView(
  deps: ScimUsersDeps,
  ctx: TenantContext,
  base: string,
  person: ProvisionedUser,
): Promise<Resource> {
  return viewOf(base, person, await groupsOf(deps, ctx, [person]))
}

export async function searchGroups(deps: ScimUsersDeps, search: ScimSearch): Promise<Result<ScimPage>> {
  const { base, ctx, filter } = search
  const resources = (await deps.groups.list(ctx)).map((group) => groupResource(base, group))
  return ok(
    pageOf(
      search,
      filter === undefined ? resources : resources.filter((each) => matches(GROUP_KIND, each, filter)),
    ),
  )
}

function pageOf({ count, startIndex }: ScimSearch, resources: readonly Resource[]): ScimPage {
  const from = startIndex - 1
  return { resources: resources.slice(from, from + count), totalResults: resources.length }
}

function viewOf(
  base: string,
  { attributes, user }: ProvisionedUser,
  groups: ReadonlyMap<string, Group>,
): Resource {
  const mine = (user.scim?.groups ?? []).map((id) => groups.get(id)).filter((group) => group !== undefined)
  return userResource(base, user, attributes, mine)
}

async function groupsOf(
  deps: ScimUsersDeps,
  ctx: TenantContext,
  people: readonly ProvisionedUser[],
): Promise<ReadonlyMap<string, Group>> {
  const ids = new Set(people.flatMap(({ user }) => user.scim?.groups ?? []))
  if (ids.size === 0) return new Map()
  const groups = ids.size > 20 ? await deps.groups.list(ctx) : await deps.groups.findMany(ctx, [...ids])
  return new Map(groups.map((group) => [group.groupId, group]))
}

/** Users that alone can match: those of one equality, wherever it stands in a conjunction. Undefined: anybody. */
async function lookUp(
  deps: ScimUsersDeps,
  ctx: TenantContext,
  filter: ScimFilter,
): Promise<readonly User[] | undefined> {
  if (filter.kind === 'and') {
    return (await lookUp(deps, ctx, filter.left)) ?? (await lookUp(deps, ctx, filter.right))
  }
  if (filter.kind !== 'compare' || filter.op !== 'eq' || typeof filter.value !== 'string') return undefined
  if (filter.path.schema !== undefined && filter.path.schema !== USER_KIND.schema.toLowerCase())
    return undefined
  if (filter.path.sub !== undefined) return undefined
  const { users, personalData } = deps
  const found = (user: User | undefined): readonly User[] => (user === undefined ? [] : [user])
  switch (filter.path.name) {
    case 'id':
      return found(isUserId(filter.value) ? await users.find(ctx, filter.value) : undefined)
    case 'username': {
      const hash = await personalData.hash(ctx, foldUserName(filter.value), 'scim-user-name')
      return found(await users.findByUserName(ctx, hash))
    }
    case 'externalid':
      return users.findByExternalId(ctx, await personalData.hash(ctx, filter.value, 'scim-external-id'))
    default:
      return undefined
  }
}

async function scan(deps: ScimUsersDeps, ctx: TenantContext): Promise<readonly User[] | undefined> {
  const all: User[] = []
  for (let after: UserId | undefined; ; ) {
    const page = await deps.users.list(ctx, { limit: SCAN_PAGE, after })
    all.push(...page)
    if (page.length < SCAN_PAGE) return all.filter((user) => user.scim !== null)
    if (all.length >= MOST_SCANNED) return undefined
    after = page.at(-1)?.userId
  }
}

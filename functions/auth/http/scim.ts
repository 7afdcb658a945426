import type { Tier } from '#shared/catalogue/tiers.ts'
import type { HandlersOf } from '#shared/http/edge.ts'
import type { ApiReply, ApiRequest, PublicHandler } from '#shared/http/types.ts'
import { parseJson } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { AuthDeps } from '../deps.ts'
import {
  listResponse,
  MOST_RESULTS,
  resourceTypes,
  schemas,
  serviceProviderConfig,
} from '../domain/scim/discovery.ts'
import { parseFilter } from '../domain/scim/filter.ts'
import { isGroupId, parseDirectoryGroup } from '../domain/scim/group.ts'
import { parsePatch } from '../domain/scim/patch.ts'
import { parsePerson } from '../domain/scim/person.ts'
import type { Resource } from '../domain/scim/resource.ts'
import { GROUP_KIND, type ResourceKind, USER_KIND } from '../domain/scim/schema.ts'
import { groupResource, parseProjection, versionOf } from '../domain/scim/view.ts'
import { authenticateApiKey } from '../operations/authenticate-api-key.ts'
import {
  createGroup,
  deleteGroup,
  patchGroup,
  replaceGroup,
  type ScimCommand,
} from '../operations/scim-groups.ts'
import { type ScimSearch, searchGroups, searchUsers, userView } from '../operations/scim-search.ts'
import {
  createPerson,
  deletePerson,
  findPerson,
  type ProvisionedUser,
  patchPerson,
  replacePerson,
} from '../operations/scim-users.ts'
import { scimReply } from '../scim-reply.ts'

type ScimOperation = Extract<keyof HandlersOf<'auth'>, `scim${string}`>

const TIERS_WITH_SCIM: readonly Tier[] = ['premium', 'enterprise']
const USUAL_COUNT = 100

/** Whose directory calls, and where its resources are. */
type Call = { readonly request: ApiRequest; readonly ctx: TenantContext; readonly base: string }
type ScimHandler = (call: Call) => Promise<Result<ApiReply>>

/**
 * SCIM 2.0 (RFC 7643, 7644): a tenant's directory keeps its users and groups here. It authenticates with
 * an API key of the tenant, at the gateway nothing is checked.
 */
export function scimHandlers(deps: AuthDeps): Pick<HandlersOf<'auth'>, ScimOperation> {
  const by = (handle: ScimHandler): PublicHandler => authenticated(deps, handle)
  return {
    scimServiceProviderConfig: by(async ({ base }) => ok(scimReply(200, serviceProviderConfig(base)))),
    scimResourceTypes: by(async ({ base }) => ok(scimReply(200, all(resourceTypes(base))))),
    scimResourceType: by(async ({ base, request }) => oneOf(resourceTypes(base), request.params['typeName'])),
    scimSchemas: by(async ({ base }) => ok(scimReply(200, all(schemas(base))))),
    ...userHandlers(deps, by),
    ...groupHandlers(deps, by),
  }
}

type By = (handle: ScimHandler) => PublicHandler
type UserOperation = Extract<ScimOperation, `scim${string}User` | `scim${string}Users`>
type GroupOperation = Extract<ScimOperation, `scim${string}Group` | `scim${string}Groups`>

function userHandlers(deps: AuthDeps, by: By): Pick<HandlersOf<'auth'>, UserOperation> {
  const reply = async (call: Call, status: number, person: Result<ProvisionedUser>) => {
    if (!person.ok) return person
    const resource = await userView(deps, call.ctx, call.base, person.value)
    return projected(call, USER_KIND, status, resource, person.value.user.revision)
  }
  return {
    scimListUsers: by((call) => listed(call, USER_KIND, (search) => searchUsers(deps, search))),
    scimGetUser: by(async (call) => {
      const person = await findPerson(deps, call.ctx, idOf(call))
      if (person === undefined) return refuse('resource.not_found', 'no such user')
      return notModified(call, person.user.revision) ?? reply(call, 200, ok(person))
    }),
    scimCreateUser: by(async (call) => {
      const body = bodyOf(call)
      const person = body.ok ? parsePerson(body.value) : body
      return person.ok ? reply(call, 201, await createPerson(deps, commandOf(call), person.value)) : person
    }),
    scimReplaceUser: by(async (call) => {
      const body = bodyOf(call)
      const person = body.ok ? parsePerson(body.value) : body
      if (!person.ok) return person
      return reply(call, 200, await replacePerson(deps, commandOf(call), idOf(call), person.value))
    }),
    scimPatchUser: by(async (call) => {
      const body = bodyOf(call)
      const patch = body.ok ? parsePatch(body.value) : body
      if (!patch.ok) return patch
      return reply(call, 200, await patchPerson(deps, commandOf(call), idOf(call), patch.value))
    }),
    scimDeleteUser: by(async (call) => gone(await deletePerson(deps, commandOf(call), idOf(call)))),
  }
}

function groupHandlers(deps: AuthDeps, by: By): Pick<HandlersOf<'auth'>, GroupOperation> {
  const reply = (call: Call, status: number, group: Awaited<ReturnType<typeof createGroup>>) =>
    group.ok
      ? projected(call, GROUP_KIND, status, groupResource(call.base, group.value), group.value.revision)
      : group
  return {
    scimListGroups: by((call) => listed(call, GROUP_KIND, (search) => searchGroups(deps, search))),
    scimGetGroup: by(async (call) => {
      const id = idOf(call)
      const group = isGroupId(id) ? await deps.groups.find(call.ctx, id) : undefined
      if (group === undefined) return refuse('resource.not_found', 'no such group')
      return notModified(call, group.revision) ?? reply(call, 200, ok(group))
    }),
    scimCreateGroup: by(async (call) => {
      const body = bodyOf(call)
      const group = body.ok ? parseDirectoryGroup(body.value) : body
      return group.ok ? reply(call, 201, await createGroup(deps, commandOf(call), group.value)) : group
    }),
    scimReplaceGroup: by(async (call) => {
      const body = bodyOf(call)
      const group = body.ok ? parseDirectoryGroup(body.value) : body
      if (!group.ok) return group
      return reply(call, 200, await replaceGroup(deps, commandOf(call), idOf(call), group.value))
    }),
    scimPatchGroup: by(async (call) => {
      const body = bodyOf(call)
      const patch = body.ok ? parsePatch(body.value) : body
      if (!patch.ok) return patch
      return reply(call, 200, await patchGroup(deps, commandOf(call), idOf(call), patch.value))
    }),
    scimDeleteGroup: by(async (call) => gone(await deleteGroup(deps, commandOf(call), idOf(call)))),
  }
}

/** Another tenant's directory gets the 404 of a tenant that does not exist, before anything of it is read. */
function authenticated(deps: AuthDeps, handle: ScimHandler): PublicHandler {
  return async (request) => {
    const presented = /^Bearer ([^\s]+)$/i.exec(request.authorization ?? '')?.[1]
    const key = await authenticateApiKey(deps, presented, 'scim', request.nowMs)
    if (!key.ok) return key
    const { ctx, state } = key.value
    if (ctx.tenantId !== request.params['tenantId']) return refuse('resource.not_found', 'foreign tenant')
    if (!TIERS_WITH_SCIM.includes(state.tier)) {
      return refuse('tier.required', state.tier, 'SCIM is part of premium and enterprise.')
    }
    const base = `${deps.issuer}/scim/v2/${ctx.tenantId}`
    const handled = await handle({ request, ctx, base })
    return handled.ok ? ok({ ...handled.value, logged: { tenantId: ctx.tenantId } }) : handled
  }
}

async function listed(
  call: Call,
  kind: ResourceKind,
  search: (
    asked: ScimSearch,
  ) => Promise<Result<{ readonly resources: readonly Resource[]; readonly totalResults: number }>>,
): Promise<Result<ApiReply>> {
  const { query } = call.request
  const filter = query['filter'] === undefined ? undefined : parseFilter(query['filter'])
  if (filter?.ok === false) return filter
  const projection = parseProjection(kind, query['attributes'], query['excludedAttributes'])
  if (!projection.ok) return projection
  const startIndex = wholeNumber(query['startIndex'], 1)
  const count = wholeNumber(query['count'], USUAL_COUNT)
  if (startIndex === undefined || count === undefined) {
    return refuse('scim.value_invalid', 'paging', 'startIndex and count are whole numbers.')
  }
  // RFC 7644 §3.4.2.4: less than 1 means 1, and a negative count none.
  const from = Math.max(1, startIndex)
  const most = Math.min(Math.max(0, count), MOST_RESULTS)
  const { base, ctx } = call
  const found = await search({ ctx, base, filter: filter?.value, startIndex: from, count: most })
  if (!found.ok) return found
  const { resources, totalResults } = found.value
  return ok(scimReply(200, listResponse(resources.map(projection.value), totalResults, from)))
}

function projected(
  { request }: Call,
  kind: ResourceKind,
  status: number,
  resource: Resource,
  revision: number,
): Result<ApiReply> {
  const { attributes, excludedAttributes } = request.query
  const projection = parseProjection(kind, attributes, excludedAttributes)
  if (!projection.ok) return projection
  const meta = resource['meta'] as { readonly location: string }
  const headers = { etag: versionOf(revision), ...(status === 201 ? { location: meta.location } : {}) }
  return ok(scimReply(status, projection.value(resource), headers))
}

function commandOf({ ctx, request }: Call): ScimCommand {
  const { nowMs, trace } = request
  const header = request.header('if-match')
  return {
    ctx,
    nowMs,
    trace,
    ifMatch: (revision) =>
      header === undefined || names(header, revision)
        ? ok(undefined)
        : refuse('request.precondition_failed', 'If-Match', 'The resource has another version by now.'),
  }
}

function notModified({ request }: Call, revision: number): Result<ApiReply> | undefined {
  const header = request.header('if-none-match')
  if (header === undefined || !names(header, revision)) return undefined
  return ok({ status: 304, headers: { etag: versionOf(revision) } })
}

/** Weak tags are what SCIM uses (RFC 7644 §3.14), for If-Match too. */
function names(header: string, revision: number): boolean {
  const tags = header.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags.includes('*') || tags.includes(`"${revision}"`)
}

function bodyOf({ request }: Call): Result<unknown> {
  return parseJson(request.body, 10)
}

function idOf({ request }: Call): string {
  return request.params['resourceId'] ?? ''
}

function wholeNumber(text: string | undefined, usual: number): number | undefined {
  if (text === undefined || text === '') return usual
  return /^-?\d{1,9}$/.test(text) ? Number(text) : undefined
}

function gone(done: Result<void>): Result<ApiReply> {
  return done.ok ? ok({ status: 204 }) : done
}

function all(resources: readonly Resource[]): Resource {
  return listResponse(resources, resources.length, 1)
}

function oneOf(resources: readonly Resource[], id: string | undefined): Result<ApiReply> {
  const found = resources.find((resource) => resource['id'] === id)
  return found === undefined ? refuse('resource.not_found', 'no such id') : ok(scimReply(200, found))
}

import { z } from 'zod'
import type { HandlersOf } from '#shared/http/edge.ts'
import { checkIfMatch, revisionTag } from '#shared/http/etag.ts'
import { claimOf } from '#shared/http/idempotency.ts'
import type { ApiReply, TenantHandler, TenantRequest } from '#shared/http/types.ts'
import { type Parse, parseJson, parser } from '#shared/json.ts'
import { ok, type Result } from '#shared/result.ts'
import type { AuthDeps } from '../deps.ts'
import { MOST_ROLES } from '../domain/role.ts'
import {
  acceptInvitation,
  getInvitation,
  invite,
  listInvitations,
  withdrawInvitation,
} from '../operations/invite.ts'
import {
  deleteUser,
  getUser,
  listUsers,
  type SeenUser,
  setUserRoles,
  setUserStatus,
  type UserCommand,
} from '../operations/manage-users.ts'
import type { PeopleCommand } from '../operations/people.ts'
import { authPages } from './pages.ts'

type PeopleOperations =
  | 'listUsers'
  | 'getUser'
  | 'changeUser'
  | 'deleteUser'
  | 'setUserRoles'
  | 'createInvitation'
  | 'listInvitations'
  | 'getInvitation'
  | 'withdrawInvitation'
  | 'acceptInvitation'

const roleName = z.string().max(64)
const parseStatus = parser(z.strictObject({ status: z.enum(['active', 'disabled']) }))
const parseRoles = parser(z.strictObject({ roles: z.array(roleName).max(MOST_ROLES) }))
const parseInvite = parser(z.strictObject({ email: z.string().max(320), role: roleName }))
const parseAcceptance = parser(z.strictObject({ token: z.string().max(200) }))

/** People of a tenant: users, their roles, invitations. */
export function peopleHandlers(deps: AuthDeps): Pick<HandlersOf<'auth'>, PeopleOperations> {
  const pages = authPages(deps.platform)
  return {
    listUsers: async (request) => {
      const page = pages.read(request)
      if (!page.ok) return page
      const { items, last } = await listUsers(deps, request.ctx, page.value)
      return ok({ status: 200, json: { items, nextPageToken: pages.next(request, last) } })
    },
    getUser: async (request) => userReply(await getUser(deps, request.ctx, userIdOf(request))),
    changeUser: withBody(parseStatus, async (request, { status }) =>
      userReply(await setUserStatus(deps, { ...userCommand(request), status })),
    ),
    deleteUser: async (request) => noContent(await deleteUser(deps, userCommand(request))),
    setUserRoles: withBody(parseRoles, async (request, { roles }) =>
      userReply(await setUserRoles(deps, { ...userCommand(request), roles: [...new Set(roles)] })),
    ),
    createInvitation: withBody(parseInvite, async (request, wanted) => {
      const claim = claimOf(request, { tenantId: request.ctx.tenantId, ...wanted })
      if (!claim.ok) return claim
      const made = await invite(deps, { ...commandOf(request), ...wanted, claim: claim.value })
      if (!made.ok) return made
      const { token, view } = made.value
      return token === undefined
        ? ok({ status: 200, headers: { 'idempotency-replayed': 'true' }, json: view })
        : ok({ status: 201, json: { ...view, token } })
    }),
    listInvitations: async (request) => {
      const page = pages.read(request)
      if (!page.ok) return page
      const found = await listInvitations(deps, request.ctx, page.value, request.nowMs)
      if (!found.ok) return found
      const { items, last } = found.value
      return ok({ status: 200, json: { items, nextPageToken: pages.next(request, last) } })
    },
    getInvitation: async (request) => {
      const found = await getInvitation(deps, request.ctx, invitationIdOf(request), request.nowMs)
      return found.ok ? ok({ status: 200, json: found.value }) : found
    },
    withdrawInvitation: async (request) =>
      noContent(
        await withdrawInvitation(deps, { ...commandOf(request), invitationId: invitationIdOf(request) }),
      ),
    acceptInvitation: withBody(parseAcceptance, async (request, { token }) => {
      const { subject } = request.token.claims
      const accepted = await acceptInvitation(deps, { ...commandOf(request), subject, token })
      return accepted.ok ? ok({ status: 200, json: accepted.value }) : accepted
    }),
  }
}

/** A handler of a JSON body of one shape. */
export function withBody<T>(
  parse: Parse<T>,
  handle: (request: TenantRequest, body: T) => Promise<Result<ApiReply>>,
): TenantHandler {
  return async (request) => {
    const json = parseJson(request.body, 8)
    if (!json.ok) return json
    const body = parse(json.value)
    return body.ok ? handle(request, body.value) : body
  }
}

/** What a change by the caller's token is made with. */
export function commandOf(request: TenantRequest): PeopleCommand {
  const { tenant, scopes, roles } = request.token.claims
  const { ctx, nowMs, trace } = request
  return { ctx, nowMs, trace, giver: { tenantId: tenant, scopes, roles } }
}

export function ifMatchOf(request: TenantRequest): (revision: number) => Result<void> {
  return (revision) => checkIfMatch(request, revisionTag(revision))
}

export function noContent(done: Result<unknown>): Result<ApiReply> {
  return done.ok ? ok({ status: 204 }) : done
}

function userCommand(request: TenantRequest): UserCommand {
  return { ...commandOf(request), userId: userIdOf(request), ifMatch: ifMatchOf(request) }
}

function userIdOf({ params }: TenantRequest): string {
  return params['userId'] ?? ''
}

function invitationIdOf({ params }: TenantRequest): string {
  return params['invitationId'] ?? ''
}

function userReply(seen: Result<SeenUser>): Result<ApiReply> {
  if (!seen.ok) return seen
  const { revision, view } = seen.value
  return ok({ status: 200, headers: { etag: revisionTag(revision) }, json: view })
}

import type { HandlersOf } from '#shared/http/edge.ts'
import type { ApiReply, TenantHandler, TenantRequest } from '#shared/http/types.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { AuthDeps } from '../deps.ts'
import type { Session } from '../domain/session.ts'
import { parseSessionId } from '../domain/session-id.ts'
import { isUserId } from '../domain/user.ts'
import { revokeAllSessions, revokeSessions } from '../operations/end-sessions.ts'
import { listSessions } from '../operations/list-sessions.ts'
import { authPages } from './pages.ts'

type SessionOperations =
  | 'listSessions'
  | 'endSessions'
  | 'endSession'
  | 'listUserSessions'
  | 'endUserSessions'
  | 'endUserSession'

const DONE: ApiReply = { status: 204 }

/**
 * The sessions of a tenant, for whoever may manage them; below a user also for that user, who sees and
 * ends their own without any scope.
 */
export function sessionHandlers(deps: AuthDeps): Pick<HandlersOf<'auth'>, SessionOperations> {
  return {
    listSessions: listHandler(deps),
    listUserSessions: listHandler(deps),
    endSession: (request) => endOne(deps, request),
    endUserSession: (request) => endOne(deps, request),
    endUserSessions: (request) => endUser(deps, request),
    endSessions: async ({ ctx, nowMs }) => {
      const ended = await revokeAllSessions(deps, { ctx, nowMs })
      return ended.ok ? ok(DONE) : ended
    },
  }
}

function listHandler(deps: AuthDeps): TenantHandler {
  const pages = authPages(deps.platform)
  return async (request) => {
    const { userId } = request.params
    if (userId !== undefined && !isUserId(userId)) return refuse('resource.not_found', 'not a user id')
    const page = pages.read(request)
    if (!page.ok) return page
    const { ctx, nowMs } = request
    const found = await listSessions(deps, { ctx, userId, page: page.value, nowMs })
    if (!found.ok) return found
    const items = found.value.sessions.map(viewOf)
    return ok({ status: 200, json: { items, nextPageToken: pages.next(request, found.value.next) } })
  }
}

/** Below a user it must be one of theirs; a session that has ended before is ended all the same. */
async function endOne(deps: AuthDeps, request: TenantRequest): Promise<Result<ApiReply>> {
  const { ctx, nowMs, trace, params } = request
  const sessionId = parseSessionId(params['sessionId'])
  if (sessionId === undefined) return refuse('resource.not_found', 'not a session id')
  const found = await deps.sessions.find(ctx, sessionId)
  const { userId } = params
  if (found === undefined || (userId !== undefined && found.session.userId !== userId)) {
    return refuse('resource.not_found', 'no such session')
  }
  const ended = await revokeSessions(deps, {
    ...{ ctx, nowMs, trace, selection: { sessionId } },
    reason: reasonOf(request, found.session.userId),
  })
  return ended.ok ? ok(DONE) : ended
}

async function endUser(deps: AuthDeps, request: TenantRequest): Promise<Result<ApiReply>> {
  const { ctx, nowMs, trace } = request
  const { userId } = request.params
  if (!isUserId(userId) || (await deps.users.find(ctx, userId)) === undefined) {
    return refuse('resource.not_found', 'no such user')
  }
  const ended = await revokeSessions(deps, {
    ...{ ctx, nowMs, trace, selection: { userId } },
    reason: reasonOf(request, userId),
  })
  return ended.ok ? ok(DONE) : ended
}

function reasonOf({ token, ctx }: TenantRequest, userId: string): 'signed_out' | 'administrator' {
  const { tenant, subject } = token.claims
  return tenant === ctx.tenantId && subject === userId ? 'signed_out' : 'administrator'
}

/** A session as it is shown: nothing that its tokens follow from. */
function viewOf(session: Session) {
  const at = (ms: number): string => new Date(ms).toISOString()
  return {
    sessionId: session.sessionId,
    userId: session.userId,
    clientId: session.clientId,
    connectionId: session.connectionId,
    scopes: session.scopes,
    acr: session.acr,
    amr: session.amr,
    authenticatedAt: at(session.authTime * 1000),
    createdAt: at(session.createdAt),
    refreshedAt: at(session.rotatedAt),
    endsWhenIdleAt: at(session.idleUntil),
    endsAt: at(session.absoluteUntil),
  }
}

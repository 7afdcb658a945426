import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { isLive, type Session } from '../domain/session.ts'
import type { UserId } from '../domain/user.ts'
import type { UserStore } from '../ports/people.ts'
import type { SessionStore } from '../ports/sessions.ts'

export type ListSessionsDeps = {
  readonly sessions: SessionStore
  readonly users: Pick<UserStore, 'find'>
}

/**
 * The live sessions of a tenant or of one user, in the order they began.
 *
 * What has expired, or ended with its user, client or tenant, is left out, so a page can hold fewer
 * than were asked for; `next` tells whether there are more.
 */
export async function listSessions(
  deps: ListSessionsDeps,
  query: {
    readonly ctx: TenantContext
    readonly userId: UserId | undefined
    readonly page: { readonly pageSize: number; readonly after: string | undefined }
    readonly nowMs: number
  },
): Promise<Result<{ readonly sessions: readonly Session[]; readonly next: string | undefined }>> {
  const { ctx, userId, page, nowMs } = query
  if (userId !== undefined && (await deps.users.find(ctx, userId)) === undefined) {
    return refuse('resource.not_found', 'no such user')
  }
  const { pageSize, after } = page
  const found = await deps.sessions.list(ctx, { userId }, { limit: pageSize + 1, after })
  if (found === undefined) return refuse('resource.not_found', 'auth knows no such tenant')
  const shown = found.slice(0, pageSize)
  return ok({
    sessions: shown
      .filter(({ session, watermarks }) => isLive(session, watermarks, nowMs))
      .map(({ session }) => session),
    next: found.length > pageSize ? shown.at(-1)?.session.sessionId : undefined,
  })
}

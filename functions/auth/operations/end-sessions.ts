import { sessionRevoked } from '#shared/contracts/events/session-revoked.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import {
  latestExpiry,
  type Revocation,
  revokeUntilNow,
  TOKEN_SKEW_SECONDS,
} from '#shared/contracts/revocation.ts'
import type { AuditEntry } from '#shared/firestore/tenant-store.ts'
import type { TenantId } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import {
  endSession,
  type Session,
  type SessionEndReason,
  WATERMARK_AHEAD_SECONDS,
} from '../domain/session.ts'
import type { SessionId } from '../domain/session-id.ts'
import {
  MOST_ENDED_AT_ONCE,
  type SessionCommit,
  type SessionSelection,
  type SessionStore,
} from '../ports/sessions.ts'

export type EndSessionsDeps = { readonly sessions: SessionStore }

export type EndSessionsCommand = {
  readonly ctx: TenantContext
  readonly selection: SessionSelection
  readonly reason: SessionEndReason
  readonly nowMs: number
  readonly trace?: Trace
}

/**
 * Ends the sessions selected: no refresh from now on, and their access tokens are refused everywhere
 * within two seconds. Tells which had not ended before; doing it again ends nothing.
 *
 * A user's sessions end with the user's watermark, in one commit however many they are: a code on its
 * way and a session just being made end with them. Throws when the store is down.
 */
export async function revokeSessions(
  deps: EndSessionsDeps,
  command: EndSessionsCommand,
): Promise<Result<readonly SessionId[]>> {
  const all: SessionId[] = []
  for (;;) {
    const ended = await endSome(deps, command)
    if (!ended.ok) return ended
    all.push(...ended.value)
    if (ended.value.length < MOST_ENDED_AT_ONCE) return ok(all)
  }
}

function endSome(deps: EndSessionsDeps, command: EndSessionsCommand): Promise<Result<readonly SessionId[]>> {
  const { ctx, selection, reason, nowMs } = command
  const wholeUser = 'userId' in selection && !('sessionId' in selection) ? selection.userId : undefined
  return deps.sessions.end(ctx, selection, (sessions, user) => {
    const ending = endingOf(sessions, { tenantId: ctx.tenantId, ...command })
    const value = sessions.map((session) => session.sessionId)
    if (wholeUser === undefined || user === undefined) return ok({ value, ...ending })
    return ok({
      value,
      ...ending,
      userNotBefore: Math.floor(nowMs / 1000),
      revocations: [...ending.revocations, revokeUntilNow('user', wholeUser, nowMs, reason)],
      audit: [...ending.audit, { action: 'auth.user.sessions_revoked', target: wholeUser, outcome: reason }],
    })
  })
}

/** Ends one session; tells whether it had not ended before. */
export async function revokeSession(
  deps: EndSessionsDeps,
  command: Omit<EndSessionsCommand, 'selection'> & { readonly sessionId: SessionId },
): Promise<Result<boolean>> {
  const ended = await revokeSessions(deps, { ...command, selection: { sessionId: command.sessionId } })
  return ended.ok ? ok(ended.value.length > 0) : ended
}

/**
 * Ends every session of the tenant, and with them every token it has, machines' too: they get new ones
 * at once, people sign in again. One commit, however many there are.
 */
export function revokeAllSessions(
  deps: EndSessionsDeps,
  { ctx, nowMs }: { readonly ctx: TenantContext; readonly nowMs: number },
): Promise<Result<void>> {
  const reason = 'administrator'
  const before = Math.floor(nowMs / 1000) + WATERMARK_AHEAD_SECONDS
  return deps.sessions.endAll(ctx, (known) => {
    if (known === undefined) return refuse('resource.not_found', 'auth knows no such tenant')
    return ok({
      value: undefined,
      notBefore: Math.max(known, before),
      revocations: [{ kind: 'tenant', id: ctx.tenantId, before, exp: latestExpiry(before), reason }],
      audit: [{ action: 'auth.tenant.sessions_revoked', target: ctx.tenantId, outcome: reason }],
    })
  })
}

export type SessionEnding = Required<
  Pick<SessionCommit<unknown>, 'sessions' | 'events' | 'revocations'> & { readonly audit: AuditEntry[] }
>

/** Everything that becomes true when sessions end; of those that have ended before, nothing. */
export function endingOf(
  sessions: readonly Session[],
  end: {
    readonly tenantId: TenantId
    readonly reason: SessionEndReason
    readonly nowMs: number
    readonly trace?: Trace
  },
): SessionEnding {
  const active = sessions.filter((session) => session.status === 'active')
  return {
    sessions: active.map((session) => endSession(session, end.reason, end.nowMs)),
    events: active.map((session) =>
      newEvent({
        id: `session-revoked:${session.sessionId}`,
        source: '//energent.ai/auth',
        type: sessionRevoked.type,
        tenantId: end.tenantId,
        nowMs: end.nowMs,
        data: {
          tenantId: end.tenantId,
          sessionId: session.sessionId,
          userId: session.userId,
          clientId: session.clientId,
          reason: end.reason,
          at: new Date(end.nowMs).toISOString(),
        },
        ...(end.trace === undefined ? {} : { trace: end.trace }),
      }),
    ),
    revocations: active.map((session) => allTokensOf(session, end.reason, end.nowMs)),
    audit: active.map((session) => ({
      action: 'auth.session.revoked',
      target: session.sessionId,
      outcome: end.reason,
    })),
  }
}

/** A session never comes back, so its tokens are refused even if another clock ran ahead when it issued them. */
function allTokensOf(session: Session, reason: string, nowMs: number): Revocation {
  const before = Math.floor(nowMs / 1000) + TOKEN_SKEW_SECONDS
  return { kind: 'session', id: session.sessionId, before, exp: latestExpiry(before), reason }
}

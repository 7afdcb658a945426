import type { SessionLimits } from '#shared/catalogue/tiers.ts'
import { sessionCreated } from '#shared/contracts/events/session-created.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import type { Ids } from '#shared/ids.ts'
import type { Trace } from '#shared/trace.ts'
import { ACCESS_TOKEN_LIFE_SECONDS } from '../domain/access-token.ts'
import type { IssuedCode } from '../domain/authorization-code.ts'
import type { Client } from '../domain/client.ts'
import { isLive, type Session } from '../domain/session.ts'
import { newSessionId } from '../domain/session-id.ts'
import type { SessionCommit } from '../ports/sessions.ts'
import { endingOf } from './end-sessions.ts'

const DAY_MS = 24 * 3_600_000
const SALT_BYTES = 16

/** A sign-in that was proven, and where it takes place. */
export type SessionStart = {
  readonly client: Client
  /** How many sessions they may have here, and for how long. */
  readonly limits: SessionLimits
  readonly code: IssuedCode
  /** The key of the client's proof, if it sent one. */
  readonly jkt: string | undefined
  readonly pepperVersion: number
  /** Of tenant, user and client, in seconds: the session begins after them. */
  readonly watermarks: readonly number[]
  /** The user's sessions that have not ended. */
  readonly active: readonly Session[]
  readonly nowMs: number
  readonly trace: Trace
}

/**
 * The session of a new sign-in, and the end of the user's oldest ones where the tier allows no more.
 *
 * Only public clients' refresh tokens are bound to their DPoP key: those of others are bound to the
 * client's own authentication, and its key may change (RFC 9449 §5). Without the grant there is no
 * refresh token, and the session lasts as long as its access token.
 */
export function startSession(
  deps: { readonly ids: Ids },
  start: SessionStart,
): SessionCommit<Session> & { readonly sessions: readonly Session[] } {
  const session = newSession(deps.ids, start)
  const { tenantId } = start.client
  const tooMany = oldestBeyond(start)
  const ending = endingOf(tooMany, {
    tenantId,
    reason: 'session_limit',
    nowMs: start.nowMs,
    trace: start.trace,
  })
  const created = newEvent({
    id: `session-created:${session.sessionId}`,
    source: '//energent.ai/auth',
    type: sessionCreated.type,
    tenantId,
    nowMs: start.nowMs,
    trace: start.trace,
    data: {
      tenantId,
      sessionId: session.sessionId,
      userId: session.userId,
      clientId: session.clientId,
      connectionId: session.connectionId,
      at: new Date(start.nowMs).toISOString(),
    },
  })
  return {
    value: session,
    sessions: [session, ...ending.sessions],
    events: [created, ...ending.events],
    revocations: ending.revocations,
    audit: [{ action: 'auth.session.created', target: session.sessionId }, ...ending.audit],
  }
}

function newSession(ids: Ids, { client, limits, code, jkt, watermarks, ...start }: SessionStart): Session {
  const { nowMs } = start
  const refreshes = client.grants.includes('refresh_token')
  const { refreshIdleDays, refreshAbsoluteDays } = limits
  const absoluteMs = refreshes ? refreshAbsoluteDays * DAY_MS : ACCESS_TOKEN_LIFE_SECONDS * 1000
  return {
    sessionId: newSessionId(ids, nowMs),
    userId: code.userId,
    clientId: client.clientId,
    salt: ids.bytes(SALT_BYTES).toString('base64url'),
    counter: refreshes ? 1 : 0,
    pepperVersion: start.pepperVersion,
    rotatedAt: nowMs,
    rotatedScopes: code.scopes,
    scopes: code.scopes,
    openid: code.openid,
    jkt: client.authMethod === 'none' ? (jkt ?? null) : null,
    connectionId: code.connectionId,
    idpSid: code.idpSid,
    acr: code.acr,
    amr: code.amr,
    authTime: code.authTime,
    issuedAt: Math.max(Math.floor(nowMs / 1000), ...watermarks.map((watermark) => watermark + 1)),
    createdAt: nowMs,
    idleUntil: nowMs + Math.min(refreshIdleDays * DAY_MS, absoluteMs),
    absoluteUntil: nowMs + absoluteMs,
    status: 'active',
    endedAt: null,
    endReason: null,
  }
}

/** Those that have to go so that one more is not too many, the oldest first; what has expired does not count. */
function oldestBeyond({ limits, active, watermarks, nowMs }: SessionStart): readonly Session[] {
  const live = active
    .filter((session) => isLive(session, watermarks, nowMs))
    .sort((left, right) => (left.sessionId < right.sessionId ? -1 : 1))
  const room = limits.sessionsPerUser - 1
  return live.slice(0, Math.max(0, live.length - room))
}

import type { Scope } from '#shared/catalogue/scopes.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { refuseRefresh } from './refresh-token.ts'
import { isLive, type Session } from './session.ts'

/** How long after a rotation the token before still gets its successor. */
export const GRACE_MS = 30_000
/** An ended session is kept so long, for whoever asks what became of it. */
const ENDED_KEPT_MS = 7 * 24 * 3_600_000
const EXPIRED_KEPT_MS = 24 * 3_600_000

/** An authentic token, and what comes with it. */
export type RefreshAttempt = {
  readonly counter: number
  /** The scopes asked for: undefined asks for all of the session's. */
  readonly asked: readonly string[] | undefined
  readonly jkt: string | undefined
}

/**
 * What a refresh comes to:
 * `rotate`: the newest token, which gets a successor;
 * `repeat`: the one before, just after it was rotated: the answer was lost, and the same successor is
 * told again;
 * `reused`: any older one, or the one before too late: somebody else has it, and the session must end.
 */
export type RefreshJudgement = {
  readonly kind: 'rotate' | 'repeat' | 'reused'
  /** What of the session's scopes the request is for. */
  readonly scopes: readonly Scope[]
  /** Whether it is for an ID token too. */
  readonly openid: boolean
}

/**
 * Judges an authentic token against its session (RFC 9700 §4.14.2).
 *
 * A bound token with another key says nothing, not even that the session is to end: it cannot be used
 * without the key, so whoever sends it could only want to sign the person out. The same holds of a
 * session that is over. A repetition gets no more than the request it repeats: the token before is the
 * one that a thief is likeliest to have.
 */
export function judgeRefresh(
  session: Session,
  attempt: RefreshAttempt,
  watermarks: readonly number[],
  nowMs: number,
): Result<RefreshJudgement> {
  if (!isLive(session, watermarks, nowMs)) return refuseRefresh('the session is over')
  if (session.jkt !== null && session.jkt !== attempt.jkt) return refuseRefresh('another DPoP key')
  if (attempt.counter > session.counter) return refuseRefresh('a token that was never made')
  if (attempt.counter === session.counter) return narrowed('rotate', session, session.scopes, attempt.asked)
  const inGrace = nowMs - session.rotatedAt <= GRACE_MS
  return attempt.counter === session.counter - 1 && inGrace
    ? narrowed('repeat', session, session.rotatedScopes, attempt.asked)
    : ok({ kind: 'reused', scopes: [], openid: false })
}

function narrowed(
  kind: 'rotate' | 'repeat',
  { openid }: Session,
  scopes: readonly Scope[],
  asked: readonly string[] | undefined,
): Result<RefreshJudgement> {
  if (asked === undefined) return ok({ kind, scopes, openid })
  const allowed = scopes.filter((scope) => asked.includes(scope))
  // Many clients name `openid` at each refresh, as they did at the sign-in.
  const known = openid && asked.includes('openid')
  return allowed.length + (known ? 1 : 0) === asked.length
    ? ok({ kind, scopes: allowed, openid: known })
    : refuse('scope.invalid', 'more than was granted', 'A scope is not part of the grant.')
}

/** The session once its newest token has a successor, made with the newest pepper. */
export function rotateSession(
  session: Session,
  rotation: {
    readonly scopes: readonly Scope[]
    readonly pepperVersion: number
    readonly idleMs: number
    readonly nowMs: number
  },
): Session {
  return {
    ...session,
    counter: session.counter + 1,
    pepperVersion: rotation.pepperVersion,
    rotatedAt: rotation.nowMs,
    rotatedScopes: rotation.scopes,
    idleUntil: Math.min(rotation.nowMs + rotation.idleMs, session.absoluteUntil),
  }
}

/** From when on a stored session may go. */
export function keptUntil(session: Session): number {
  return session.endedAt === null ? session.idleUntil + EXPIRED_KEPT_MS : session.endedAt + ENDED_KEPT_MS
}

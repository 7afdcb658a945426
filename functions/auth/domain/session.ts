import { z } from 'zod'
import type { Scope } from '#shared/catalogue/scopes.ts'
import { parser } from '#shared/json.ts'
import type { ClientId } from './client-id.ts'
import { isScope } from './scope.ts'
import { parseSessionId, type SessionId } from './session-id.ts'

/** Why a session ended; it stands in the event and the audit. */
export const SESSION_END_REASONS = [
  'signed_out',
  'administrator',
  'idp_logout',
  'refresh_reuse',
  'code_reuse',
  'session_limit',
  'user_disabled',
  'revocation_requested',
  'token_revoked',
] as const
export type SessionEndReason = (typeof SESSION_END_REASONS)[number]

/**
 * One sign-in of a person at one client, as stored in `auth_sessions/{sessionId}`.
 *
 * No refresh token is stored, not even as a hash: they are computed from `salt`, `counter` and a pepper.
 */
export type Session = {
  readonly sessionId: SessionId
  readonly userId: string
  readonly clientId: ClientId
  /** 16 random bytes, base64url. */
  readonly salt: string
  /** The number of the newest refresh token, from 1; 0 while the session has none. */
  readonly counter: number
  /** The pepper that the newest refresh token is made with. */
  readonly pepperVersion: number
  /** When the newest refresh token was made. */
  readonly rotatedAt: number
  /** What the request that made it got: a repetition gets no more. */
  readonly rotatedScopes: readonly Scope[]
  /** The most that its tokens may hold. */
  readonly scopes: readonly Scope[]
  /** Whether its client is told who has signed in. */
  readonly openid: boolean
  /** The DPoP key that its refresh tokens are bound to: public clients' only (RFC 9449 §5). */
  readonly jkt: string | null
  readonly connectionId: string
  readonly idpSid: string | null
  readonly acr: string | null
  readonly amr: readonly string[]
  /** When the person signed in at their identity provider, in seconds. */
  readonly authTime: number
  /** The second it counts from: a watermark of tenant, user or client at or after it ends it. */
  readonly issuedAt: number
  readonly createdAt: number
  readonly idleUntil: number
  readonly absoluteUntil: number
  readonly status: 'active' | 'ended'
  readonly endedAt: number | null
  readonly endReason: SessionEndReason | null
}

const instant = z.number().int()
const nullableText = z.string().nullable()
const scopes = z.array(z.string()).transform((values) => values.filter(isScope))

/** Reads a stored session. A scope that the catalogue no longer has is gone, not an error. */
export const parseSession = parser<Session>(
  z.object({
    sessionId: z.string().transform((value, context): SessionId => {
      const parsed = parseSessionId(value)
      if (parsed !== undefined) return parsed
      context.addIssue({ code: 'custom', message: 'not a session id' })
      return z.NEVER
    }),
    userId: z.string(),
    clientId: z.string().transform((value) => value as ClientId),
    salt: z.string(),
    counter: instant.nonnegative(),
    pepperVersion: instant,
    rotatedAt: instant,
    rotatedScopes: scopes,
    scopes,
    openid: z.boolean().default(false),
    jkt: nullableText,
    connectionId: z.string(),
    idpSid: nullableText,
    acr: nullableText,
    amr: z.array(z.string()),
    authTime: instant,
    issuedAt: instant,
    createdAt: instant,
    idleUntil: instant,
    absoluteUntil: instant,
    status: z.enum(['active', 'ended']),
    endedAt: instant.nullable(),
    endReason: z.enum(SESSION_END_REASONS).nullable(),
  }),
)

/**
 * How far ahead a watermark of a tenant or client is set: a token may be asked for after the request that
 * sets it, and be minted before its commit.
 */
export const WATERMARK_AHEAD_SECONDS = 2

/** Whether the session still stands at this instant; `watermarks` are seconds of its tenant, user and client. */
export function isLive(session: Session, watermarks: readonly number[], nowMs: number): boolean {
  return (
    session.status === 'active' &&
    nowMs < session.idleUntil &&
    nowMs < session.absoluteUntil &&
    watermarks.every((watermark) => session.issuedAt > watermark)
  )
}

/** The session as it stands once it has ended; one that has ended before keeps its first reason. */
export function endSession(session: Session, reason: SessionEndReason, nowMs: number): Session {
  if (session.status === 'ended') return session
  return { ...session, status: 'ended', endedAt: nowMs, endReason: reason }
}

import { asRecord } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { Connection } from './connection.ts'

/** What a provider asks to end (OpenID Connect Back-Channel Logout 1.0 §2.4): a session, or all of a person. */
export type LogoutRequest = {
  readonly jti: string
  readonly sub: string | undefined
  readonly sid: string | undefined
  /** When the token itself ends, in seconds: as long as it must not be taken again. */
  readonly expSeconds: number
}

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const SKEW_SECONDS = 30
/** A logout token is made when it is sent. */
const OLDEST_SECONDS = 300
const LONGEST_LIFE_SECONDS = 3_600

/** Reads the claims of a logout token whose signature was verified (§2.6, steps 3 to 8). */
export function readLogoutToken(
  claims: Readonly<Record<string, unknown>>,
  connection: Pick<Connection, 'issuer' | 'clientId'>,
  nowMs: number,
): Result<LogoutRequest> {
  const { iss, aud, iat, exp, jti, sub, sid, events, nonce } = claims
  const now = nowMs / 1000
  if (iss !== connection.issuer) return refuseToken('iss')
  if (!(Array.isArray(aud) ? aud : [aud]).includes(connection.clientId)) return refuseToken('aud')
  if (!isInstant(iat) || iat > now + SKEW_SECONDS || iat < now - OLDEST_SECONDS - SKEW_SECONDS)
    return refuseToken('iat')
  // Required since 2023; older providers leave it out, and then `iat` bounds it.
  if (
    exp !== undefined &&
    (!isInstant(exp) || exp <= now - SKEW_SECONDS || exp - iat > LONGEST_LIFE_SECONDS)
  ) {
    return refuseToken('exp')
  }
  if (!isText(jti)) return refuseToken('jti')
  if (asRecord(asRecord(events)?.[EVENT]) === undefined) return refuseToken('events')
  if (nonce !== undefined) return refuseToken('nonce')
  if (![sub, sid].every((value) => value === undefined || isText(value))) return refuseToken('sub or sid')
  if (sub === undefined && sid === undefined) return refuseToken('neither sub nor sid')
  const longest = iat + OLDEST_SECONDS + 2 * SKEW_SECONDS
  return ok({
    jti,
    sub: sub === undefined ? undefined : String(sub),
    sid: sid === undefined ? undefined : String(sid),
    expSeconds: Math.max(longest, isInstant(exp) ? exp + SKEW_SECONDS : 0),
  })
}

function isInstant(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 255 && value.isWellFormed()
}

export function refuseToken(detail: string) {
  return refuse('logout.invalid', detail, 'The logout token is not valid.')
}

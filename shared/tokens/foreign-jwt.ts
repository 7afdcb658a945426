import { asRecord, checkJson, parseJsonText } from '../json.ts'
import { ok, type Result, refuse } from '../result.ts'
import { type JwtParts, splitJwt } from './strict-jwt.ts'

/** A JWT of another issuer that has the right form; nothing of it is verified yet. */
export type ForeignJwt = JwtParts & {
  readonly alg: string
  readonly kid: string | undefined
  readonly typ: string | undefined
}

export type ForeignJwtOptions = {
  /** The header members that may be there; what identity providers send unless told. */
  readonly members?: readonly string[]
  readonly maxBytes?: number
}

/**
 * What the header of an ID token, a service-account token or a client assertion may hold. The
 * thumbprints of certificates are sent by common providers and looked at by nobody; whatever names a
 * key or where to get one (`jwk`, `jku`, `x5u`, `x5c`), and whatever changes how the token is read
 * (`crit`, `b64`, `zip`, `cty`), is refused.
 */
export const FOREIGN_MEMBERS: readonly string[] = ['alg', 'typ', 'kid', 'x5t', 'x5t#S256']
/** RFC 9449 §4.2: a DPoP proof brings its own key. */
export const DPOP_MEMBERS: readonly string[] = ['alg', 'typ', 'jwk']

const MOST_BYTES = 16 * 1024
const MOST_DEPTH = 8
const MOST_KID_LENGTH = 256

/**
 * The checks before any cryptography on a JWT that somebody else made (RFC 8725): size, three canonical
 * base64url parts, UTF-8, JSON without a member twice, and a header of known members.
 *
 * Unlike our own tokens the JSON may be spelled in any way: with white space, escapes, any order.
 */
export function splitForeignJwt(token: string, options: ForeignJwtOptions = {}): Result<ForeignJwt> {
  const { members = FOREIGN_MEMBERS, maxBytes = MOST_BYTES } = options
  const parts = splitJwt(token, { maxBytes, parse: parseStrict })
  if (!parts.ok) return parts
  const named = readForeignHeader(parts.value.header, members)
  return named.ok ? ok({ ...parts.value, ...named.value }) : named
}

/** What a header names, if it has no members but the ones it may have. */
export function readForeignHeader(
  header: Readonly<Record<string, unknown>>,
  members: readonly string[] = FOREIGN_MEMBERS,
): Result<Pick<ForeignJwt, 'alg' | 'kid' | 'typ'>> {
  const extra = Object.keys(header).find((member) => !members.includes(member))
  if (extra !== undefined) return refuse('token.invalid', `header member ${extra.slice(0, 40)}`)
  const { alg, kid, typ } = header
  if (typeof alg !== 'string' || alg.length > 20) return refuse('token.invalid', 'no alg')
  if (kid !== undefined && !(typeof kid === 'string' && kid !== '' && kid.length <= MOST_KID_LENGTH)) {
    return refuse('token.invalid', 'kid is not a text')
  }
  if (typ !== undefined && typeof typ !== 'string') return refuse('token.invalid', 'typ is not a text')
  return ok({ alg, kid, typ })
}

function parseStrict(segment: string): Record<string, unknown> | undefined {
  const bytes = Buffer.from(segment, 'base64url')
  const value = parseJsonText(bytes)
  return value.ok && checkJson(value.value, MOST_DEPTH).ok ? asRecord(value.value) : undefined
}

export type ForeignTimes = {
  readonly nowMs: number
  /** The longest a token may live, from `iat` to `exp`, in seconds. */
  readonly longestLifeSeconds: number
}

const SKEW_SECONDS = 30

/**
 * Whether a foreign token is valid now: `exp` and `iat` there, all times whole seconds, issued in the
 * past, not expired, and living no longer than its kind may. Clocks may differ by 30 s.
 */
export function checkForeignTimes(
  payload: Readonly<Record<string, unknown>>,
  { nowMs, longestLifeSeconds }: ForeignTimes,
): Result<{ readonly issuedAt: number; readonly expiresAt: number }> {
  const { exp, iat, nbf } = payload
  const now = Math.floor(nowMs / 1000)
  if (!isSecond(exp) || !isSecond(iat)) return refuse('token.invalid', 'exp and iat must be whole seconds')
  if (nbf !== undefined && !isSecond(nbf)) return refuse('token.invalid', 'nbf must be whole seconds')
  if (iat > now + SKEW_SECONDS) return refuse('token.invalid', 'issued in the future')
  if (nbf !== undefined && nbf > now + SKEW_SECONDS) return refuse('token.invalid', 'not valid yet')
  if (exp + SKEW_SECONDS <= now) return refuse('token.invalid', 'expired')
  if (exp <= iat || exp - iat > longestLifeSeconds) return refuse('token.invalid', 'lives too long')
  return ok({ issuedAt: iat, expiresAt: exp })
}

function isSecond(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

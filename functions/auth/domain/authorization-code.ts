import { createHash, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import type { Scope } from '#shared/catalogue/scopes.ts'
import { type Branded, hashedId } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import { ok, type Refusal, type Result, refuse } from '#shared/result.ts'
import { checksumOf, withoutChecksum } from './checksum.ts'
import type { ClientId } from './client-id.ts'
import { isScope } from './scope.ts'
import type { SessionId } from './session-id.ts'

/** `dco_` + 43 base64url characters (256 bits) + a six-character checksum. Only its hash is stored. */
export type AuthorizationCode = Branded<'AuthorizationCode'>

/** What is stored of a code, in `auth_codes/{codeHash}`: everything that its tokens will say. */
export type IssuedCode = {
  /** The document's id: `hashOfCode(code)`. */
  readonly codeHash: string
  readonly clientId: ClientId
  readonly userId: string
  /** Exactly as it was sent to the authorization endpoint. */
  readonly redirectUri: string
  /** S256, always there: nobody gets a code without one (RFC 9700 §2.1.1). */
  readonly codeChallenge: string
  /** What was asked and both the client and the user's roles allow; looked at again when redeemed. */
  readonly scopes: readonly Scope[]
  /** Whether `openid` was asked for: then an ID token comes with the access token. */
  readonly openid: boolean
  readonly nonce: string | null
  readonly acr: string | null
  readonly amr: readonly string[]
  /** When the person signed in at their identity provider, in seconds. */
  readonly authTime: number
  readonly connectionId: string
  /** The session at the identity provider, for its back-channel logout. */
  readonly idpSid: string | null
  /** The key that has to redeem it (RFC 9449 §10). */
  readonly dpopJkt: string | null
  /** The session that was made from it. */
  readonly sessionId: SessionId | null
  readonly expiresAtMs: number
  readonly usedAtMs: number | null
}

/** What a client shows with the code. */
export type CodeProof = {
  readonly clientId: ClientId
  readonly redirectUri: string | undefined
  readonly codeVerifier: string | undefined
  readonly jkt: string | undefined
}

export const CODE_LIFE_MS = 60_000
/** How long a used code is remembered, so that its second use is recognised. */
export const CODE_REMEMBERED_MS = 24 * 3_600_000

const CODE = /^dco_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}$/
const CODE_BYTES = 32
/** RFC 7636 §4.1. */
const VERIFIER = /^[A-Za-z0-9._~-]{43,128}$/
/** 32 bytes of SHA-256; the last character has two spare bits, which are zero. */
const CHALLENGE = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/

/** Makes a code of 32 random bytes. */
export function newAuthorizationCode(random: Uint8Array): AuthorizationCode {
  if (random.length !== CODE_BYTES) throw new RangeError(`a code takes ${CODE_BYTES} random bytes`)
  const body = `dco_${Buffer.from(random).toString('base64url')}`
  return `${body}${checksumOf(body)}` as AuthorizationCode
}

/** Refuses what cannot be a code of ours before anything is read. */
export function parseAuthorizationCode(value: unknown): Result<AuthorizationCode> {
  return typeof value === 'string' && CODE.test(value) && withoutChecksum(value) !== undefined
    ? ok(value as AuthorizationCode)
    : refuseCode('not a code')
}

/** Where a code is stored. */
export function hashOfCode(code: AuthorizationCode): string {
  return hashedId('code', code)
}

/** Whether `value` can be an S256 challenge: canonical base64url of 32 bytes (RFC 7636 §4.2). */
export function isCodeChallenge(value: unknown): value is string {
  return typeof value === 'string' && CHALLENGE.test(value)
}

/**
 * What a presented code is good for: `fresh` may be redeemed, `reused` was redeemed before and its
 * session has to end (RFC 6749 §4.1.2).
 *
 * Only a request that proves everything counts as a second use: whoever merely saw the code in a URL
 * must not be able to sign the person out. An expired code that was used is still `reused`.
 */
export function judgeCode(
  code: IssuedCode | undefined,
  proof: CodeProof,
  nowMs: number,
): Result<'fresh' | 'reused'> {
  if (code === undefined) return refuseCode('unknown code')
  if (code.clientId !== proof.clientId) return refuseCode('code of another client')
  if (code.redirectUri !== proof.redirectUri) return refuseCode('another redirect_uri')
  if (!matchesChallenge(code.codeChallenge, proof.codeVerifier)) return refuseCode('wrong code_verifier')
  if (code.dpopJkt !== null && code.dpopJkt !== proof.jkt) return refuseCode('another DPoP key')
  if (code.usedAtMs !== null) return ok('reused')
  if (nowMs >= code.expiresAtMs) return refuseCode('expired code')
  return ok('fresh')
}

function matchesChallenge(challenge: string, verifier: string | undefined): boolean {
  if (verifier === undefined || !VERIFIER.test(verifier) || !CHALLENGE.test(challenge)) return false
  const digest = createHash('sha256').update(verifier, 'ascii').digest()
  return timingSafeEqual(digest, Buffer.from(challenge, 'base64url'))
}

/** One hint for all: which part did not fit is for the log alone. */
export function refuseCode(detail: string): Refusal {
  return refuse(
    'grant.invalid',
    detail,
    'The code is unknown, used or expired, or not for this client and request.',
  )
}

const nullableText = z.string().nullable()

/** Reads a stored code. A scope that the catalogue no longer has is gone, not an error. */
export const parseIssuedCode = parser<IssuedCode>(
  z.object({
    codeHash: z.string(),
    clientId: z.string().transform((value) => value as ClientId),
    userId: z.string(),
    redirectUri: z.string(),
    codeChallenge: z.string(),
    scopes: z.array(z.string()).transform((scopes) => scopes.filter(isScope)),
    openid: z.boolean(),
    nonce: nullableText,
    acr: nullableText,
    amr: z.array(z.string()),
    authTime: z.number().int(),
    connectionId: z.string(),
    idpSid: nullableText,
    dpopJkt: nullableText,
    sessionId: nullableText.transform((value) => value as SessionId | null),
    expiresAtMs: z.number().int(),
    usedAtMs: z.number().int().nullable(),
  }),
)

import type { IncomingMessage } from 'node:http'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { z } from 'zod'
import type { Clock } from '../clock.ts'
import type { Config } from '../config.ts'
import { DependencyFailed } from '../deadline.ts'
import { parser } from '../json.ts'
import { ok, type Result, refuse } from '../result.ts'

/** The Google service account that called us, as its ID token says. */
export type CallerEmail = string

/**
 * Proves who made this very call: the gateway, the scheduler or a push subscription (contracts §1).
 *
 * `header` reads a request header that may stand only once.
 */
export type CallerVerifier = (header: (name: string) => string | undefined) => Promise<Result<CallerEmail>>

/**
 * The headers of a request as a caller verifier reads them.
 *
 * Repeated values are joined, which no check accepts: nobody can know which of them was verified
 * before us, and a header that must not be there is there however often.
 */
export function callerHeader(request: IncomingMessage): (name: string) => string | undefined {
  return (name) => request.headersDistinct[name]?.join(', ')
}

/** What Cloud Run puts in place of a signature it has verified. */
export const REMOVED_SIGNATURE = 'SIGNATURE_REMOVED_BY_GOOGLE'

const parseClaims = parser(
  z.object({
    iss: z.string(),
    aud: z.string(),
    exp: z.number(),
    email: z.string(),
    email_verified: z.literal(true),
  }),
  'caller.untrusted',
)

export function callerVerifier(config: Config, clock: Clock): CallerVerifier {
  const claimsOf = config.CALLER_CHECK === 'jwks' ? verifiedClaims(config, clock) : platformClaims
  return async (header) => {
    if (config.CALLER_CHECK === 'direct') return ok('direct')
    // Cloud Run checks this header instead of Authorization when it is there, so Authorization proves nothing.
    if (header('x-serverless-authorization') !== undefined) {
      return refuse('caller.untrusted', 'X-Serverless-Authorization is not accepted')
    }
    const token = /^Bearer ([A-Za-z0-9._-]+)$/i.exec(header('authorization') ?? '')?.[1]
    if (token === undefined) return refuse('caller.untrusted', 'no bearer token of the caller')
    const payload = await claimsOf(token)
    if (!payload.ok) return payload
    const claims = parseClaims(payload.value)
    if (!claims.ok) return refuse('caller.untrusted', claims.detail)
    if (claims.value.iss !== config.CALLER_ISSUER) return refuse('caller.untrusted', 'issuer')
    if (claims.value.aud !== config.FUNCTION_URI) return refuse('caller.untrusted', 'audience')
    if (claims.value.exp * 1000 <= clock.now()) return refuse('caller.untrusted', 'expired')
    return ok(claims.value.email)
  }
}

/** Cloud Run has verified the token and removed its signature; one that still has it was not verified. */
async function platformClaims(token: string): Promise<Result<unknown>> {
  const [, payload, signature, ...rest] = token.split('.')
  if (payload === undefined || signature !== REMOVED_SIGNATURE || rest.length > 0) {
    return refuse('caller.untrusted', 'the platform did not verify this token')
  }
  try {
    return ok(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')))
  } catch {
    return refuse('caller.untrusted', 'payload is not JSON')
  }
}

function verifiedClaims(config: Config, clock: Clock): (token: string) => Promise<Result<unknown>> {
  const keys = createRemoteJWKSet(new URL(config.CALLER_JWKS_URI), {
    timeoutDuration: 2_500,
    cooldownDuration: 2_000,
  })
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, keys, {
        algorithms: ['RS256'],
        currentDate: new Date(clock.now()),
      })
      return ok(payload)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : ''
      if (ABOUT_THE_TOKEN.has(code)) return refuse('caller.untrusted', code)
      throw new DependencyFailed("the keys of callers' tokens cannot be read", { cause: error })
    }
  }
}

/** Errors of jose that the token itself caused; with any other, the keys may be there next time. */
const ABOUT_THE_TOKEN = new Set([
  'ERR_JOSE_ALG_NOT_ALLOWED',
  'ERR_JOSE_NOT_SUPPORTED',
  'ERR_JWKS_NO_MATCHING_KEY',
  'ERR_JWS_INVALID',
  'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
  'ERR_JWT_CLAIM_VALIDATION_FAILED',
  'ERR_JWT_EXPIRED',
  'ERR_JWT_INVALID',
])

import { REFUSALS, type RefusalCode } from '../refusals.ts'
import type { Refusal } from '../result.ts'
import { DPOP_ALGS } from '../tokens/dpop-proof.ts'
import type { ApiReply } from './types.ts'

/**
 * A refusal as `application/problem+json` (RFC 9457).
 *
 * Built from the code's table entry and the public hint alone: what the refusal's `detail` says is
 * for the log. The 404 of somebody else's resource and of a missing one are therefore the same bytes
 * but for the request id.
 */
export function problemReply(refusal: Refusal, requestId: string, scheme?: TokenScheme): ApiReply {
  const { status, title } = REFUSALS[refusal.code]
  const hint = status === 404 ? undefined : refusal.hint
  return {
    status,
    headers: { 'content-type': 'application/problem+json', ...challengeOf(refusal, scheme) },
    json: {
      type: `urn:energent:error:${refusal.code}`,
      title,
      status,
      code: refusal.code,
      ...(hint === undefined ? {} : { detail: hint }),
      requestId,
    },
  }
}

/** How a caller showed an access token, if it did. */
export type TokenScheme = 'Bearer' | 'DPoP'

/** The headers that tell a caller how to do better: another token or proof (RFC 6750 §3, RFC 9449 §7.1), or when. */
export function challengeOf(refusal: Refusal, scheme: TokenScheme = 'Bearer'): Record<string, string> {
  const error = CHALLENGES[refusal.code]
  if (error !== undefined) {
    const maxAge = refusal.maxAgeSeconds === undefined ? '' : `, max_age="${refusal.maxAgeSeconds}"`
    const byProof = scheme === 'DPoP' || refusal.code === 'token.proof_invalid'
    const challenge = byProof
      ? `DPoP error="${error}"${maxAge}, algs="${DPOP_ALGS.join(' ')}"`
      : `Bearer error="${error}"${maxAge}`
    return { 'www-authenticate': challenge }
  }
  const { status } = REFUSALS[refusal.code]
  // Callers that are told to come back must be told when.
  return status === 429 || status === 503 ? { 'retry-after': String(refusal.retryAfterSeconds ?? 1) } : {}
}

const CHALLENGES: Partial<Record<RefusalCode, string>> = {
  'token.invalid': 'invalid_token',
  'token.insufficient_scope': 'insufficient_scope',
  'token.sign_in_too_old': 'insufficient_user_authentication',
  'token.proof_invalid': 'invalid_dpop_proof',
}

import { REFUSALS } from '../refusals.ts'
import type { Refusal } from '../result.ts'
import type { ApiReply } from './types.ts'

/**
 * A refusal as `application/problem+json` (RFC 9457).
 *
 * Built from the code's table entry and the public hint alone: what the refusal's `detail` says is
 * for the log. The 404 of somebody else's resource and of a missing one are therefore the same bytes
 * but for the request id.
 */
export function problemReply(refusal: Refusal, requestId: string): ApiReply {
  const { status, title } = REFUSALS[refusal.code]
  const hint = status === 404 ? undefined : refusal.hint
  return {
    status,
    headers: { 'content-type': 'application/problem+json', ...challengeOf(refusal, status) },
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

function challengeOf(refusal: Refusal, status: number): Record<string, string> {
  if (refusal.code === 'token.invalid') return { 'www-authenticate': 'Bearer error="invalid_token"' }
  if (refusal.code === 'token.insufficient_scope') {
    return { 'www-authenticate': 'Bearer error="insufficient_scope"' }
  }
  // Callers that are told to come back must be told when.
  return status === 429 || status === 503 ? { 'retry-after': '1' } : {}
}

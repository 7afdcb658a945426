import { challengeOf } from '#shared/http/problem.ts'
import type { ApiReply } from '#shared/http/types.ts'
import { REFUSALS, type RefusalCode } from '#shared/refusals.ts'
import type { Refusal } from '#shared/result.ts'
import type { TokenAnswer } from './operations/grant-request.ts'

/** RFC 6749 §5.1: an answer with a token, and every error beside it, is kept by nobody. */
export const NOT_STORED = { 'cache-control': 'no-store', pragma: 'no-cache' }

const BASIC_CHALLENGE = 'Basic realm="token", charset="UTF-8"'

/** Our codes in the words of OAuth (RFC 6749 §5.2, RFC 8707 §2). */
export const OAUTH_ERRORS: Partial<Record<RefusalCode, string>> = {
  'client.invalid': 'invalid_client',
  'client.unauthorized': 'unauthorized_client',
  'grant.invalid': 'invalid_grant',
  'grant.unsupported': 'unsupported_grant_type',
  'scope.invalid': 'invalid_scope',
  'target.invalid': 'invalid_target',
  'dpop.invalid': 'invalid_dpop_proof',
  'token.invalid': 'invalid_token',
  'token.insufficient_scope': 'insufficient_scope',
  'token.proof_invalid': 'invalid_dpop_proof',
  'rate.limited': 'temporarily_unavailable',
  'overload.shed': 'temporarily_unavailable',
  'service.unavailable': 'temporarily_unavailable',
  'internal.error': 'server_error',
}

export function tokenReply(issued: TokenAnswer): ApiReply {
  return {
    status: 200,
    headers: NOT_STORED,
    json: {
      access_token: issued.accessToken,
      token_type: issued.tokenType,
      expires_in: issued.expiresInSeconds,
      scope: issued.scope,
      ...(issued.refreshToken === undefined ? {} : { refresh_token: issued.refreshToken }),
      ...(issued.idToken === undefined ? {} : { id_token: issued.idToken }),
      ...(issued.issuedTokenType === undefined ? {} : { issued_token_type: issued.issuedTokenType }),
    },
  }
}

/**
 * A refusal as an OAuth error. Whatever has no word of its own there is `invalid_request`.
 *
 * `invalid_client` never has a description: it is the same bytes for every reason. It answers with a
 * challenge always, since HTTP asks for one with each 401.
 */
export function oauthErrorReply(refusal: Refusal, scheme?: 'Bearer' | 'DPoP'): ApiReply {
  const { status } = REFUSALS[refusal.code]
  const description = refusal.code === 'client.invalid' ? undefined : describable(refusal.hint)
  return {
    status,
    headers: {
      ...NOT_STORED,
      ...challengeOf(refusal, scheme),
      ...(refusal.code === 'client.invalid' ? { 'www-authenticate': BASIC_CHALLENGE } : {}),
    },
    json: {
      error: OAUTH_ERRORS[refusal.code] ?? 'invalid_request',
      ...(description === undefined ? {} : { error_description: description }),
    },
  }
}

/** RFC 6749 §5.2 allows printable ASCII without quote and backslash. */
function describable(hint: string | undefined): string | undefined {
  return hint?.replace(/[^\x20-\x21\x23-\x5B\x5D-\x7E]/g, '?')
}

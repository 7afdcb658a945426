import { FRESH_SIGN_IN } from '../catalogue/fresh-sign-in.ts'
import type { OperationId } from '../catalogue/routes.ts'
import { TOKEN_SKEW_SECONDS } from '../contracts/revocation.ts'
import { ok, type Result, refuse } from '../result.ts'
import type { VerifiedToken } from '../tenancy/proofs.ts'

/**
 * Whether the person behind a token has signed in recently enough for the operation (RFC 9470); the
 * refusal tells the client how recently, so that it can send them to sign in with that `max_age`.
 *
 * A token of a person that does not say when they signed in, such as one that somebody else uses for
 * them, is never fresh. A token of a machine always is.
 */
export function checkFreshSignIn(
  operationId: OperationId,
  { claims }: VerifiedToken,
  nowMs: number,
): Result<void> {
  const maxAgeSeconds = FRESH_SIGN_IN[operationId]
  if (maxAgeSeconds === undefined || !claims.subject.startsWith('usr_')) return ok(undefined)
  const authTime = claims.signIn?.authTime ?? 0
  const ageSeconds = nowMs / 1000 - authTime
  // One of the future would be fresh for as long as it likes.
  if (ageSeconds >= -TOKEN_SKEW_SECONDS && ageSeconds <= maxAgeSeconds) return ok(undefined)
  const hint = `Sign in again: this needs a sign-in of the last ${maxAgeSeconds / 60} minutes.`
  return { ...refuse('token.sign_in_too_old', `signed in at ${authTime}`, hint), maxAgeSeconds }
}

import { ok, type Result, refuse } from '#shared/result.ts'
import { sessionLimitsOf } from '../../domain/auth-policy.ts'
import {
  CODE_LIFE_MS,
  type CodeProof,
  hashOfCode,
  type IssuedCode,
  judgeCode,
  parseAuthorizationCode,
  refuseCode,
} from '../../domain/authorization-code.ts'
import { type Form, parameterOf } from '../../domain/form.ts'
import { WATERMARK_AHEAD_SECONDS } from '../../domain/session.ts'
import type { User } from '../../domain/user.ts'
import type { FoundCode, SessionCommit } from '../../ports/sessions.ts'
import { endingOf } from '../end-sessions.ts'
import { type GrantRequest, spending, type TokenAnswer } from '../grant-request.ts'
import { type SessionGrant, type SessionTokensDeps, sessionTokens } from '../session-tokens.ts'
import { startSession } from '../start-session.ts'
import { clientNow, scopesOfUser, type UserAccessDeps } from '../user-access.ts'

export type AuthorizationCodeDeps = SessionTokensDeps & UserAccessDeps

type Redeemed = { readonly kind: 'reused' } | ({ readonly kind: 'started' } & SessionGrant)

/**
 * Exchanges an authorization code for the tokens of a new session (RFC 6749 §4.1.3, RFC 7636 §4.6).
 *
 * A code counts once: of two requests at once one gets the session, and the second ends it, as any
 * later one does within a day. That an honest client could be the second one too, after it lost an
 * answer, does not save it: nobody can tell it from a thief, and it can start again (RFC 9700 §4.5).
 */
export async function authorizationCodeGrant(
  deps: AuthorizationCodeDeps,
  request: GrantRequest,
): Promise<Result<TokenAnswer>> {
  const asked = parseCodeRequest(request.form)
  if (!asked.ok) return asked
  const code = parseAuthorizationCode(asked.value.code)
  if (!code.ok) return code
  const { client, ctx } = request.client
  const proof = { ...asked.value, clientId: client.clientId, jkt: request.jkt }
  const redeemed = await spending(request.assertion, (assertion) =>
    deps.sessions.redeem(
      ctx,
      hashOfCode(code.value),
      (found) => decide(deps, request, proof, found),
      assertion,
    ),
  )
  if (!redeemed.ok) return redeemed
  if (redeemed.value.kind === 'reused') {
    request.log.warn('session revoked for reuse', { outcome: 'code_reuse' })
    return refuseCode('a code that was used before')
  }
  return sessionTokens(deps, request, redeemed.value)
}

/** Whether a parameter is missing can be said; whether it is right can not. */
function parseCodeRequest(form: Form): Result<{ code: string; redirectUri: string; codeVerifier: string }> {
  const code = parameterOf(form, 'code')
  const redirectUri = parameterOf(form, 'redirect_uri')
  const codeVerifier = parameterOf(form, 'code_verifier')
  if (code === undefined) return refuse('request.malformed', 'no code', 'code is missing.')
  if (redirectUri === undefined) {
    return refuse('request.malformed', 'no redirect_uri', 'redirect_uri is missing.')
  }
  if (codeVerifier === undefined) {
    return refuse('grant.invalid', 'no code_verifier', 'code_verifier is missing.')
  }
  return ok({ code, redirectUri, codeVerifier })
}

async function decide(
  deps: AuthorizationCodeDeps,
  request: GrantRequest,
  proof: CodeProof,
  found: FoundCode | undefined,
): Promise<Result<SessionCommit<Redeemed>>> {
  const { nowMs, trace } = request
  const judged = judgeCode(found?.code, proof, nowMs)
  if (!judged.ok) return judged
  if (found === undefined) return refuseCode('unknown code')
  const proven = await clientNow(deps, request.client)
  if (!proven.ok) return proven
  const { client, state, ctx } = proven.value
  if (judged.value === 'reused') {
    const made = found.made === undefined ? [] : [found.made]
    const ending = endingOf(made, { tenantId: ctx.tenantId, reason: 'code_reuse', nowMs, trace })
    return ok({ value: { kind: 'reused' }, ...ending })
  }
  const { code, user, active } = found
  if (user?.status !== 'active') return refuseCode('the user is disabled or gone')
  const watermarks = [state.notBefore, user.notBefore, client.notBefore]
  if (madeBefore(code, user, Math.max(state.notBefore, client.notBefore))) {
    return refuseCode('made before a watermark')
  }
  const scopes = await scopesOfUser(deps, { ...proven.value, user }, code.scopes, () =>
    refuseCode('nothing is left of the grant'),
  )
  if (!scopes.ok) return scopes
  const { version: pepperVersion } = await deps.peppers.current()
  const limits = sessionLimitsOf(state)
  const start = startSession(deps, {
    ...{ client, limits, code, jkt: request.jkt, pepperVersion, watermarks, active, nowMs, trace },
  })
  const { openid, nonce } = code
  return ok({
    ...start,
    value: {
      ...{ kind: 'started', client: proven.value, session: start.value, user, openid, nonce },
      scopes: scopes.value,
    },
    code: { ...code, usedAtMs: nowMs, sessionId: start.value.sessionId },
  })
}

/**
 * Whether everything was ended after the sign-in that the code is from. Not in the same second: the
 * sign-in itself may have raised the user's watermark by taking a role. Those of tenant and client are
 * set ahead, and who signs in again at once must not be taken for an earlier one.
 */
function madeBefore(code: IssuedCode, user: User, others: number): boolean {
  const madeAt = Math.floor((code.expiresAtMs - CODE_LIFE_MS) / 1000)
  return madeAt < user.notBefore || madeAt < others - WATERMARK_AHEAD_SECONDS
}

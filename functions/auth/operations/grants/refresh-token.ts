import { ok, type Result, refuse } from '#shared/result.ts'
import { sessionLimitsOf, withinPolicy } from '../../domain/auth-policy.ts'
import { parameterOf } from '../../domain/form.ts'
import { judgeRefresh, rotateSession } from '../../domain/refresh.ts'
import {
  isAuthentic,
  type PresentedRefreshToken,
  parseRefreshToken,
  type RefreshBinding,
  refuseRefresh,
} from '../../domain/refresh-token.ts'
import type { Session } from '../../domain/session.ts'
import type { FoundSession, SessionCommit } from '../../ports/sessions.ts'
import { endingOf } from '../end-sessions.ts'
import { type GrantRequest, spending, type TokenAnswer } from '../grant-request.ts'
import { type SessionGrant, type SessionTokensDeps, sessionTokens } from '../session-tokens.ts'
import { clientNow, scopesOfUser, type UserAccessDeps } from '../user-access.ts'

export type RefreshTokenDeps = SessionTokensDeps & UserAccessDeps

const DAY_MS = 24 * 3_600_000

type Refreshed = { readonly kind: 'reused' } | ({ readonly kind: 'refreshed' } & SessionGrant)

/**
 * Exchanges a refresh token for a new access token and its successor (RFC 6749 §6, RFC 9700 §4.14).
 *
 * Every client's token rotates, also that of a client whose key would make up for it: one rule is one
 * thing to get wrong, and the grace makes it cost nobody a session. What is no token of ours reads
 * nothing; a repetition within the grace writes nothing. Throws when the store is down.
 */
export async function refreshTokenGrant(
  deps: RefreshTokenDeps,
  request: GrantRequest,
): Promise<Result<TokenAnswer>> {
  const text = parameterOf(request.form, 'refresh_token')
  if (text === undefined) return refuse('request.malformed', 'no token', 'refresh_token is missing.')
  const token = parseRefreshToken(text)
  if (!token.ok) return token
  const { ctx } = request.client
  const { sessionId } = token.value
  const refreshed = await spending(request.assertion, (assertion) =>
    deps.sessions.change(ctx, sessionId, (found) => decide(deps, request, token.value, found), assertion),
  )
  if (!refreshed.ok) return refreshed
  if (refreshed.value.kind === 'reused') {
    request.log.warn('session revoked for reuse', { outcome: 'refresh_reuse' })
    return refuseRefresh('a token that was used before')
  }
  return sessionTokens(deps, request, refreshed.value)
}

async function decide(
  deps: RefreshTokenDeps,
  request: GrantRequest,
  token: PresentedRefreshToken,
  found: FoundSession | undefined,
): Promise<Result<SessionCommit<Refreshed>>> {
  if (found === undefined) return refuseRefresh('unknown session')
  const proven = await clientNow(deps, request.client)
  if (!proven.ok) return proven
  const { client, state, ctx } = proven.value
  const { nowMs } = request
  const { user } = found
  const session = withinPolicy(found.session, state)
  const peppers = await deps.peppers.all([session.pepperVersion])
  const binding = bindingOf(session, request)
  if (session.clientId !== client.clientId || !isAuthentic(token, binding, peppers)) {
    return refuseRefresh('not a token of this session and client')
  }
  if (user?.status !== 'active') return refuseRefresh('the user is disabled or gone')
  const watermarks = [state.notBefore, user.notBefore, client.notBefore]
  const attempt = { counter: token.counter, asked: request.scopes, jkt: request.jkt }
  const judged = judgeRefresh(session, attempt, watermarks, nowMs)
  if (!judged.ok) return judged
  if (judged.value.kind === 'reused') {
    const { tenantId } = ctx
    const end = { tenantId, reason: 'refresh_reuse', nowMs, trace: request.trace } as const
    return ok({ value: { kind: 'reused' }, ...endingOf([session], end) })
  }
  const scopes = await scopesOfUser(deps, { ...proven.value, user }, judged.value.scopes, () =>
    refuseRefresh('nothing is left of the grant'),
  )
  if (!scopes.ok) return scopes
  const { openid } = judged.value
  const refreshed = {
    ...({ kind: 'refreshed', client: proven.value, session, user, openid, nonce: null } as const),
    scopes: scopes.value,
  }
  if (judged.value.kind === 'repeat') return ok({ value: refreshed })
  const rotated = rotateSession(session, {
    scopes: judged.value.scopes,
    pepperVersion: (await deps.peppers.current()).version,
    idleMs: sessionLimitsOf(state).refreshIdleDays * DAY_MS,
    nowMs,
  })
  // No audit of each rotation: one every ten minutes of every session would bury what is worth reading.
  return ok({ value: { ...refreshed, session: rotated }, sessions: [rotated] })
}

function bindingOf(session: Session, request: GrantRequest): RefreshBinding {
  const { sessionId, salt, clientId } = session
  return { sessionId, salt, clientId, tenantId: request.client.ctx.tenantId }
}

import { tokenRevoked } from '#shared/contracts/events/token-revoked.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { revokeToken as revocationOf } from '#shared/contracts/revocation.ts'
import { ok, type Result } from '#shared/result.ts'
import type { TokenVerifier } from '#shared/tokens/verify-access-token.ts'
import type { Trace } from '#shared/trace.ts'
import type { TokenRevocations } from '../ports/token-revocations.ts'
import { type EndSessionsDeps, revokeSession } from './end-sessions.ts'
import type { ProvenClient } from './grant-request.ts'
import { type InspectRefreshTokenDeps, inspectRefreshToken } from './inspect-refresh-token.ts'

export type RevokeTokenDeps = InspectRefreshTokenDeps &
  EndSessionsDeps & {
    readonly verifyToken: TokenVerifier
    readonly tokenRevocations: TokenRevocations
  }

/**
 * Ends a token of the client's own (RFC 7009): with a refresh token its whole session, an access token
 * alone. What is unknown, over already or another's changes nothing and is answered alike.
 *
 * A public client has only its refresh tokens to prove that it had them, so of access tokens it ends
 * none. Throws when the store is down: the client must not believe in an end that is not there.
 */
export async function revokeToken(
  deps: RevokeTokenDeps,
  proven: ProvenClient,
  asked: { readonly token: string; readonly nowMs: number; readonly trace: Trace },
): Promise<Result<void>> {
  const { client, ctx } = proven
  const { token, nowMs, trace } = asked
  if (token.startsWith('drt_')) {
    const inspected = await inspectRefreshToken(deps, { ctx, text: token, nowMs })
    if (inspected === undefined || inspected.session.clientId !== client.clientId) return ok(undefined)
    const { sessionId } = inspected.session
    const ended = await revokeSession(deps, { ctx, sessionId, reason: 'token_revoked', nowMs, trace })
    return ended.ok ? ok(undefined) : ended
  }
  if (client.authMethod === 'none') return ok(undefined)
  const verified = await deps.verifyToken(token, undefined, 'told-about')
  if (!verified.ok) return ok(undefined)
  const { claims } = verified.value
  if (claims.tenant !== client.tenantId || claims.clientId !== client.clientId) return ok(undefined)
  const { tokenId, issuedAt, expiresAt } = claims
  const event = newEvent({
    id: `token-revoked:${tokenId}`,
    source: '//energent.ai/auth',
    type: tokenRevoked.type,
    tenantId: client.tenantId,
    nowMs,
    data: {
      tenantId: client.tenantId,
      clientId: client.clientId,
      tokenId,
      at: new Date(nowMs).toISOString(),
    },
    trace,
  })
  const revocation = revocationOf({ jti: tokenId, iat: issuedAt, exp: expiresAt }, 'token_revoked')
  return deps.tokenRevocations.add(ctx, {
    tokenId,
    revocation,
    event,
    audit: [{ action: 'auth.token.revoked', target: tokenId }],
  })
}

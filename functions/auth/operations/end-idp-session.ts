import { parseTenantId } from '#shared/ids.ts'
import { ok, type Refusal, type Result, refuse } from '#shared/result.ts'
import { openByCredential } from '#shared/tenancy/credential.ts'
import type { Trace } from '#shared/trace.ts'
import { parseConnectionId } from '../domain/connection.ts'
import { readLogoutToken, refuseToken } from '../domain/logout-token.ts'
import type { UserStore } from '../ports/people.ts'
import type { SessionSelection } from '../ports/sessions.ts'
import type { FlowStore, LogoutTokens, SignOnReader } from '../ports/sign-on.ts'
import type { RateLimit, ReplayStore } from '../ports.ts'
import { type EndSessionsDeps, revokeSessions } from './end-sessions.ts'

export type EndIdpSessionDeps = EndSessionsDeps & {
  readonly signOn: SignOnReader
  readonly flows: Pick<FlowStore, 'expireCodes'>
  readonly users: Pick<UserStore, 'findByLink'>
  readonly logoutTokens: LogoutTokens
  readonly replay: ReplayStore
  readonly signInRate: RateLimit
}

export type EndIdpSessionCommand = {
  /** As they stand in the path. */
  readonly tenantId: string
  readonly connectionId: string
  readonly logoutToken: string
  readonly nowMs: number
  readonly trace: Trace
}

const LOGOUTS_PER_SECOND = 20

/**
 * Ends the sessions that a provider says are over (OpenID Connect Back-Channel Logout 1.0).
 *
 * The token is marked as used only after the sessions have ended: a try that was cut off may be
 * repeated. Throws when the store is down or the provider's keys cannot be read.
 */
export async function endIdpSession(
  deps: EndIdpSessionDeps,
  command: EndIdpSessionCommand,
): Promise<Result<number>> {
  const { nowMs, trace } = command
  const tenantId = parseTenantId(command.tenantId)
  const connectionId = parseConnectionId(command.connectionId)
  if (!tenantId.ok || !connectionId.ok) return refuseToken('no such connection')
  if (!deps.signInRate.take(`logout ${tenantId.value} ${connectionId.value}`, LOGOUTS_PER_SECOND, nowMs)) {
    return refuse('rate.limited', 'log-outs of a connection', 'Too many log-outs at once.')
  }
  const { connection } = await deps.signOn.findConnection(tenantId.value, connectionId.value)
  if (connection === undefined || connection.status === 'deleted') return refuseToken('no such connection')
  const claims = await deps.logoutTokens.verify(command.logoutToken, tenantId.value, connection, nowMs)
  if (!claims.ok) return claims
  const request = readLogoutToken(claims.value, connection, nowMs)
  if (!request.ok) return request
  const { jti, sid, sub, expSeconds } = request.value
  const ctx = openByCredential(tenantId.value, 'flow', connection.connectionId)
  const use = {
    kind: 'logout',
    issuer: connection.issuer,
    jti: `${connection.connectionId} ${jti}`,
    expSeconds,
  }
  if (await deps.replay.wasClaimed(ctx, use)) return refuseToken('jti used before')
  // First: a code on its way would else become a session of nobody.
  if (sid !== undefined) {
    await deps.flows.expireCodes(ctx, { connectionId: connection.connectionId, idpSid: sid }, nowMs)
  }
  const selection = await selectionOf(deps, ctx, connection.connectionId, { sid, sub })
  const ended =
    selection === undefined
      ? ok([])
      : await revokeSessions(deps, { ctx, selection, reason: 'idp_logout', nowMs, trace })
  if (!ended.ok) return ended satisfies Refusal
  return (await deps.replay.claimOnce(ctx, use)) ? ok(ended.value.length) : refuseToken('jti used before')
}

/** One session where it is named; else all of the person, who may never have been here. */
async function selectionOf(
  deps: EndIdpSessionDeps,
  ctx: ReturnType<typeof openByCredential>,
  connectionId: string,
  { sid, sub }: { readonly sid: string | undefined; readonly sub: string | undefined },
): Promise<SessionSelection | undefined> {
  if (sid !== undefined) return { connectionId, idpSid: sid }
  if (sub === undefined) return undefined
  const user = await deps.users.findByLink(ctx, { connectionId, sub })
  return user === undefined ? undefined : { userId: user.userId }
}

import type { Scope } from '#shared/catalogue/scopes.ts'
import { ok, type Result } from '#shared/result.ts'
import { idTokenClaims, signIdToken } from '../domain/id-token.ts'
import { makeRefreshToken, refuseRefresh } from '../domain/refresh-token.ts'
import { isLive, type Session } from '../domain/session.ts'
import type { User } from '../domain/user.ts'
import type { SessionStore } from '../ports/sessions.ts'
import type { PepperStore } from '../ports.ts'
import type { GrantRequest, ProvenClient, TokenAnswer } from './grant-request.ts'
import { type MintDeps, mintAccessToken } from './mint-access-token.ts'

export type SessionTokensDeps = MintDeps & {
  readonly peppers: PepperStore
  readonly sessions: SessionStore
}

/** What a session's tokens are made for: decided, and committed where anything changed. */
export type SessionGrant = {
  /** As it was when this was decided. */
  readonly client: ProvenClient
  readonly session: Session
  readonly user: User
  readonly scopes: readonly Scope[]
  /** Whether an ID token comes with it. */
  readonly openid: boolean
  /** Of the request that signed the person in; only its own ID token repeats it. */
  readonly nonce: string | null
}

/**
 * The tokens of a session as it stands: a new access token, the newest refresh token, which is the same
 * bytes however often it is asked for, and an ID token where one is wanted.
 *
 * Made after the commit, so a crash in between loses an answer and nothing else. What is revoked in
 * between ends it: a new token is always later than every revocation known, and so would outlive the
 * one of its own session. Throws when a key or a pepper cannot be read.
 */
export async function sessionTokens(
  deps: SessionTokensDeps,
  { jkt, nowMs }: Pick<GrantRequest, 'jkt' | 'nowMs'>,
  { client, session, user, scopes, openid, nonce }: SessionGrant,
): Promise<Result<TokenAnswer>> {
  const { claims, ...minted } = await mintAccessToken(
    deps,
    {
      ...{ client, subject: user.userId, scopes, roles: user.roles, jkt },
      watermarks: [user.notBefore],
      notAfter: Math.ceil(session.absoluteUntil / 1000),
      claims: {
        sid: session.sessionId,
        auth_time: session.authTime,
        ...(session.acr === null ? {} : { acr: session.acr }),
        ...(session.amr.length === 0 ? {} : { amr: session.amr }),
      },
    },
    nowMs,
  )
  const refreshToken =
    session.counter === 0 ? {} : { refreshToken: await newestRefreshToken(deps, session, client) }
  if (claims.iat > Math.max(Math.floor(nowMs / 1000), session.issuedAt)) {
    const found = await deps.sessions.find(client.ctx, session.sessionId)
    if (found === undefined || !isLive(found.session, found.watermarks, nowMs)) {
      return refuseRefresh('revoked while its tokens were made')
    }
  }
  if (!openid) return ok({ ...minted, ...refreshToken })
  const { accessToken } = minted
  const told = idTokenClaims(deps.issuer, client.ctx.tenantId, session, {
    ...{ nonce, accessToken, issuedAt: Math.floor(nowMs / 1000) },
  })
  const idToken = signIdToken(told, await deps.keyring.signer(nowMs))
  // The access token says nothing of `openid`, which opens nothing; the answer says what was granted.
  return ok({ ...minted, ...refreshToken, idToken, scope: ['openid', ...scopes].join(' ') })
}

async function newestRefreshToken(
  { peppers }: SessionTokensDeps,
  session: Session,
  client: ProvenClient,
): Promise<string> {
  const version = session.pepperVersion
  const pepper = (await peppers.all([version])).get(version)
  if (pepper === undefined) throw new Error(`pepper version ${version} is not loaded`)
  const binding = { ...session, tenantId: client.ctx.tenantId }
  return makeRefreshToken(binding, session.counter, { version, pepper })
}

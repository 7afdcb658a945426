import type { Scope } from '#shared/catalogue/scopes.ts'
import type { Ids } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { Revocations } from '#shared/tokens/revocations.ts'
import { scopesAllowed } from '#shared/tokens/tenant-access.ts'
import {
  type AccessClaims,
  accessClaims,
  type OptionalClaims,
  signAccessToken,
} from '../domain/access-token.ts'
import { isScope } from '../domain/scope.ts'
import type { AccessKeyring, KnownState } from '../ports.ts'
import type { ProvenClient, TokenAnswer } from './grant-request.ts'

export type MintDeps = {
  readonly issuer: string
  readonly ids: Ids
  readonly keyring: AccessKeyring
  readonly revocations: Pick<Revocations, 'fresh'>
}

/** What a new access token says besides what follows from the client and its tenant. */
export type Mint = {
  readonly client: ProvenClient
  /** `usr_…`, a client id, or `wl:{ns}/{sa}`. */
  readonly subject: string
  /** Decided: at least one. */
  readonly scopes: readonly Scope[]
  readonly roles: readonly string[]
  /** The key it is bound to; without one it is a bearer token. */
  readonly jkt: string | undefined
  /** Watermarks of user and session, in seconds, beside those of tenant and client. */
  readonly watermarks?: readonly number[]
  readonly lifeSeconds?: number
  readonly notAfter?: number
  readonly claims?: Omit<OptionalClaims, 'cnf'>
}

export type Minted = Pick<TokenAnswer, 'accessToken' | 'tokenType' | 'expiresInSeconds' | 'scope'> & {
  readonly claims: AccessClaims
}

/**
 * Signs a new access token, issued later than everything that was revoked of its tenant, user, client
 * and session. Throws when the key ring or the revocation feed cannot be read.
 */
export async function mintAccessToken(deps: MintDeps, mint: Mint, nowMs: number): Promise<Minted> {
  const { client, state } = mint.client
  const [signer, marks] = await Promise.all([deps.keyring.signer(nowMs), deps.revocations.fresh()])
  const sessionId = mint.claims?.sid
  // Of its client not what is known now: a token made from what was read before must end with it.
  const ofClient = mint.client.revokedUntil ?? marks.watermark(client.tenantId, { clientId: client.clientId })
  const ofSubject =
    mint.subject === client.clientId
      ? 0
      : marks.watermark(client.tenantId, { userId: mint.subject, sessionId })
  const revokedUntil = Math.max(ofClient, ofSubject)
  const claims = accessClaims(
    {
      issuer: deps.issuer,
      subject: mint.subject,
      clientId: client.clientId,
      scopes: mint.scopes,
      tenantId: client.tenantId,
      tier: state.tier,
      roles: mint.roles,
      policyVersion: state.version,
      watermark: Math.max(revokedUntil, state.notBefore, client.notBefore, ...(mint.watermarks ?? [])),
      ...(mint.lifeSeconds === undefined ? {} : { lifeSeconds: mint.lifeSeconds }),
      ...(mint.notAfter === undefined ? {} : { notAfter: mint.notAfter }),
      claims: { ...mint.claims, ...(mint.jkt === undefined ? {} : { cnf: { jkt: mint.jkt } }) },
    },
    deps.ids.bytes(17),
    Math.min(nowMs, mint.client.asOfMs ?? nowMs),
  )
  return {
    accessToken: signAccessToken(claims, signer),
    tokenType: mint.jkt === undefined ? 'Bearer' : 'DPoP',
    expiresInSeconds: claims.exp - Math.max(claims.iat, Math.floor(nowMs / 1000)),
    scope: claims.scope,
    claims,
  }
}

/**
 * What remains of `scopes` in the state of the tenant for someone with `roles`; a refusal when that is
 * nothing.
 */
export function scopesInState(
  state: KnownState,
  roles: readonly string[],
  scopes: readonly Scope[],
): Result<readonly Scope[]> {
  const allowed = scopesAllowed(state.status, roles, scopes).filter(isScope)
  return allowed.length > 0
    ? ok(allowed)
    : refuse(
        'client.unauthorized',
        `tenant is ${state.status}`,
        'Nothing is allowed in the state of the tenant.',
      )
}

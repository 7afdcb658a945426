import { TIER_LIMITS } from '#shared/catalogue/tiers.ts'
import type { Ids } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { ACCESS_BY_STATE, scopesAllowed } from '#shared/tokens/tenant-access.ts'
import { accessClaims, signAccessToken } from '../domain/access-token.ts'
import { matchesSecret, type Peppers } from '../domain/client-secret.ts'
import { isScope, narrowScopes } from '../domain/scope.ts'
import type { TokenRequest } from '../domain/token-request.ts'
import type { AccessKeyring, Credentials, PepperStore, RateLimit } from '../ports.ts'

export type IssueTokenDeps = {
  readonly issuer: string
  readonly ids: Ids
  readonly credentials: Credentials
  readonly keyring: AccessKeyring
  readonly peppers: PepperStore
  readonly tokenRate: RateLimit
}

export type IssuedToken = {
  readonly accessToken: string
  readonly expiresInSeconds: number
  readonly scope: string
}

type Found = Awaited<ReturnType<Credentials['find']>>
type Proven = { readonly [Name in keyof Found]: NonNullable<Found[Name]> }

/**
 * Issues an access token for a client's own credentials (RFC 6749 §4.4).
 *
 * One read of the store and no transaction. Whoever is not proven gets one refusal, whatever the
 * reason: an unknown client, a wrong secret, a disabled client, a tenant that has no access.
 */
export async function issueToken(
  deps: IssueTokenDeps,
  request: TokenRequest,
  nowMs: number,
): Promise<Result<IssuedToken>> {
  // All at once: in a cold instance each of them is a round trip.
  const [found, signer] = await Promise.all([
    deps.credentials.find(request.client.tenantId, request.client.clientId),
    deps.keyring.signer(nowMs),
    deps.peppers.all([]),
  ])
  const peppers = await deps.peppers.all(found.client?.secrets.map((secret) => secret.pepperVersion) ?? [])
  const proven = authenticate(found, request, peppers, nowMs)
  if (!proven.ok) return proven
  const { client, state } = proven.value
  // Counted for the proven alone, so that nobody can use up another tenant's share.
  if (!deps.tokenRate.take(client.tenantId, TIER_LIMITS[state.tier].tokenRequestsPerSecond, nowMs)) {
    return refuse('rate.limited', 'token requests of the tier', 'Too many token requests for this tier.')
  }
  const scopes = decideScopes(proven.value, request)
  if (!scopes.ok) return scopes
  const grantee = {
    issuer: deps.issuer,
    subject: client.clientId,
    clientId: client.clientId,
    scopes: scopes.value,
    tenantId: client.tenantId,
    tier: state.tier,
    roles: client.roles,
    policyVersion: state.version,
    watermark: Math.max(state.notBefore, client.notBefore),
  }
  const claims = accessClaims(grantee, deps.ids.bytes(17), nowMs)
  return ok({
    accessToken: signAccessToken(claims, signer),
    expiresInSeconds: claims.exp - claims.iat,
    scope: claims.scope,
  })
}

function authenticate(found: Found, request: TokenRequest, peppers: Peppers, nowMs: number): Result<Proven> {
  const { client, state } = found
  const matches = matchesSecret(request.client.secret, client?.secrets ?? [], peppers, nowMs)
  if (client === undefined) return refuse('client.invalid', 'unknown client')
  if (!matches) return refuse('client.invalid', 'wrong or expired secret')
  if (client.status !== 'active') return refuse('client.invalid', 'disabled client')
  if (state === undefined) return refuse('client.invalid', 'unknown tenant')
  if (ACCESS_BY_STATE[state.status].kind === 'none') {
    return refuse('client.invalid', `tenant is ${state.status}`)
  }
  return ok({ client, state })
}

function decideScopes({ client, state }: Proven, request: TokenRequest) {
  if (!client.grants.includes(request.grant)) {
    return refuse('client.unauthorized', 'grant not enabled', 'This client may not use this grant.')
  }
  const asked = narrowScopes(client.scopes, request.scopes)
  if (!asked.ok) return asked
  const allowed = scopesAllowed(state.status, client.roles, asked.value).filter(isScope)
  return allowed.length > 0
    ? ok(allowed)
    : refuse(
        'client.unauthorized',
        `tenant is ${state.status}`,
        'Nothing is allowed in the state of the tenant.',
      )
}

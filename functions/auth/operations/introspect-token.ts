import { TIER_LIMITS } from '#shared/catalogue/tiers.ts'
import type { TenantId } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { splitOwnJwt } from '#shared/tokens/strict-jwt.ts'
import { scopesAllowed } from '#shared/tokens/tenant-access.ts'
import type { TokenVerifier } from '#shared/tokens/verify-access-token.ts'
import type { PresentedClient } from '../domain/presented-client.ts'
import type { RateLimit } from '../ports.ts'
import { type Asked, type AuthenticateClientDeps, authenticateClient } from './authenticate-client.ts'
import { type InspectRefreshTokenDeps, inspectRefreshToken } from './inspect-refresh-token.ts'

export type IntrospectDeps = AuthenticateClientDeps &
  InspectRefreshTokenDeps & {
    readonly verifyToken: TokenVerifier
    readonly introspectRate: RateLimit
  }

/** Who asks about a token, and in whose tenant: about no other they learn anything. */
export type Inquirer = {
  readonly ctx: TenantContext
  readonly tenantId: TenantId
  readonly perSecond: number
}

/** Proves a client that may introspect: it holds the scope, in a tenant that leaves it to it. */
export async function inquiringClient(
  deps: IntrospectDeps,
  presented: PresentedClient,
  asked: Asked,
): Promise<Result<Inquirer>> {
  const proven = await authenticateClient(deps, presented, asked)
  if (!proven.ok) return proven
  const { client, state, ctx } = proven.value
  if (!scopesAllowed(state.status, client.roles, client.scopes).includes('introspect')) {
    return refuse('client.unauthorized', 'no scope introspect', 'This client may not introspect tokens.')
  }
  const perSecond = TIER_LIMITS[state.tier].apiRequestsPerSecond
  return ok({ ctx, tenantId: client.tenantId, perSecond })
}

export type Introspection = Readonly<Record<string, unknown>>

const INACTIVE: Introspection = { active: false }

/**
 * What a token says, if it is good now and of the inquirer's own tenant; `{active: false}` for every
 * other, without a reason (RFC 7662 §2.2). `minimal` leaves out whose it is.
 *
 * Throws when the store is down: nobody is told that a token is good, or not, on a guess.
 */
export async function introspectToken(
  deps: IntrospectDeps,
  inquirer: Inquirer,
  asked: { readonly token: string; readonly minimal: boolean; readonly nowMs: number },
): Promise<Result<Introspection>> {
  const { tenantId, perSecond } = inquirer
  if (!deps.introspectRate.take(tenantId, perSecond, asked.nowMs)) {
    return refuse('rate.limited', 'introspections of the tier', 'More requests than the tier allows.')
  }
  const told = asked.token.startsWith('drt_')
    ? await tellRefreshToken(deps, inquirer, asked)
    : await tellAccessToken(deps, tenantId, asked.token)
  if (told === undefined) return ok(INACTIVE)
  const { exp, scope } = told
  return ok({ active: true, ...(asked.minimal ? { exp, scope } : told) })
}

/** Of a refresh token: which client and person it is for, and when it ends unless it is used. */
async function tellRefreshToken(
  deps: IntrospectDeps,
  { ctx, tenantId }: Inquirer,
  { token, nowMs }: { readonly token: string; readonly nowMs: number },
): Promise<Introspection | undefined> {
  const inspected = await inspectRefreshToken(deps, { ctx, text: token, nowMs })
  if (inspected?.active !== true) return undefined
  const { session } = inspected
  return {
    scope: session.scopes.join(' '),
    client_id: session.clientId,
    token_type: 'refresh_token',
    exp: Math.floor(Math.min(session.idleUntil, session.absoluteUntil) / 1000),
    iat: Math.floor(session.rotatedAt / 1000),
    sub: session.userId,
    iss: deps.issuer,
    tenant: tenantId,
    sid: session.sessionId,
    ...(session.jkt === null ? {} : { cnf: { jkt: session.jkt } }),
  }
}

/** What of an access token an inquirer may see: all but what is only for our own verifiers. */
const TOLD = [
  ...['client_id', 'exp', 'iat', 'sub', 'aud', 'iss', 'jti', 'tenant', 'roles'],
  ...['sid', 'auth_time', 'acr', 'amr', 'cnf', 'act', 'wl'],
]

async function tellAccessToken(
  deps: IntrospectDeps,
  tenantId: TenantId,
  token: string,
): Promise<Introspection | undefined> {
  const verified = await deps.verifyToken(token, undefined, 'told-about')
  if (!verified.ok || verified.value.claims.tenant !== tenantId) return undefined
  const parts = splitOwnJwt(token)
  if (!parts.ok) return undefined
  const { payload } = parts.value
  const told = Object.fromEntries(
    TOLD.filter((name) => Object.hasOwn(payload, name)).map((name) => [name, payload[name]]),
  )
  return {
    // As the tenant's state leaves it, and the tier it has now: what an answer is good for is now.
    scope: [...verified.value.claims.scopes].join(' '),
    token_type: payload['cnf'] === undefined ? 'Bearer' : 'DPoP',
    tier: verified.value.claims.tier,
    ...told,
  }
}

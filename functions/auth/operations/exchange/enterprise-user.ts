import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import { ACCESS_TOKEN_LIFE_SECONDS } from '../../domain/access-token.ts'
import { type AdmittedAlg, isAdmittedAlg } from '../../domain/admit-jwk.ts'
import type { Connection } from '../../domain/connection.ts'
import { readIdentity, readSignInFacts } from '../../domain/idp-identity.ts'
import { scopesOfRoles } from '../../domain/role.ts'
import type { ExchangeParty } from '../../domain/token-exchange.ts'
import type { ConnectionStore } from '../../ports/sign-on.ts'
import { type HeldAssertion, spending } from '../grant-request.ts'
import { type SignInUserDeps, signInUser } from '../sign-in-user.ts'
import type { UserAccessDeps } from '../user-access.ts'
import { type ForeignTokenDeps, readForeignToken, verifyForeignToken } from './foreign-token.ts'

export type EnterpriseDeps = ForeignTokenDeps &
  SignInUserDeps &
  UserAccessDeps & { readonly connections: Pick<ConnectionStore, 'list'> }

/** Providers give ID tokens lives of minutes to a working day. */
const LONGEST_LIFE_SECONDS = 86_400

/**
 * Proves a person by an ID token of an identity provider that the client's tenant has connected.
 *
 * The token must have been issued to the connection's own client there: one that the provider issued
 * to some other application says nothing to us. Where one issuer serves many organisations, `tid` or
 * `hd` must be the tenant's. The person is made a user as at a sign-in; there is no session, and so
 * nothing to refresh.
 */
export async function proveEnterpriseUser(
  deps: EnterpriseDeps,
  request: {
    readonly ctx: TenantContext
    /** The second up to which everything of the tenant is dead. */
    readonly notBefore: number
    readonly nowMs: number
    readonly trace: Trace
    readonly assertion?: HeldAssertion | undefined
  },
  token: string,
): Promise<Result<ExchangeParty>> {
  const { ctx, nowMs, trace } = request
  const parts = readForeignToken(token)
  if (!parts.ok) return parts
  const { payload, issuer } = parts.value
  const all = await deps.connections.list(ctx)
  const connection = all.find(
    (one) => one.status === 'active' && one.issuer === issuer && isIssuedTo(payload, one.clientId),
  )
  if (connection === undefined) return refuse('token.invalid', 'no connection of the tenant')
  const rules = {
    keys: { jwksUri: connection.metadata.jwksUri, scope: ctx.tenantId },
    algs: algsOf(connection),
    longestLifeSeconds: LONGEST_LIFE_SECONDS,
  }
  const verified = await verifyForeignToken(deps, token, parts.value, rules, nowMs)
  if (!verified.ok) return verified
  const facts = readSignInFacts(payload, connection, verified.value.issuedAt * 1000)
  if (!facts.ok) return refuse('token.invalid', facts.detail)
  const identity = readIdentity(payload, connection)
  const user = await spending(request.assertion, (assertion) =>
    signInUser(deps, { ctx, connection, identity, nowMs, trace, assertion }),
  )
  if (!user.ok) return user
  const { notBefore, roles, userId } = user.value
  // Who was signed out everywhere is: a token the provider gave out before that brings nobody back.
  if (verified.value.issuedAt <= Math.max(notBefore, request.notBefore)) {
    return refuse('token.invalid', 'issued before the watermark')
  }
  const { acr, amr, authTime } = facts.value
  return ok({
    subject: userId,
    scopes: scopesOfRoles(roles, await deps.roles.scopesOf(ctx, roles)),
    roles,
    expiresAt: verified.value.expiresAt,
    lifeSeconds: ACCESS_TOKEN_LIFE_SECONDS,
    watermarks: [notBefore],
    claims: {
      auth_time: authTime,
      ...(acr === null ? {} : { acr }),
      ...(amr.length === 0 ? {} : { amr }),
    },
    act: undefined,
    clientId: undefined,
    jkt: undefined,
  })
}

/** Its one audience is this client, and nobody else asked for it (OpenID Connect Core §3.1.3.7). */
function isIssuedTo(payload: Readonly<Record<string, unknown>>, clientId: string): boolean {
  const { aud, azp } = payload
  const sole = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud
  return sole === clientId && (azp === undefined || azp === clientId)
}

function algsOf(connection: Connection): readonly AdmittedAlg[] {
  return connection.algs.map((alg) => (alg === 'Ed25519' ? 'EdDSA' : alg)).filter(isAdmittedAlg)
}

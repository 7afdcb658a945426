import type { TenantId } from '#shared/ids.ts'
import { ok, type Refusal, type Result, refuse } from '#shared/result.ts'
import { isFor } from '../../domain/foreign-claims.ts'
import { narrowScopes } from '../../domain/scope.ts'
import {
  chainActors,
  type ExchangeParty,
  type PresentedToken,
  parseExchange,
  refuseToken,
  TOKEN_TYPES,
} from '../../domain/token-exchange.ts'
import { type EnterpriseDeps, proveEnterpriseUser } from '../exchange/enterprise-user.ts'
import { readForeignToken } from '../exchange/foreign-token.ts'
import { proveGoogleAccount } from '../exchange/google-account.ts'
import { type OwnTokenDeps, proveOwnToken } from '../exchange/own-token.ts'
import { proveWorkload, type WorkloadDeps } from '../exchange/workload.ts'
import type { GrantRequest, TokenAnswer } from '../grant-request.ts'
import { type MintDeps, mintAccessToken, scopesInState } from '../mint-access-token.ts'

export type TokenExchangeDeps = MintDeps & WorkloadDeps & OwnTokenDeps & EnterpriseDeps

/**
 * Exchanges a token of a workload, a Google service account, a person of the tenant's identity provider
 * or of our own for an access token of ours (RFC 8693).
 *
 * The new token never has a scope that the subject, the binding or the client lacks, never outlives the
 * first token of the chain, and never comes with a refresh token. Whatever is wrong with a token that
 * was offered is one refusal. Throws when another issuer's keys cannot be read.
 */
export async function tokenExchangeGrant(
  deps: TokenExchangeDeps,
  request: GrantRequest,
): Promise<Result<TokenAnswer>> {
  const tokens = parseExchange(request.form)
  if (!tokens.ok) return tokens
  const subject = await prove(deps, request, tokens.value.subject, 'subject')
  if (!subject.ok) return asRefusal('subject', subject)
  const actor =
    tokens.value.actor === undefined ? undefined : await proveActor(deps, request, tokens.value.actor)
  if (actor !== undefined && !actor.ok) return asRefusal('actor', actor)
  return answerExchange(deps, request, subject.value, actor?.value)
}

/** The token for a subject, and an actor, that are proven. */
export async function answerExchange(
  deps: MintDeps,
  request: Pick<GrantRequest, 'client' | 'jkt' | 'nowMs' | 'scopes'>,
  subject: ExchangeParty,
  actor: ExchangeParty | undefined,
): Promise<Result<TokenAnswer>> {
  const { client, state } = request.client
  // A token that is bound to a key is exchanged by whoever has the key: else a thief would unbind it.
  if (subject.jkt !== undefined && subject.jkt !== request.jkt) {
    return refuseToken('subject', 'bound to another key')
  }
  const act = chainActors(subject, actor, client.clientId)
  if (!act.ok) return act
  const shared = subject.scopes.filter((scope) => client.scopes.includes(scope))
  if (shared.length === 0) return refuse('scope.invalid', 'no scope in common', 'There is no scope to give.')
  const asked = narrowScopes(shared, request.scopes)
  if (!asked.ok) return asked
  const scopes = scopesInState(state, subject.roles, asked.value)
  if (!scopes.ok) return scopes
  const end = Math.min(subject.expiresAt, actor?.expiresAt ?? subject.expiresAt)
  const minted = await mintAccessToken(
    deps,
    {
      client: request.client,
      subject: subject.subject,
      scopes: scopes.value,
      roles: subject.roles,
      jkt: request.jkt,
      watermarks: subject.watermarks,
      lifeSeconds: subject.lifeSeconds,
      notAfter: end,
      claims: {
        ...subject.claims,
        ...(act.value === undefined ? {} : { act: act.value }),
        oexp: end,
      },
    },
    request.nowMs,
  )
  const { claims, ...answer } = minted
  // A watermark of this very second pushes `iat` on; what ends before it begins is no token.
  if (claims.exp <= claims.iat) return refuseToken('subject', 'expires now')
  return ok({ ...answer, issuedTokenType: TOKEN_TYPES.access_token })
}

/** Which proof a token's type, and for ID tokens its issuer, calls for. */
async function prove(
  deps: TokenExchangeDeps,
  request: GrantRequest,
  { token, type }: PresentedToken,
  party: 'subject' | 'actor',
): Promise<Result<ExchangeParty>> {
  const { tenantId } = request.client.client
  switch (type) {
    case 'access_token':
      return proveOwnToken(deps, tenantId, token)
    case 'jwt':
      return proveWorkloadOf(deps, tenantId, token, request.nowMs)
    default:
      // A person who signs in, not a machine that works for one.
      return party === 'actor'
        ? refuse('token.invalid', 'an ID token does not act')
        : proveByIdToken(deps, request, token)
  }
}

/** Google is an identity provider of people too: which of the two is meant, the audience says. */
async function proveByIdToken(
  deps: TokenExchangeDeps,
  request: GrantRequest,
  token: string,
): Promise<Result<ExchangeParty>> {
  const parts = readForeignToken(token)
  if (!parts.ok) return parts
  const { client, ctx, state } = request.client
  const byGoogle = parts.value.issuer === deps.trusted.google.issuer
  return byGoogle && isFor(parts.value.payload, deps.issuer)
    ? proveGoogleAccount(deps, client.tenantId, token, request.nowMs)
    : proveEnterpriseUser(deps, { ...request, ctx, notBefore: state.notBefore }, token)
}

async function proveWorkloadOf(
  deps: TokenExchangeDeps,
  tenantId: TenantId,
  token: string,
  nowMs: number,
): Promise<Result<ExchangeParty>> {
  const workload = await proveWorkload(deps, token, nowMs)
  if (!workload.ok) return workload
  if (workload.value.identity.tenantId !== tenantId) {
    return refuse('token.invalid', 'workload of another tenant')
  }
  return ok(workload.value.party)
}

/**
 * An actor acts for itself: with no actor behind it, and a client's own token only in that client's
 * hands, so that nobody is named who did not ask.
 */
async function proveActor(
  deps: TokenExchangeDeps,
  request: GrantRequest,
  presented: PresentedToken,
): Promise<Result<ExchangeParty>> {
  const actor = await prove(deps, request, presented, 'actor')
  if (!actor.ok) return actor
  const { act, clientId, jkt } = actor.value
  if (act !== undefined) return refuse('token.invalid', 'acts for somebody itself')
  if (clientId !== undefined && clientId !== request.client.client.clientId) {
    return refuse('token.invalid', 'issued to another client')
  }
  if (jkt !== undefined && jkt !== request.jkt) return refuse('token.invalid', 'bound to another key')
  return actor
}

/** What is wrong with a token, as the caller may know it; a refusal of another kind stays what it is. */
function asRefusal(party: 'subject' | 'actor', refusal: Refusal): Refusal {
  // The client itself, not what it offered.
  if (refusal.code === 'client.invalid') return refusal
  return refuseToken(party, `${refusal.code} ${refusal.detail}`)
}

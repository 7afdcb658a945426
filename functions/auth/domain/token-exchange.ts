import type { Scope } from '#shared/catalogue/scopes.ts'
import { ok, type Refusal, type Result, refuse } from '#shared/result.ts'
import type { ActorClaim, OptionalClaims } from './access-token.ts'
import { type Form, parameterOf } from './form.ts'

/** RFC 8693 §3, as far as we take or give them. */
export const TOKEN_TYPES = {
  access_token: 'urn:ietf:params:oauth:token-type:access_token',
  id_token: 'urn:ietf:params:oauth:token-type:id_token',
  jwt: 'urn:ietf:params:oauth:token-type:jwt',
} as const
export type TokenType = keyof typeof TOKEN_TYPES

export type PresentedToken = { readonly token: string; readonly type: TokenType }

export type ExchangeTokens = {
  readonly subject: PresentedToken
  readonly actor: PresentedToken | undefined
}

/** Who a verified token stands for, and what at most an exchanged one may say. */
export type ExchangeParty = {
  readonly subject: string
  readonly scopes: readonly Scope[]
  readonly roles: readonly string[]
  /** The second that no exchange can put off. */
  readonly expiresAt: number
  readonly lifeSeconds: number
  /** Seconds up to which tokens of this party are refused, beside those of tenant and client. */
  readonly watermarks: readonly number[]
  readonly claims: Omit<OptionalClaims, 'cnf' | 'act' | 'oexp'>
  readonly act: ActorClaim | undefined
  /** Of an access token of ours: the client it was issued to. */
  readonly clientId: string | undefined
  /** Of a token bound to a key: its thumbprint. */
  readonly jkt: string | undefined
}

const DEEPEST_ACTORS = 3

/** Reads the parameters of RFC 8693 §2.1 beside those that every grant has. */
export function parseExchange(form: Form): Result<ExchangeTokens> {
  const wanted = parameterOf(form, 'requested_token_type')
  if (wanted !== undefined && wanted !== TOKEN_TYPES.access_token) {
    return malformed('Only access tokens are issued.')
  }
  const subject = parsePresented(form, 'subject')
  if (!subject.ok) return subject
  if (subject.value === undefined) return malformed('subject_token and subject_token_type are required.')
  const actor = parsePresented(form, 'actor')
  if (!actor.ok) return actor
  return ok({ subject: subject.value, actor: actor.value })
}

function parsePresented(form: Form, party: 'subject' | 'actor'): Result<PresentedToken | undefined> {
  const token = parameterOf(form, `${party}_token`)
  const typeName = parameterOf(form, `${party}_token_type`)
  if (token === undefined && typeName === undefined) return ok(undefined)
  if (token === undefined || typeName === undefined) {
    return malformed(`${party}_token and ${party}_token_type belong together.`)
  }
  const types = Object.keys(TOKEN_TYPES) as TokenType[]
  const type = types.find((known) => TOKEN_TYPES[known] === typeName)
  return type === undefined ? malformed(`${party}_token_type is not supported.`) : ok({ token, type })
}

function malformed(hint: string): Refusal {
  return refuse('request.malformed', 'token exchange', hint)
}

/**
 * One answer for every fault of a subject or actor token (RFC 8693 §2.2.2): which check failed is for
 * the log, since whoever tries tokens would learn from it what is bound and what is trusted.
 */
export function refuseToken(party: 'subject' | 'actor', detail: string): Refusal {
  return refuse('exchange.token_refused', `${party}: ${detail}`, `The ${party} token is not accepted.`)
}

/**
 * Who acts for the subject in the new token (RFC 8693 §4.1): the newest actor outermost.
 *
 * Without an actor token a client that exchanges a token of another client's is its actor, so that no
 * token hides who uses it. A chain deeper than three is refused.
 */
export function chainActors(
  subject: Pick<ExchangeParty, 'act' | 'clientId' | 'subject'>,
  actor: Pick<ExchangeParty, 'subject' | 'clientId'> | undefined,
  clientId: string,
): Result<ActorClaim | undefined> {
  const acting = actor ?? actingClient(subject, clientId)
  if (acting === undefined) return ok(subject.act)
  const chain = {
    sub: acting.subject,
    ...(acting.clientId === undefined || acting.clientId === acting.subject
      ? {}
      : { client_id: acting.clientId }),
    ...(subject.act === undefined ? {} : { act: subject.act }),
  }
  return depthOf(chain) > DEEPEST_ACTORS ? refuseToken('subject', 'too many actors') : ok(chain)
}

function actingClient(
  subject: Pick<ExchangeParty, 'clientId' | 'act'>,
  clientId: string,
): Pick<ExchangeParty, 'subject' | 'clientId'> | undefined {
  // What comes from another issuer was never in another client's hands, as far as we know.
  if (subject.clientId === undefined || subject.clientId === clientId) return undefined
  return { subject: clientId, clientId: undefined }
}

function depthOf(chain: ActorClaim | undefined): number {
  return chain === undefined ? 0 : 1 + depthOf(chain.act)
}

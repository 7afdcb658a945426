import type { Logger } from '#shared/log.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { DpopProof } from '#shared/tokens/dpop-proof.ts'
import type { ProofMemory } from '#shared/tokens/proof-memory.ts'
import type { Trace } from '#shared/trace.ts'
import { checkAgainstPolicy } from '../domain/auth-policy.ts'
import { type Grant, TOKEN_EXCHANGE } from '../domain/client.ts'
import type { TokenRequest } from '../domain/token-request.ts'
import type { RateLimit } from '../ports.ts'
import { type AuthenticateClientDeps, checkClient, claim } from './authenticate-client.ts'
import { type GrantRequest, holdAssertion, type TokenAnswer } from './grant-request.ts'
import { type AuthorizationCodeDeps, authorizationCodeGrant } from './grants/authorization-code.ts'
import { clientCredentialsGrant } from './grants/client-credentials.ts'
import { type RefreshTokenDeps, refreshTokenGrant } from './grants/refresh-token.ts'
import { type TokenExchangeDeps, tokenExchangeGrant } from './grants/token-exchange.ts'
import type { MintDeps } from './mint-access-token.ts'
import { takeTokenRequest } from './token-rate.ts'

export type GrantsDeps = MintDeps &
  AuthenticateClientDeps &
  AuthorizationCodeDeps &
  RefreshTokenDeps &
  TokenExchangeDeps &
  UseProofDeps & { readonly tokenRate: RateLimit }

/** What of a request is known beside its form. */
export type TokenCall = {
  /** A DPoP proof that came along and was checked, but for having been used before. */
  readonly proof?: DpopProof | undefined
  /** Thumbprint of its key. */
  readonly jkt: string | undefined
  readonly nowMs: number
  readonly trace: Trace
  readonly clientAddress: string
  readonly log: Logger
}

type GrantHandler = (deps: GrantsDeps, request: GrantRequest) => Promise<Result<TokenAnswer>>

const GRANT_HANDLERS: Readonly<Record<Grant, GrantHandler>> = {
  client_credentials: clientCredentialsGrant,
  authorization_code: authorizationCodeGrant,
  refresh_token: refreshTokenGrant,
  [TOKEN_EXCHANGE]: tokenExchangeGrant,
}

/**
 * Answers a request at the token endpoint: proves the client, then leaves the rest to its grant.
 *
 * Whoever is not proven gets one refusal, whatever the reason: an unknown client, a wrong secret, a
 * disabled client, a tenant that has no access. What a proven client may not do, it is told.
 */
export async function answerTokenRequest(
  deps: GrantsDeps,
  request: TokenRequest,
  call: TokenCall,
): Promise<Result<TokenAnswer>> {
  // All at once: in a cold instance each of them is a round trip.
  const [checked] = await Promise.all([
    checkClient(deps, request.client, call),
    deps.keyring.signer(call.nowMs),
  ])
  if (!checked.ok) return checked
  const { client, assertion, conclude } = checked.value
  // What commits nothing writes an assertion down first of all; else it goes into the grant's commit.
  if (assertion === undefined || request.grant === 'client_credentials') {
    const proven = conclude(await claim(deps, client, assertion))
    return proven.ok ? answerProven(deps, { ...request, ...call, client: proven.value }) : proven
  }
  const held = holdAssertion(assertion)
  const answered = await answerProven(deps, { ...request, ...call, client, assertion: held }).catch(
    async (error: unknown) => {
      // Shown is shown, whatever came of it; if that fails too, it is the first error that is told.
      if (!held.isSpent()) await claim(deps, client, assertion).catch(() => undefined)
      throw error
    },
  )
  const told = answered.ok || answered.code !== 'client.invalid' ? undefined : answered
  const concluded = conclude(held.isSpent() ? told : await claim(deps, client, assertion))
  return concluded.ok ? answered : concluded
}

/** What a proven client gets. */
async function answerProven(
  deps: GrantsDeps,
  request: GrantRequest & TokenCall & Pick<TokenRequest, 'grant'>,
): Promise<Result<TokenAnswer>> {
  const { client } = request.client
  const counted = takeTokenRequest(deps, request.client, request.nowMs)
  if (!counted.ok) return counted
  // After the client is proven, so that nobody else can fill the memory.
  const used = useProof(deps, request)
  if (!used.ok) return used
  if (!client.grants.includes(request.grant)) {
    return refuse('client.unauthorized', 'grant not enabled', 'This client may not use this grant.')
  }
  if (client.authMethod === 'none' && request.grant === 'client_credentials') {
    return refuse('client.unauthorized', 'public client', 'A public client has no credentials of its own.')
  }
  if (client.dpopRequired && request.jkt === undefined) {
    return refuse('dpop.invalid', 'no proof', 'This client must send a DPoP proof.')
  }
  const conforms = checkAgainstPolicy(request.client.state, client, request.jkt)
  if (!conforms.ok) return conforms
  return GRANT_HANDLERS[request.grant](deps, request)
}

export type UseProofDeps = { readonly proofs: ProofMemory }

/** Takes the proof of a call as used; a second time in this process is refused (RFC 9449 §11.1). */
export function useProof(
  deps: UseProofDeps,
  { proof, nowMs }: Pick<TokenCall, 'proof' | 'nowMs'>,
): Result<void> {
  if (proof === undefined || deps.proofs.isFirstUse(proof.id, nowMs)) return ok(undefined)
  return refuse('dpop.invalid', 'proof used before', 'Make a new DPoP proof for each request.')
}

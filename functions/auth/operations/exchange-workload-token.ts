import { ok, type Result, refuse } from '#shared/result.ts'
import { openByCredential } from '#shared/tenancy/credential.ts'
import { ACCESS_BY_STATE } from '#shared/tokens/tenant-access.ts'
import { checkAgainstPolicy } from '../domain/auth-policy.ts'
import { MACHINE, TOKEN_EXCHANGE } from '../domain/client.ts'
import { parseExchange, refuseToken } from '../domain/token-exchange.ts'
import type { AnonymousRequest } from '../domain/token-request.ts'
import { clientIdOfBinding } from '../domain/workload-binding.ts'
import type { RateLimit } from '../ports.ts'
import { type ProvenWorkload, proveWorkload } from './exchange/workload.ts'
import type { ProvenClient, TokenAnswer } from './grant-request.ts'
import { answerExchange, type TokenExchangeDeps } from './grants/token-exchange.ts'
import type { TokenCall } from './grants.ts'
import { takeTokenRequest } from './token-rate.ts'

/**
 * Exchanges the token that a cluster projected into a pod, for a workload that is no client of ours.
 *
 * Its token is its credential, so it sends none besides (RFC 8693 §2.1). The namespace names the tenant,
 * and the binding stands for the client: same rules, same limits, one id to revoke it by.
 */
export async function exchangeWorkloadToken(
  deps: TokenExchangeDeps & { readonly tokenRate: RateLimit },
  request: AnonymousRequest,
  call: TokenCall,
): Promise<Result<TokenAnswer>> {
  const tokens = parseExchange(request.form)
  if (!tokens.ok) return tokens
  const { actor, subject } = tokens.value
  // Whoever is nobody's workload has to say which client it is.
  if (subject.type !== 'jwt' || actor !== undefined)
    return refuse('client.invalid', 'no client authentication')
  const workload = await proveWorkload(deps, subject.token, call.nowMs)
  if (!workload.ok) return refuseToken('subject', `${workload.code} ${workload.detail}`)
  const { identity, state } = workload.value
  if (ACCESS_BY_STATE[state.status].kind === 'none')
    return refuseToken('subject', `tenant is ${state.status}`)
  const client = clientOf(workload.value)
  const counted = takeTokenRequest(deps, client, call.nowMs)
  if (!counted.ok) return counted
  const conforms = checkAgainstPolicy(state, client.client, call.jkt)
  if (!conforms.ok) return conforms
  const answer = { client, jkt: call.jkt, nowMs: call.nowMs, scopes: request.scopes }
  const answered = await answerExchange(deps, answer, workload.value.party, undefined)
  return answered.ok ? ok({ ...answered.value, logged: { tenantId: identity.tenantId } }) : answered
}

/** The binding in the place of a client: what it may, and the id it goes by. */
function clientOf({ binding, identity, state }: ProvenWorkload): ProvenClient {
  const { tenantId } = identity
  const clientId = clientIdOfBinding(tenantId, binding.id)
  return {
    client: {
      ...MACHINE,
      clientId,
      tenantId,
      name: binding.id,
      authMethod: 'none',
      grants: [TOKEN_EXCHANGE],
      scopes: binding.scopes,
      roles: [],
      secrets: [],
      ownerUserId: null,
      createdAt: binding.createdAt,
    },
    state,
    ctx: openByCredential(tenantId, 'workload', binding.id),
    method: 'none',
  }
}

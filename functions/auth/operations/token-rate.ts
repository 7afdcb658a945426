import { TIER_LIMITS } from '#shared/catalogue/tiers.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { RateLimit } from '../ports.ts'
import type { ProvenClient } from './grant-request.ts'

/**
 * Counts one token request of a client, at this instance. First its own share, which is less than the
 * tenant's: a client that asks without end leaves something to the others, and is told to wait without
 * using up what is theirs. For proven clients alone, so that nobody uses up the share of another tenant.
 */
export function takeTokenRequest(
  { tokenRate }: { readonly tokenRate: RateLimit },
  { client, state }: Pick<ProvenClient, 'client' | 'state'>,
  nowMs: number,
): Result<void> {
  const { clientTokenRequestsPerSecond, tokenRequestsPerSecond } = TIER_LIMITS[state.tier]
  if (!tokenRate.take(client.clientId, clientTokenRequestsPerSecond, nowMs)) {
    return refuse('rate.limited', 'token requests of the client', 'Too many token requests by this client.')
  }
  if (!tokenRate.take(client.tenantId, tokenRequestsPerSecond, nowMs)) {
    return refuse('rate.limited', 'token requests of the tier', 'Too many token requests for this tier.')
  }
  return ok(undefined)
}

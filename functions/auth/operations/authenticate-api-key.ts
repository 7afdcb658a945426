import type { TenantScope } from '#shared/catalogue/scopes.ts'
import { TIER_LIMITS } from '#shared/catalogue/tiers.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { openByCredential } from '#shared/tenancy/credential.ts'
import { scopesAllowed } from '#shared/tokens/tenant-access.ts'
import { type ApiKey, matchesApiKey, parseApiKey } from '../domain/api-key.ts'
import type { ApiKeyStore } from '../ports/api-keys.ts'
import type { FailedLoginCount } from '../ports/failures.ts'
import type { KnownState, PepperStore, RateLimit } from '../ports.ts'

export type AuthenticateApiKeyDeps = {
  readonly apiKeys: ApiKeyStore
  readonly peppers: PepperStore
  /** Requests by API key that a tenant may still make now, on this instance. */
  readonly apiKeyRate: RateLimit
  readonly failedLogins: FailedLoginCount
}

/** An API key that was proven, in a tenant whose state leaves it something. */
export type ProvenApiKey = {
  readonly key: ApiKey
  readonly state: KnownState
  /** Opens the key's own tenant. */
  readonly ctx: TenantContext
  /** What remains of its scopes in the state of the tenant. */
  readonly scopes: readonly string[]
}

/**
 * Proves an API key, and that it may do what `scope` names; undefined asks for nothing in particular.
 *
 * One refusal (`token.invalid`) for whatever is no live key of ours, `token.insufficient_scope` for one
 * that lacks the scope. What is not spelt like a key costs no read. Throws when the store is down.
 */
export async function authenticateApiKey(
  deps: AuthenticateApiKeyDeps,
  text: unknown,
  scope: TenantScope | undefined,
  nowMs: number,
): Promise<Result<ProvenApiKey>> {
  const presented = parseApiKey(text)
  if (!presented.ok) return presented
  const { tenantId, keyId } = presented.value
  const [{ state, key }] = await Promise.all([
    deps.apiKeys.findCredential(tenantId, keyId),
    deps.peppers.all([]),
  ])
  const peppers = await deps.peppers.all(key === undefined ? [] : [key.pepperVersion])
  const matches = matchesApiKey(presented.value.text, key, peppers)
  // Only of keys that are there: ids that anybody makes up are nobody's failed attempt.
  if (key !== undefined && !matches) {
    deps.failedLogins.count({ tenantId, credential: 'api_key', id: keyId, reason: 'api_key' }, nowMs)
  }
  if (key === undefined || !matches) return refuse('token.invalid', 'unknown API key')
  if (key.expiresAt !== null && key.expiresAt <= nowMs) return refuse('token.invalid', 'expired API key')
  if (state === undefined) return refuse('token.invalid', 'unknown tenant')
  const scopes = scopesAllowed(state.status, [], key.scopes)
  if (scopes.length === 0) return refuse('token.invalid', `tenant is ${state.status}`)
  if (!deps.apiKeyRate.take(tenantId, TIER_LIMITS[state.tier].apiRequestsPerSecond, nowMs)) {
    return refuse('rate.limited', 'requests by API key', 'More requests than the tier allows in a second.')
  }
  if (scope !== undefined && !scopes.includes(scope)) {
    return refuse('token.insufficient_scope', `needs ${scope}`, `This needs the scope ${scope}.`)
  }
  return ok({ key, state, ctx: openByCredential(key.tenantId, 'key', key.keyId), scopes })
}

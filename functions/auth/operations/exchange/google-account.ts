import type { TenantId } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { WORKLOAD_TOKEN_LIFE_SECONDS } from '../../domain/access-token.ts'
import { isFor, readGoogleAccount } from '../../domain/foreign-claims.ts'
import type { ExchangeParty } from '../../domain/token-exchange.ts'
import { bindingIdOf, subjectOfBinding } from '../../domain/workload-binding.ts'
import { readForeignToken, verifyForeignToken } from './foreign-token.ts'
import type { WorkloadDeps } from './workload.ts'

const LONGEST_LIFE_SECONDS = 3_600

/**
 * Proves a Google service account that `tenantId` has bound, by an ID token that Google made for us.
 *
 * The token names no tenant: the client does, whose tenant must have bound the account.
 */
export async function proveGoogleAccount(
  deps: WorkloadDeps,
  tenantId: TenantId,
  token: string,
  nowMs: number,
): Promise<Result<ExchangeParty>> {
  const { google } = deps.trusted
  const parts = readForeignToken(token)
  if (!parts.ok) return parts
  if (parts.value.issuer !== google.issuer) return refuse('token.invalid', 'not Google')
  if (!isFor(parts.value.payload, deps.issuer)) return refuse('token.invalid', 'aud')
  const account = readGoogleAccount(parts.value.payload)
  if (!account.ok) return account
  const rules = {
    keys: { jwksUri: google.jwksUri, scope: 'platform' },
    algs: ['RS256'] as const,
    longestLifeSeconds: LONGEST_LIFE_SECONDS,
  }
  const verified = await verifyForeignToken(deps, token, parts.value, rules, nowMs)
  if (!verified.ok) return verified
  const { binding } = await deps.findBinding(tenantId, bindingIdOf(account.value))
  if (binding === undefined || !('email' in binding)) return refuse('token.invalid', 'account is not bound')
  return ok({
    subject: subjectOfBinding(tenantId, binding),
    scopes: binding.scopes,
    roles: [],
    expiresAt: verified.value.expiresAt,
    lifeSeconds: WORKLOAD_TOKEN_LIFE_SECONDS,
    watermarks: [],
    claims: {},
    act: undefined,
    clientId: undefined,
    jkt: undefined,
  })
}

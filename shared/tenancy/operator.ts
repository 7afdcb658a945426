import type { PlatformScope } from '../catalogue/scopes.ts'
import { PLATFORM_TENANT, type TenantId } from '../ids.ts'
import { type Refusal, refuse } from '../result.ts'
import { TenantContext } from './context.ts'
import { prove, type VerifiedToken } from './proofs.ts'

const GRANT_MS = 3_600_000

/**
 * Lets an operator act on a tenant, for one hour at most.
 *
 * The operator's own token must live in the tenant `platform` and hold the scope; anything else is
 * the 404 of a tenant that does not exist. Whoever uses the context to change something commits the
 * audit entry with the change.
 */
export function openAsOperator(
  token: VerifiedToken,
  tenantId: TenantId,
  scope: PlatformScope,
  reason: string,
  nowMs: number,
): TenantContext | Refusal {
  if (token.claims.tenant !== PLATFORM_TENANT || !token.claims.scopes.has(scope)) {
    return refuse('resource.not_found', `caller has no ${scope}`)
  }
  return new TenantContext(
    prove.operator({
      tenantId,
      operator: token.claims.subject,
      scope,
      reason,
      expiresAtMs: Math.min(nowMs + GRANT_MS, token.claims.expiresAt * 1000),
    }),
  )
}

/**
 * A context for the deployer's own command line, which acts with Google credentials instead of a token.
 *
 * `deployer` is the Google identity; it appears in the audit as the operator.
 */
export function openAsDeployer(
  tenantId: TenantId,
  deployer: string,
  reason: string,
  nowMs: number,
): TenantContext {
  return new TenantContext(
    prove.operator({
      tenantId,
      operator: deployer,
      scope: 'platform:operate',
      reason,
      expiresAtMs: nowMs + GRANT_MS,
    }),
  )
}

import {
  isPlatformScope,
  PLATFORM_SCOPES,
  type Scope,
  TENANT_SCOPES,
  type TenantScope,
} from '#shared/catalogue/scopes.ts'
import { PLATFORM_TENANT, type TenantId } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'

const KNOWN: ReadonlySet<string> = new Set([...TENANT_SCOPES, ...PLATFORM_SCOPES])
const MOST_SCOPES = 64
/** RFC 6749 §3.3: tokens of printable ASCII without quote and backslash, one space between them. */
const SCOPE = /^[\x21\x23-\x5B\x5D-\x7E]+(?: [\x21\x23-\x5B\x5D-\x7E]+)*$/

export function isTenantScope(value: string): value is TenantScope {
  return (TENANT_SCOPES as readonly string[]).includes(value)
}

export function isScope(value: string): value is Scope {
  return KNOWN.has(value)
}

/** Reads the `scope` parameter; a scope named twice counts once. */
export function parseScope(value: string): Result<readonly string[]> {
  if (!SCOPE.test(value)) return refuse('scope.invalid', 'scope syntax', 'The scope is malformed.')
  const scopes = [...new Set(value.split(' '))]
  if (scopes.length > MOST_SCOPES) {
    return refuse('scope.invalid', 'too many scopes', `At most ${MOST_SCOPES} scopes can be asked for.`)
  }
  return ok(scopes)
}

/** What is asked for, if all of it is granted; everything granted when nothing is asked for. */
export function narrowScopes(
  granted: readonly Scope[],
  asked: readonly string[] | undefined,
): Result<readonly Scope[]> {
  if (asked === undefined) return ok(granted)
  const allowed = granted.filter((scope) => asked.includes(scope))
  if (allowed.length === asked.length) return ok(allowed)
  return refuse('scope.invalid', 'scope not granted', 'A scope is not granted to this client.')
}

/** Who wants to give scopes away: what their own token holds, and in which tenant. */
export type ScopeGiver = {
  readonly tenantId: TenantId
  readonly scopes: ReadonlySet<string>
}

/**
 * Whether `giver` may give `scopes` to a client of `tenantId`.
 *
 * Nobody gives more than their own token holds, so a client cannot make itself a stronger one. The one
 * exception are operators, who open a tenant's first doors without holding any of the tenant's scopes.
 * Platform scopes never leave the tenant `platform`.
 */
export function checkGivable(giver: ScopeGiver, tenantId: TenantId, scopes: readonly Scope[]): Result<void> {
  const held = checkHoldable(tenantId, scopes)
  if (!held.ok) return held
  const insidePlatform = tenantId === PLATFORM_TENANT
  const asOperator = giver.tenantId === PLATFORM_TENANT && !insidePlatform
  if (!asOperator && giver.tenantId !== tenantId) return refuse('resource.not_found', 'foreign tenant')
  if (asOperator || scopes.every((scope) => giver.scopes.has(scope))) return ok(undefined)
  return refuse('scope.invalid', 'more than the caller holds', 'You can only give scopes that you hold.')
}

/** Whether anything of `tenantId` may hold `scopes`, whoever gives them: platform scopes are the operators'. */
export function checkHoldable(tenantId: TenantId, scopes: readonly Scope[]): Result<void> {
  const platform = scopes.find(isPlatformScope)
  return platform === undefined || tenantId === PLATFORM_TENANT
    ? ok(undefined)
    : refuse('scope.invalid', `${platform} outside the platform`, 'Only operators hold platform scopes.')
}

import type { AuthPolicy } from '#shared/catalogue/auth-policy.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import {
  checkAgainstPolicy,
  checkPolicyTier,
  isStricter,
  NO_POLICY,
  type PolicySettings,
} from '../domain/auth-policy.ts'
import type { ClientId } from '../domain/client-id.ts'
import type { TenantAuthState } from '../domain/tenant-state.ts'
import type { AuthPolicyStore } from '../ports/auth-policy.ts'
import type { Credentials } from '../ports.ts'

export type KeepAuthPolicyDeps = {
  readonly authPolicies: AuthPolicyStore
  readonly credentials: Credentials
}

/** The tenant's policy; one that says nothing of its own where it never set one. */
export async function getAuthPolicy(
  deps: KeepAuthPolicyDeps,
  ctx: TenantContext,
): Promise<Result<AuthPolicy>> {
  return readable(await deps.authPolicies.stateOf(ctx))
}

/** Who sets a policy: a client of the tenant itself must be able to go on under it. */
export type PolicySetter = {
  readonly tenantId: string
  readonly clientId: string
  /** The key that the caller's own token is bound to. */
  readonly jkt: string | undefined
}

/**
 * Replaces the tenant's policy. It applies to the next request for a token, and to sessions at their
 * next refresh. Where it asks for more, the policy version rises, and with it every token minted before
 * is refused within two seconds: none of them says what the tenant asks for now. It never falls.
 *
 * Nobody shuts themselves out: the client that asks must satisfy what it asks for. An operator can take
 * back what a tenant has done to itself.
 */
export async function setAuthPolicy(
  deps: KeepAuthPolicyDeps,
  command: {
    readonly ctx: TenantContext
    readonly setter: PolicySetter
    readonly wanted: PolicySettings
    readonly ifMatch: (revision: number) => Result<void>
    readonly nowMs: number
  },
): Promise<Result<AuthPolicy>> {
  const { ctx, setter, wanted } = command
  const own = setter.tenantId === ctx.tenantId
  const asking = own ? await deps.credentials.find(ctx.tenantId, setter.clientId as ClientId) : undefined
  const policy = { ...wanted, revision: 0 }
  if (asking?.client !== undefined) {
    const able = checkAgainstPolicy({ tier: 'enterprise', policy }, asking.client, setter.jkt)
    if (!able.ok) {
      const hint = 'You would shut yourself out: ask with a client that satisfies the policy.'
      return refuse('request.malformed', `locks out its setter: ${able.detail}`, hint)
    }
  }
  return deps.authPolicies.change(ctx, (state) => {
    const known = readable(state)
    if (!known.ok) return known
    if (state === undefined) return refuse('resource.not_found', 'auth knows no such tenant')
    const current = command.ifMatch(known.value.revision)
    if (!current.ok) return current
    const next = { ...wanted, revision: known.value.revision + 1 }
    const version = isStricter(known.value, wanted) ? state.version + 1 : state.version
    const outcome = Object.entries(wanted).map(([name, value]) => `${name}=${value}`)
    const audit = [{ action: 'auth.policy.changed', target: ctx.tenantId, outcome: outcome.join(' ') }]
    return ok({ policy: next, version, audit })
  })
}

function readable(state: TenantAuthState | undefined): Result<AuthPolicy> {
  if (state === undefined) return refuse('resource.not_found', 'auth knows no such tenant')
  const tier = checkPolicyTier(state)
  return tier.ok ? ok(state.policy ?? NO_POLICY) : tier
}

import { z } from 'zod'
import { type AuthPolicy, POLICY_SETTINGS } from '#shared/catalogue/auth-policy.ts'
import { SESSION_LIMITS, type SessionLimits } from '#shared/catalogue/tiers.ts'
import { parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { Client } from './client.ts'
import type { Session } from './session.ts'
import type { TenantAuthState } from './tenant-state.ts'

export type PolicySettings = Omit<AuthPolicy, 'revision'>

type State = Pick<TenantAuthState, 'tier' | 'policy'>

const DAY_MS = 24 * 3_600_000

/** A tenant that never said anything. */
export const NO_POLICY: AuthPolicy = {
  requireDpop: false,
  requirePrivateKeyJwt: false,
  refreshIdleDays: null,
  refreshAbsoluteDays: null,
  revision: 0,
}

/** Reads the policy that a caller wants; whole days from 1 to 90. */
export const parsePolicySettings = parser<PolicySettings>(
  z
    .strictObject(POLICY_SETTINGS)
    .refine(
      ({ refreshIdleDays: idle, refreshAbsoluteDays: absolute }) =>
        idle === null || absolute === null || idle <= absolute,
      { path: ['refreshIdleDays'], message: 'must not be more than refreshAbsoluteDays' },
    ),
)

/** Whether a tier can have a policy of its own (`auth.md` §11). */
export function checkPolicyTier({ tier }: Pick<State, 'tier'>): Result<void> {
  if (tier === 'enterprise') return ok(undefined)
  return refuse('tier.required', `${tier} has no policy`, 'A policy of its own needs the tier enterprise.')
}

/** What applies now: a tenant that left the tier keeps its policy, and is bound by it again if it returns. */
export function policyInForce(state: State): AuthPolicy {
  return (checkPolicyTier(state).ok ? state.policy : undefined) ?? NO_POLICY
}

/**
 * Whether a request for a token is made as the tenant asks for. People's applications keep no secret, and
 * workloads come with a token of their cluster: of them it can ask for a key of the token alone.
 */
export function checkAgainstPolicy(
  state: State,
  { authMethod }: Pick<Client, 'authMethod'>,
  jkt: string | undefined,
): Result<void> {
  const { requireDpop, requirePrivateKeyJwt } = policyInForce(state)
  if (requirePrivateKeyJwt && authMethod.startsWith('client_secret')) {
    const hint = 'This tenant takes clients with private_key_jwt, not with a secret.'
    return refuse('client.unauthorized', 'policy: a secret', hint)
  }
  if (requireDpop && jkt === undefined) {
    return refuse('dpop.invalid', 'policy: no proof', 'This tenant asks for a DPoP proof.')
  }
  return ok(undefined)
}

/** How many sessions a person has and how long they last: as the tier says, or for longer or shorter. */
export function sessionLimitsOf(state: State): SessionLimits {
  const limits = SESSION_LIMITS[state.tier]
  const { refreshIdleDays, refreshAbsoluteDays } = policyInForce(state)
  const absolute = refreshAbsoluteDays ?? limits.refreshAbsoluteDays
  return {
    ...limits,
    refreshIdleDays: Math.min(refreshIdleDays ?? limits.refreshIdleDays, absolute),
    refreshAbsoluteDays: absolute,
  }
}

/** A session as the policy of today leaves it: never longer than it was begun with. */
export function withinPolicy(session: Session, state: State): Session {
  const { refreshAbsoluteDays, refreshIdleDays } = policyInForce(state)
  const ends = (days: number | null, from: number) => (days === null ? Infinity : from + days * DAY_MS)
  const absoluteUntil = Math.min(session.absoluteUntil, ends(refreshAbsoluteDays, session.createdAt))
  const idleUntil = ends(refreshIdleDays, session.rotatedAt)
  return { ...session, absoluteUntil, idleUntil: Math.min(session.idleUntil, idleUntil, absoluteUntil) }
}

/** Whether tokens of before say what no longer may be said: they must go with the change. */
export function isStricter(before: AuthPolicy, after: PolicySettings): boolean {
  return (
    (after.requireDpop && !before.requireDpop) || (after.requirePrivateKeyJwt && !before.requirePrivateKeyJwt)
  )
}

import { z } from 'zod'
import { type AuthPolicy, STORED_POLICY } from '#shared/catalogue/auth-policy.ts'
import { TIERS, type Tier } from '#shared/catalogue/tiers.ts'
import {
  supersedes,
  TENANT_STATES,
  type TenantFact,
  type TenantState,
} from '#shared/contracts/events/tenant-fact.ts'
import { parser } from '#shared/json.ts'
import { ACCESS_BY_STATE, type TenantAccess } from '#shared/tokens/tenant-access.ts'

/** What auth knows of a tenant, in `auth_state/current`; every function's verifier reads the first four. */
export type TenantAuthState = {
  readonly status: TenantState
  readonly tier: Tier
  /** Policy version; rises with breaking changes of what tokens may say. */
  readonly version: number
  /** The watermark: tokens issued at or before this second are refused. It only moves forward. */
  readonly notBefore: number
  /** The last tenant fact applied, decimal. */
  readonly sequence: string
  readonly cluster: string
  readonly namespace: string
  readonly updatedAt: number
  /** What the tenant asks for beyond the usual, if it ever said so. */
  readonly policy?: AuthPolicy | undefined
}

export const parseTenantAuthState = parser<TenantAuthState>(
  z.object({
    status: z.enum(TENANT_STATES),
    tier: z.enum(TIERS),
    version: z.number().int(),
    notBefore: z.number().int(),
    sequence: z.string().regex(/^\d{1,19}$/),
    cluster: z.string(),
    namespace: z.string(),
    updatedAt: z.number().int(),
    policy: STORED_POLICY.optional(),
  }),
)

/**
 * The state after a fact, or undefined when a later fact was applied before. A tenant that is being purged
 * only goes on to PURGED, whatever the sequences.
 *
 * The watermark rises whenever the new state allows less than the one we knew, not only on
 * `suspend-started`: facts come in any order, and the first one seen of a suspension may be its last.
 */
export function applyTenantFact(
  known: TenantAuthState | undefined,
  fact: TenantFact,
  sequence: bigint,
  nowMs: number,
): TenantAuthState | undefined {
  const before = known && { state: known.status, sequence: BigInt(known.sequence) }
  if (!supersedes({ state: fact.state, sequence }, before)) return undefined
  const notBefore = known?.notBefore ?? 0
  const narrowed = known !== undefined && allowsLess(fact.state, known.status)
  return {
    status: fact.state,
    tier: fact.tier,
    version: known?.version ?? 1,
    notBefore: narrowed ? Math.max(notBefore, Math.floor(nowMs / 1000)) : notBefore,
    sequence: sequence.toString(),
    cluster: fact.cluster,
    namespace: fact.namespace,
    updatedAt: nowMs,
    ...(known?.policy === undefined ? {} : { policy: known.policy }),
  }
}

/** The state of the reserved tenant `platform`, where operators live: no fact ever speaks of it. */
export function platformState(nowMs: number): TenantAuthState {
  return {
    status: 'ACTIVE',
    tier: 'enterprise',
    version: 1,
    notBefore: 0,
    sequence: '0',
    cluster: '',
    namespace: '',
    updatedAt: nowMs,
  }
}

function allowsLess(next: TenantState, previous: TenantState): boolean {
  return breadth(ACCESS_BY_STATE[next]) < breadth(ACCESS_BY_STATE[previous])
}

function breadth(access: TenantAccess): number {
  if (access.kind === 'all') return Number.POSITIVE_INFINITY
  return access.kind === 'none' ? 0 : access.scopes.length
}

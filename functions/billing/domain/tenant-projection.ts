import { z } from 'zod'
import { TIERS, type Tier } from '#shared/catalogue/tiers.ts'
import { supersedes, TENANT_STATES, type TenantState } from '#shared/contracts/events/tenant-fact.ts'
import { parser } from '#shared/json.ts'

/** What billing knows of a tenant: the newest fact that tenant-events published about it. */
export type TenantProjection = {
  readonly state: TenantState
  readonly tier: Tier
  /** The fact's number, a decimal; a fact with a lower one is old news, unless it tells of the purge. */
  readonly sequence: string
  readonly revision: number
}

export const parseProjection = parser<TenantProjection>(
  z.object({
    state: z.enum(TENANT_STATES),
    tier: z.enum(TIERS),
    sequence: z.string().regex(/^\d{1,19}$/),
    revision: z.number(),
  }),
)

/** Whether a fact says something newer than what is known; of a tenant being purged only its end is news. */
export function isNews(fact: TenantProjection, known: TenantProjection | undefined): boolean {
  return supersedes(told(fact), known && told(known))
}

function told({ sequence, state }: TenantProjection) {
  return { state, sequence: BigInt(sequence) }
}

/** What becomes of usage of a tenant: applied, kept until the tenant is activated, or refused for good. */
export type UsageAdmission = 'apply' | 'wait' | 'refuse'

export function admitUsage(known: Pick<TenantProjection, 'state'> | undefined): UsageAdmission {
  switch (known?.state) {
    case undefined:
    case 'REQUESTED':
    case 'PROVISIONING':
    case 'PROVISION_FAILED':
      return 'wait'
    case 'REJECTED':
    case 'PURGING':
    case 'PURGED':
      return 'refuse'
    default:
      return 'apply'
  }
}

/** Whether workflows may begin: not of a tenant that is suspended, leaving, or not there yet. */
export function mayBeginWorkflows({ state }: Pick<TenantProjection, 'state'>): boolean {
  return state === 'ACTIVE' || state === 'TIER_CHANGING'
}

import { z } from 'zod'
import { TIERS, type Tier } from '../../catalogue/tiers.ts'
import { defineEvent } from '../define-event.ts'
import { operationIdSchema } from '../operation-id.ts'

/** Command to billing: bill the tenant by this tier; answered by `charged` or `charge-refused`. */
export type TierChargeRequested = {
  tenantId: string
  tier: Tier
  operationId: string
  /** From now on unless it says that the running period is left as it is. */
  effective?: 'now' | 'period_end' | undefined
  /**
   * The tier that the tenant has. Changes of tier that operations before this one were charged for, and that
   * came to nothing, are taken back with this one: the facts that say so may arrive later.
   */
  fromTier?: Tier | undefined
}

export const tierChargeRequested = defineEvent<TierChargeRequested>(
  'ai.energent.billing.tier-charge-requested.v1',
  z.object({
    tenantId: z.string(),
    tier: z.enum(TIERS),
    operationId: operationIdSchema,
    effective: z.enum(['now', 'period_end']).optional(),
    fromTier: z.enum(TIERS).optional(),
  }),
  {
    tenantId: 'acme',
    tier: 'premium',
    operationId: 'op_01JD8K2M5QV7N9X3C6R8W1Y4ZA',
    effective: 'now',
    fromTier: 'standard',
  },
)

import { z } from 'zod'
import { TIERS, type Tier } from '../../catalogue/tiers.ts'
import { defineEvent } from '../define-event.ts'
import { operationIdSchema } from '../operation-id.ts'

/** Command to billing: give this tenant a subscription; answered by `subscription-ready` or `charge-refused`. */
export type SubscriptionRequested = {
  tenantId: string
  tier: Tier
  operationId: string
  /** Until when the subscription is a trial, if it starts as one. */
  trialEndsAt?: string | undefined
}

export const subscriptionRequested = defineEvent<SubscriptionRequested>(
  'ai.energent.billing.subscription-requested.v1',
  z.object({
    tenantId: z.string(),
    tier: z.enum(TIERS),
    operationId: operationIdSchema,
    trialEndsAt: z.iso.datetime().optional(),
  }),
  { tenantId: 'acme', tier: 'standard', operationId: 'op_01JD8K2M5QV7N9X3C6R8W1Y4ZA' },
)

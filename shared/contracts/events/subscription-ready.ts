import { z } from 'zod'
import { defineEvent } from '../define-event.ts'
import { operationIdSchema } from '../operation-id.ts'

/** Fact of billing: the subscription an operation asked for exists. */
export type SubscriptionReady = {
  tenantId: string
  operationId: string
  subscriptionId: string
  planId: string
}

export const subscriptionReady = defineEvent<SubscriptionReady>(
  'ai.energent.billing.subscription-ready.v1',
  z.object({
    tenantId: z.string(),
    operationId: operationIdSchema,
    subscriptionId: z.string().min(1).max(128),
    planId: z.string().min(1).max(128),
  }),
  {
    tenantId: 'acme',
    operationId: 'op_01JD8K2M5QV7N9X3C6R8W1Y4ZA',
    subscriptionId: 'sub_acme',
    planId: 'example-standard',
  },
)

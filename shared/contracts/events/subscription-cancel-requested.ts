import { z } from 'zod'
import { defineEvent } from '../define-event.ts'
import { operationIdSchema } from '../operation-id.ts'

/** Command to billing: undo what `subscription-requested` of the same operation did. */
export type SubscriptionCancelRequested = {
  tenantId: string
  operationId: string
}

export const subscriptionCancelRequested = defineEvent<SubscriptionCancelRequested>(
  'ai.energent.billing.subscription-cancel-requested.v1',
  z.object({ tenantId: z.string(), operationId: operationIdSchema }),
  { tenantId: 'acme', operationId: 'op_01JD8K2M5QV7N9X3C6R8W1Y4ZA' },
)

import { z } from 'zod'
import { defineEvent } from '../define-event.ts'
import { operationIdSchema } from '../operation-id.ts'

/**
 * Command to billing: let no workflow begin, and say `slots-drained` when none runs any more. It holds
 * until the tenant's fact that ends the operation.
 */
export type SlotsFreezeRequested = {
  tenantId: string
  operationId: string
}

export const slotsFreezeRequested = defineEvent<SlotsFreezeRequested>(
  'ai.energent.billing.slots-freeze-requested.v1',
  z.object({ tenantId: z.string(), operationId: operationIdSchema }),
  { tenantId: 'acme', operationId: 'op_01JD8K2M5QV7N9X3C6R8W1Y4ZA' },
)

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
  /**
   * The `sequence` of the tenant's last fact before this was asked for. A later fact that the tenant works
   * again ends the freeze, whichever operation that is of, and whichever of the two arrives first.
   */
  sequence?: string | undefined
  /** How long workflows may take to end; after that the answer is `slots-held`. For ever unless given. */
  limitSeconds?: number | undefined
}

export const slotsFreezeRequested = defineEvent<SlotsFreezeRequested>(
  'ai.energent.billing.slots-freeze-requested.v1',
  z.object({
    tenantId: z.string(),
    operationId: operationIdSchema,
    sequence: z
      .string()
      .regex(/^\d{1,19}$/)
      .optional(),
    limitSeconds: z.number().int().min(1).max(86_400).optional(),
  }),
  { tenantId: 'acme', operationId: 'op_01JD8K2M5QV7N9X3C6R8W1Y4ZA', sequence: '12', limitSeconds: 900 },
)

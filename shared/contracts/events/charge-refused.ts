import { z } from 'zod'
import { defineEvent } from '../define-event.ts'
import { operationIdSchema } from '../operation-id.ts'

/** Fact of billing: what an operation asked for was refused for good; `reason` is one of our public codes. */
export type ChargeRefused = {
  tenantId: string
  operationId: string
  reason: string
}

export const chargeRefused = defineEvent<ChargeRefused>(
  'ai.energent.billing.charge-refused.v1',
  z.object({
    tenantId: z.string(),
    operationId: operationIdSchema,
    reason: z.string().min(1).max(128),
  }),
  { tenantId: 'acme', operationId: 'op_01JD8K2M5QV7N9X3C6R8W1Y4ZA', reason: 'plan.tier_mismatch' },
)

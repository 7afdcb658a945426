import { z } from 'zod'
import { defineEvent } from '../define-event.ts'
import { operationIdSchema } from '../operation-id.ts'

/** tenant-events' own continuation: an operation has a step to do now. */
export type StepContinue = {
  tenantId: string
  operationId: string
}

export const stepContinue = defineEvent<StepContinue>(
  'ai.energent.tenant.step-continue.v1',
  z.object({ tenantId: z.string(), operationId: operationIdSchema }),
  { tenantId: 'acme', operationId: 'op_01JD8K2M5QV7N9X3C6R8W1Y4ZA' },
)

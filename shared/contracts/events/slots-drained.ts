import { z } from 'zod'
import { defineEvent } from '../define-event.ts'
import { operationIdSchema } from '../operation-id.ts'

/** Fact of billing: no workflow of the tenant runs, and none begins before the operation is over. */
export type SlotsDrained = {
  tenantId: string
  operationId: string
  at: string
}

export const slotsDrained = defineEvent<SlotsDrained>(
  'ai.energent.billing.slots-drained.v1',
  z.object({ tenantId: z.string(), operationId: operationIdSchema, at: z.iso.datetime() }),
  { tenantId: 'acme', operationId: 'op_01JD8K2M5QV7N9X3C6R8W1Y4ZA', at: '2026-11-23T09:00:00.000Z' },
)

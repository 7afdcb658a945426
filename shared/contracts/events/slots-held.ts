import { z } from 'zod'
import { defineEvent } from '../define-event.ts'
import { operationIdSchema } from '../operation-id.ts'

/**
 * Fact of billing: workflows of the tenant still run after the time that the operation gave them. None is
 * stopped, and none begins before the operation is over.
 */
export type SlotsHeld = {
  tenantId: string
  operationId: string
  at: string
}

export const slotsHeld = defineEvent<SlotsHeld>(
  'ai.energent.billing.slots-held.v1',
  z.object({ tenantId: z.string(), operationId: operationIdSchema, at: z.iso.datetime() }),
  { tenantId: 'acme', operationId: 'op_01JD8K2M5QV7N9X3C6R8W1Y4ZA', at: '2026-11-23T09:15:00.000Z' },
)

import { z } from 'zod'
import { defineEvent } from '../define-event.ts'
import { operationIdSchema } from '../operation-id.ts'

/** Fact of billing: nothing of a tenant is left but that it is gone, its audit, and the archive of its invoices. */
export type BillingErased = {
  tenantId: string
  /** The purge that this answers; what asked carries the same. */
  operationId?: string | undefined
  /** Documents erased, by collection without its prefix. */
  counts: Record<string, number>
  /** Invoices that the law wants kept, in `billingArchive`. */
  archived: number
  at: string
}

export const billingErased = defineEvent<BillingErased>(
  'ai.energent.billing.erased.v1',
  z.object({
    tenantId: z.string(),
    operationId: operationIdSchema.optional(),
    counts: z.record(z.string().min(1).max(64), z.number().int().nonnegative()),
    archived: z.number().int().nonnegative(),
    at: z.iso.datetime(),
  }),
  {
    tenantId: 'acme',
    operationId: 'op_01JD8K2M5QV7N9X3C6R8W1Y4ZA',
    counts: { usageBatches: 812, rollups: 744, invoices: 12 },
    archived: 12,
    at: '2026-11-23T09:00:00.000Z',
  },
)

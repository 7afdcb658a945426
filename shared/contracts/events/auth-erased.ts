import { z } from 'zod'
import { defineEvent } from '../define-event.ts'
import { operationIdSchema } from '../operation-id.ts'

/** Fact of auth: nothing of a tenant is left but its state and its audit, and its data key is destroyed. */
export type AuthErased = {
  tenantId: string
  /** The purge that this answers; what asked carries the same. */
  operationId?: string | undefined
  /** Documents erased, by collection without its prefix. */
  counts: Record<string, number>
  at: string
}

export const authErased = defineEvent<AuthErased>(
  'ai.energent.auth.erased.v1',
  z.object({
    tenantId: z.string(),
    operationId: operationIdSchema.optional(),
    counts: z.record(z.string().min(1).max(64), z.number().int().nonnegative()),
    at: z.iso.datetime(),
  }),
  {
    tenantId: 'acme',
    operationId: 'op_01JD8K2M5QV7N9X3C6R8W1Y4ZA',
    counts: { clients: 3, users: 41, sessions: 12 },
    at: '2026-11-23T09:00:00.000Z',
  },
)

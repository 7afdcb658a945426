import { z } from 'zod'
import { TIERS, type Tier } from '../../catalogue/tiers.ts'
import { defineEvent } from '../define-event.ts'
import { operationIdSchema } from '../operation-id.ts'

/** Fact of billing: the tenant is billed by the tier that an operation asked for. */
export type Charged = {
  tenantId: string
  operationId: string
  subscriptionId: string
  planId: string
  planVersion: number
  tier: Tier
  /** From when on. */
  effectiveAt: string
  /** What the change adds to the fees of the running period; below zero it takes from them. */
  charge: { amount: string; minor: number; currency: string }
}

export const charged = defineEvent<Charged>(
  'ai.energent.billing.charged.v1',
  z.object({
    tenantId: z.string(),
    operationId: operationIdSchema,
    subscriptionId: z.string().min(1).max(128),
    planId: z.string().min(1).max(128),
    planVersion: z.number().int().positive(),
    tier: z.enum(TIERS),
    effectiveAt: z.iso.datetime(),
    charge: z.object({
      amount: z.string().regex(/^-?\d+(\.\d+)?$/),
      minor: z.number().int(),
      currency: z.string().length(3),
    }),
  }),
  {
    tenantId: 'acme',
    operationId: 'op_01JD8K2M5QV7N9X3C6R8W1Y4ZA',
    subscriptionId: 'sub_acme',
    planId: 'example-premium',
    planVersion: 1,
    tier: 'premium',
    effectiveAt: '2026-11-23T09:00:00.000Z',
    charge: { amount: '150.00', minor: 15_000, currency: 'USD' },
  },
)

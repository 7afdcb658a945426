import type { MeterId } from '#shared/catalogue/meters.ts'
import type { Period } from '../../../../functions/billing/domain/calendar.ts'
import type { Currency } from '../../../../functions/billing/domain/currency.ts'
import type { Grant } from '../../../../functions/billing/domain/grant.ts'
import {
  type CalculatedInvoice,
  calculateInvoice,
} from '../../../../functions/billing/domain/invoice/calculate-invoice.ts'
import { partsOf } from '../../../../functions/billing/domain/invoice/parts.ts'
import type {
  GroupUsage,
  InvoicedPlan,
  InvoiceInput,
  Segment,
} from '../../../../functions/billing/domain/invoice/terms.ts'
import type { Fee, Price } from '../../../../functions/billing/domain/plan.ts'
import { decimal, type Rational, rational } from '../../../../functions/billing/domain/rational.ts'

export const NOVEMBER = {
  fromMs: Date.parse('2026-11-01T00:00:00Z'),
  toMs: Date.parse('2026-12-01T00:00:00Z'),
}
const DAY_MS = 24 * 3_600_000

/** A part of a period as a share of it, by true elapsed time. */
export function timeShare(part: Period, whole: Period): Rational {
  return rational(BigInt(part.toMs - part.fromMs), BigInt(whole.toMs - whole.fromMs))
}

export function aPrice(fields: Partial<Price> = {}): Price {
  return {
    priceId: 'runs',
    meter: 'workflow_runs',
    unit: 'run',
    model: 'per_unit',
    parameters: { unit_amount: '0.05' },
    included: '0',
    filters: {},
    groupBy: [],
    overage: 'charge',
    taxCategory: 'standard',
    ...fields,
  }
}

export function aFee(amount: string, fields: Partial<Fee> = {}): Fee {
  return {
    feeId: 'base-fee',
    description: 'Base fee',
    amount,
    term: 'in_advance',
    taxCategory: 'standard',
    ...fields,
  }
}

export function aPlan(fields: Partial<InvoicedPlan> = {}): InvoicedPlan {
  return { planId: 'plan', version: 1, example: true, fees: [], prices: [], commitment: {}, ...fields }
}

/** Plans one after the other over November, cut at days counted from its first. */
export function flips(plans: readonly InvoicedPlan[], cuts: readonly number[]): Segment[] {
  const bounds = [0, ...cuts, 30]
  return plans.flatMap((plan, index) => {
    const [from, to] = [bounds[index] ?? 0, bounds[index + 1] ?? 30]
    if (from >= to) return []
    return [
      {
        period: { fromMs: NOVEMBER.fromMs + from * DAY_MS, toMs: NOVEMBER.fromMs + to * DAY_MS },
        plan,
        share: rational(BigInt(to - from), 30n),
      },
    ]
  })
}

export const wholeMonth = (plan: InvoicedPlan): Segment[] => flips([plan], [])

export function used(quantity: string, group: Record<string, string> = {}, events = 1): GroupUsage {
  return { group, quantity: decimal(quantity), events, root: 'ab'.repeat(32) }
}

export function input(
  segments: readonly Segment[],
  usageOf: (meter: MeterId, fromMs: number) => readonly GroupUsage[] = () => [],
  fields: Partial<InvoiceInput> = {},
): InvoiceInput {
  return {
    tenantId: 'acme',
    subscriptionId: 'sub_acme',
    timeZone: 'UTC',
    currency: 'USD' as Currency,
    revision: 1,
    period: NOVEMBER,
    segments,
    usage: new Map(
      partsOf(segments).map((part) => [part.key, usageOf(part.price.meter, part.period.fromMs)]),
    ),
    ...fields,
  }
}

export function invoice(of: InvoiceInput): CalculatedInvoice {
  const calculated = calculateInvoice(of)
  if (!calculated.ok) throw new Error(calculated.detail)
  return calculated.value
}

export function aGrant(fields: Partial<Grant> & Pick<Grant, 'grantId' | 'amount'>): Grant {
  return {
    measure: { currency: 'USD' },
    priority: 50,
    effectiveAtMs: 0,
    expiresAtMs: null,
    recurrence: null,
    scope: { fees: true },
    reason: 'test',
    createdAtMs: 0,
    voidedAtMs: null,
    burns: [],
    ...fields,
  }
}

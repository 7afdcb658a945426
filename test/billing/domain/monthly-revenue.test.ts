import { expect, test } from 'vitest'
import { changePlan, changeTier } from '../../../functions/billing/domain/change-plan.ts'
import { EXAMPLE_PLANS } from '../../../functions/billing/domain/example-plans.ts'
import { revenueOf } from '../../../functions/billing/domain/invoice/revenue.ts'
import type { StoredInvoice } from '../../../functions/billing/domain/invoice/stored-invoice.ts'
import { monthlyRevenue, termsCharged } from '../../../functions/billing/domain/monthly-revenue.ts'
import type { Fee, PlanVersion } from '../../../functions/billing/domain/plan.ts'
import {
  cancelSubscription,
  requestSubscription,
  type Subscription,
} from '../../../functions/billing/domain/subscription.ts'

const at = (text: string): number => Date.parse(text)
const planOf = (tier: string) => EXAMPLE_PLANS.find((plan) => plan.tier === tier) as PlanVersion
const fee = (amount: string, term: Fee['term'] = 'in_advance'): Fee => ({
  feeId: `fee-${amount}`,
  description: 'Fee',
  amount,
  term,
  taxCategory: 'standard',
})

function begun(trialEndsAtMs?: number): Subscription {
  const request = { tier: 'standard' as const, operationId: 'op_0', trialEndsAtMs, plan: planOf('standard') }
  const decision = requestSubscription('acme', undefined, { ...request, nowMs: at('2026-11-01T00:00:00Z') })
  if (decision.outcome !== 'ready') throw new Error(decision.reason)
  return decision.subscription
}

test.each([
  ['a monthly fee', 'USD', 'month', [fee('199')], 19_900n],
  ['a yearly fee', 'USD', 'year', [fee('1200')], 10_000n],
  ['a yearly fee that no cent divides', 'USD', 'year', [fee('199')], 1_658n],
  // 0.06 / 12 is half a cent: each rounded alone would be two cents.
  ['two yearly fees of half a cent', 'USD', 'year', [fee('0.06'), fee('0.060', 'in_arrears')], 1n],
  ['half a cent', 'USD', 'year', [fee('0.06')], 1n],
  ['less than half a cent', 'USD', 'month', [fee('0.004999')], 0n],
  ['a currency without minor digits', 'JPY', 'year', [fee('1000')], 83n],
  ['a currency with three', 'KWD', 'year', [fee('1')], 83n],
  ['no fee', 'USD', 'year', [], 0n],
] as const)(
  '%s in %s by the %s is worth its exact sum, rounded once',
  (_name, currency, interval, fees, minor) => {
    expect(monthlyRevenue({ tier: 'standard', currency, interval }, fees)).toEqual({
      ...{ tier: 'standard', currency, minor },
    })
  },
)

test('nothing recurs before the beginning and in the trial, which ends at its very instant', () => {
  const trial = begun(at('2026-11-15T00:00:00Z'))
  expect(termsCharged(begun(), at('2026-10-31T23:59:59.999Z'))).toBeUndefined()
  expect(termsCharged(begun(), at('2026-11-01T00:00:00Z'))).toMatchObject({ tier: 'standard' })
  expect(termsCharged(trial, at('2026-11-14T23:59:59.999Z'))).toBeUndefined()
  expect(termsCharged(trial, at('2026-11-15T00:00:00Z'))).toMatchObject({ tier: 'standard' })
})

test('nothing recurs of a subscription that was cancelled', () => {
  const cancelled = cancelSubscription(begun(), 'op_0', at('2026-11-10T00:00:00Z')) as Subscription
  expect(termsCharged(cancelled, at('2026-11-11T00:00:00Z'))).toBeUndefined()
})

// A change may have been decided long before its day; revenue that only waits is not there yet.
test('a change counts from its day and not from its decision', () => {
  const by = { operationId: 'op_1', nowMs: at('2026-11-10T00:00:00Z'), effective: 'period_end' as const }
  const moved = changeTier(begun(), planOf('premium'), by)
  const yearly = changePlan(
    begun(),
    planOf('standard'),
    { planId: 'example-standard', effective: 'period_end', proration: 'by_second', interval: 'year' },
    by,
  )
  if (!moved.ok || !yearly.ok) throw new Error('refused')
  expect(termsCharged(moved.value, at('2026-11-30T23:59:59.999Z'))).toMatchObject({ tier: 'standard' })
  expect(termsCharged(moved.value, at('2026-12-01T00:00:00Z'))).toMatchObject({ tier: 'premium' })
  expect(termsCharged(yearly.value, at('2026-11-30T00:00:00Z'))).toMatchObject({ interval: 'month' })
  expect(termsCharged(yearly.value, at('2026-12-01T00:00:00Z'))).toMatchObject({ interval: 'year' })
})

// `charged` has late corrections of fees in it, and so has the row of fees by meter.
test('what an invoice charged in fees is one number, whichever way the report is grouped', () => {
  const amount = (minor: number) => ({ amount: '', minor, currency: 'USD' as const })
  const invoice = {
    invoiceId: 'inv_1',
    currency: 'USD',
    head: {
      ...{
        subtotal: amount(900),
        creditsApplied: amount(0),
        net: amount(900),
        tax: amount(0),
        deductions: [],
      },
    },
    charged: [
      { meter: null, isFee: true, minor: 1_000n },
      { meter: 'workflow_runs', isFee: false, minor: 100n },
    ],
    corrections: [{ family: 'inv_0', line: { meter: null, isFee: true }, minor: -200n }],
  } as unknown as StoredInvoice
  const row = revenueOf(invoice, { tenantId: 'acme', tier: 'standard', nowMs: 0 })
  expect(row.amounts.recurring).toBe(800n)
  expect(row.byMeter['fees']).toBe(800n)
})

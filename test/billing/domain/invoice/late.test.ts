import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  draftInvoice,
  type MeasuredPeriod,
} from '../../../../functions/billing/domain/invoice/draft-invoice.ts'
import { partsOf } from '../../../../functions/billing/domain/invoice/parts.ts'
import { finalizedStored } from '../../../../functions/billing/domain/invoice/settle.ts'
import type { StoredInvoice } from '../../../../functions/billing/domain/invoice/stored-invoice.ts'
import type { Price } from '../../../../functions/billing/domain/plan.ts'
import { rational } from '../../../../functions/billing/domain/rational.ts'
import { cases } from '../../support/cases.ts'
import { aPlan, aPrice, NOVEMBER, used } from './support.ts'

const MONTH_MS = NOVEMBER.toMs - NOVEMBER.fromMs
const TIERS = [
  { up_to: '100', unit_amount: '1.003', flat_amount: '2' },
  { up_to: '1000', unit_amount: '0.507' },
  { up_to: null, unit_amount: '0.101' },
]

function measured(month: number, price: Price, quantities: Readonly<Record<string, number>>): MeasuredPeriod {
  const fromMs = NOVEMBER.fromMs + month * MONTH_MS
  const period = { fromMs, toMs: fromMs + MONTH_MS }
  const segments = [{ period, plan: aPlan({ prices: [price] }), share: rational(1n) }]
  const rows = Object.entries(quantities).map(([model, n]) =>
    used(String(n), price.groupBy.length === 0 ? {} : { model }),
  )
  const usage = new Map(partsOf(segments).map((part) => [part.key, rows]))
  const terms = { currency: 'USD', timeZone: 'UTC', subscriptionId: 'sub_acme', taxMode: 'per_rate' } as const
  return { ...terms, period, segments, usage, rollups: new Map() }
}

/** Bills months one after the other; each state is what is known of all months' usage by then. */
function billed(price: Price, states: readonly (readonly Record<string, number>[])[]): StoredInvoice[] {
  const invoices: StoredInvoice[] = []
  states.forEach((known, month) => {
    const closed = new Map(
      invoices.map((invoice, index) => [invoice.invoiceId, measured(index, price, known[index] ?? {})]),
    )
    const now = measured(month, price, known[month] ?? {})
    const draft = draftInvoice({
      tenantId: 'acme',
      revision: 1,
      measured: now,
      closed,
      invoices,
      grants: [],
      taxRates: [],
    })
    if (!draft.ok) throw new Error(draft.detail)
    invoices.push(
      finalizedStored(draft.value, {
        period: now.period,
        ingestedBeforeMs: now.period.toMs,
        nowMs: now.period.toMs,
      }),
    )
  })
  return invoices
}

const subtotal = (invoices: readonly StoredInvoice[]): number =>
  invoices.reduce((sum, { head }) => sum + head.subtotal.minor, 0)

const prices = fc.constantFrom(
  aPrice({ model: 'graduated', parameters: { tiers: TIERS } }),
  aPrice({
    model: 'graduated',
    parameters: { tiers: TIERS, commitment: { minimum: '300', maximum: '700' } },
  }),
  aPrice({ model: 'volume', parameters: { tiers: TIERS } }),
  aPrice({ model: 'package', parameters: { package_size: '10', package_amount: '3.33' } }),
  aPrice({ meter: 'llm_tokens_in', groupBy: ['model'], parameters: { unit_amount: '0.0137' } }),
)
const month = fc.record({ a: fc.nat(2_000), b: fc.nat(2_000), c: fc.nat(10) })

describe('late usage', () => {
  test('bills, over time, to the minor unit what one perfect invoice of each month would have been', () => {
    fc.assert(
      fc.property(
        prices,
        fc.array(fc.array(month, { minLength: 4, maxLength: 4 }), { minLength: 4, maxLength: 4 }),
        (price, states) => {
          const known =
            price.groupBy.length === 0 ? states.map((state) => state.map(({ a }) => ({ a }))) : states
          // What is known at the end was known from the beginning, and nothing is used in the last month.
          const end = (known.at(-1) ?? []).map((usage, index) => (index === 3 ? { a: 0 } : usage))
          const late = billed(price, [...known.slice(0, 3), end])
          const perfect = billed(price, [end, end, end, end])
          expect(subtotal(late)).toBe(subtotal(perfect))
        },
      ),
      cases(100),
    )
  })

  test('that is taken back across tiers gives back what those tiers cost', () => {
    const price = aPrice({ model: 'graduated', parameters: { tiers: TIERS } })
    const [, second] = billed(price, [[{ a: 1_500 }], [{ a: 50 }, { a: 0 }]])
    const correction = second?.corrections[0]
    // 2 + 100.3 + 456.3 + 50.5 becomes 2 + 50.15.
    expect(correction?.minor).toBe(-55_695n)
    expect(second?.carriedForwardMinor).toBe(55_495n)
    expect(second?.head.total.minor).toBe(0)
  })

  test('names the line it corrects and keeps its service period', () => {
    const price = aPrice()
    const [first, second] = billed(price, [[{ a: 10 }], [{ a: 30 }, { a: 0 }]])
    expect(second?.corrections).toMatchObject([
      {
        family: first?.invoiceId,
        minor: 100n,
        line: { lineId: first?.charged[0]?.lineId, servicePeriod: { from: '2026-11-01T00:00:00Z' } },
      },
    ])
  })
})

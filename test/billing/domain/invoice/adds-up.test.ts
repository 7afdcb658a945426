import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Corrections, correctionsOf } from '../../../../functions/billing/domain/apply-corrections.ts'
import { foldingHour } from '../../../../functions/billing/domain/fold-hour.ts'
import { dimensionsOf, usageOf } from '../../../../functions/billing/domain/invoice/assign-usage.ts'
import {
  type Draft,
  draftInvoice,
  type MeasuredPeriod,
} from '../../../../functions/billing/domain/invoice/draft-invoice.ts'
import { partsOf } from '../../../../functions/billing/domain/invoice/parts.ts'
import { finalizedStored } from '../../../../functions/billing/domain/invoice/settle.ts'
import type { StoredInvoice } from '../../../../functions/billing/domain/invoice/stored-invoice.ts'
import type { InvoicedPlan } from '../../../../functions/billing/domain/invoice/terms.ts'
import { quantitiesOf, type Slice } from '../../../../functions/billing/domain/quantities.ts'
import { rational } from '../../../../functions/billing/domain/rational.ts'
import { hourOf } from '../../../../functions/billing/domain/spans.ts'
import { finish } from '../../../../functions/billing/domain/steps.ts'
import { tallyEvents } from '../../../../functions/billing/domain/tally.ts'
import { restoreUsageEvent, type UsageEvent } from '../../../../functions/billing/domain/usage-event.ts'
import { cases } from '../../support/cases.ts'
import { aFee, aGrant, aPlan, aPrice, NOVEMBER } from './support.ts'

const HOUR_MS = 3_600_000
const MONTH_MS = NOVEMBER.toMs - NOVEMBER.fromMs
const MODELS = ['', 'a', 'b']
/** The first and the last hour of a month: what lies at its bounds is where it could get lost. */
const PLACES = [0, 1, HOUR_MS - 1, MONTH_MS - HOUR_MS, MONTH_MS - 1]

/** Something that was used in a month, known from a later step on, and perhaps taken back in one after that. */
const usage = fc.record({
  id: fc.nat(9),
  month: fc.nat(3),
  place: fc.constantFrom(...PLACES),
  meter: fc.constantFrom('llm_tokens_in', 'workflow_runs'),
  model: fc.constantFrom(...MODELS),
  units: fc.nat(2_000),
  late: fc.nat(3),
  voidedAfter: fc.option(fc.nat(3), { freq: 3 }),
  copies: fc.integer({ min: 1, max: 3 }),
})
type Drawn = typeof usage extends fc.Arbitrary<infer One> ? One : never

function eventOf({ id, month, place, meter, model, units }: Drawn): UsageEvent {
  return restoreUsageEvent(
    {
      // One id, one month and hour: contradictions across hours are settled when the period is closed.
      id: `${month}-${place < MONTH_MS / 2 ? 'first' : 'last'}-${id}`,
      source: '//test',
      type: `ai.energent.usage.${meter}.v1`,
      subject: 'tenants/acme',
      time: new Date(NOVEMBER.fromMs + month * MONTH_MS + place).toISOString(),
      data: {
        ...(meter === 'workflow_runs' ? {} : { value: String(units), dimensions: { model } }),
      },
    },
    'collector',
  )
}

const knownFrom = ({ month, late }: Drawn): number => month + late

/** What has been received, and what of it was taken back, by the close of a month. */
function knownAt(step: number, all: readonly Drawn[]): { events: UsageEvent[]; corrections: Corrections } {
  const known = all.filter((one) => knownFrom(one) <= step)
  const voided = known.filter((one) => one.voidedAfter !== null && knownFrom(one) + one.voidedAfter <= step)
  const voids = voided.map((one, at) => ({
    ...{ kind: 'void' as const, source: '//v', id: `v${at}`, key: `v${at}`, digest: '', timeMs: 0 },
    ...{ targetKey: eventOf(one).key, targetDigest: undefined, receivedAtMs: 0, change: {}, raw: {} },
  }))
  const events = known.flatMap((one) => Array.from({ length: one.copies }, () => eventOf(one)))
  return { events, corrections: correctionsOf(voids) }
}

type Known = ReturnType<typeof knownAt>

function measured(month: number, plan: InvoicedPlan, { events, corrections }: Known): MeasuredPeriod {
  const fromMs = NOVEMBER.fromMs + month * MONTH_MS
  const period = { fromMs, toMs: fromMs + MONTH_MS }
  const slices = [hourOf(fromMs), hourOf(period.toMs - 1)].map((hour): Slice => {
    const folded = finish(foldingHour(events, hour, corrections))
    const tallies = tallyEvents(folded.events, () => 1)
    return { period: hour, tallies, rollup: undefined, isDay: false }
  })
  const segments = [{ period, plan, share: rational(1n) }]
  const parts = partsOf(segments)
  const rows = parts.flatMap((part) =>
    quantitiesOf(
      {
        ...{ meters: [part.price.meter], groupBy: dimensionsOf(part, segments), filter: {} },
        ...{ versionOf: () => 1, nowMs: period.toMs },
      },
      period,
      slices,
      [],
    ),
  )
  const of = new Map(parts.map((part) => [part.key, usageOf(part, segments, rows)]))
  const terms = { currency: 'USD', timeZone: 'UTC', subscriptionId: 'sub_acme', taxMode: 'per_rate' } as const
  return { ...terms, period, segments, usage: of, rollups: new Map() }
}

type Billed = { readonly closed: readonly StoredInvoice[]; readonly open: Draft }

/** Closes months one after the other on what was known then; the last one is still open. */
function bill(
  all: readonly Drawn[],
  { plan, months, credit }: { plan: InvoicedPlan; months: number; credit: string | undefined },
): Billed {
  const closed: StoredInvoice[] = []
  let grants = credit === undefined ? [] : [aGrant({ grantId: 'g', amount: credit })]
  const draftOf = (month: number): Draft => {
    const known = knownAt(month, all)
    const draft = draftInvoice({
      ...{ tenantId: 'acme', revision: 1, invoices: closed, grants, taxRates: [] },
      measured: measured(month, plan, known),
      closed: new Map(closed.map(({ invoiceId }, index) => [invoiceId, measured(index, plan, known)])),
    })
    if (!draft.ok) throw new Error(draft.detail)
    return draft.value
  }
  for (let month = 0; month < months; month += 1) {
    const draft = draftOf(month)
    const { period } = measured(month, plan, knownAt(-1, []))
    const made = { period, ingestedBeforeMs: period.toMs, nowMs: period.toMs }
    closed.push(finalizedStored(draft, made))
    const burns = draft.burns.map(({ atMs, amount }) => ({
      ...{ invoiceId: draft.draft.invoiceId, atMs },
      amount: (Number(amount.n) / Number(amount.d)).toFixed(2),
    }))
    grants = grants.map((grant) => ({ ...grant, burns: [...grant.burns, ...burns] }))
  }
  return { closed, open: draftOf(months) }
}

const sum = (list: readonly number[]): number => list.reduce((total, one) => total + one, 0)
const months = fc.nat(3)
const history = fc.array(usage, { maxLength: 10 })
/** What of a history has happened by the end of the month that is open. */
const until = (last: number, all: readonly Drawn[]): Drawn[] => all.filter(({ month }) => month <= last)

// billing.md §14. A cent a unit: what is invoiced is the ledger's quantity, and nothing can hide in rounding.
test('what the ledger holds is what was invoiced and what is open, to the unit, at any moment', () => {
  const price = (meter: 'llm_tokens_in' | 'workflow_runs', fields = {}) =>
    aPrice({ priceId: meter, meter, parameters: { unit_amount: '0.01' }, ...fields })
  const plan = aPlan({ prices: [price('llm_tokens_in', { groupBy: ['model'] }), price('workflow_runs')] })
  fc.assert(
    fc.property(history, months, (drawn, last) => {
      const all = until(last, drawn)
      const { closed, open } = bill(all, { plan, months: last, credit: undefined })
      // Counted without any of billing's code but the ranking of contradictions.
      const { events, corrections } = knownAt(last, all)
      const standing = Map.groupBy(
        events.filter(({ key }) => !corrections.isVoid(key)),
        ({ key }) => key,
      )
      const ledger = [...standing.values()].map((same) =>
        Math.max(...same.map(({ value }) => (value === undefined ? -1 : Number(value.n)))),
      )
      const units = sum(ledger.map((value) => (value === -1 ? 1 : value)))
      const invoiced = sum(closed.map(({ head }) => head.subtotal.minor))
      expect(invoiced + open.draft.subtotal.minor).toBe(units)
    }),
    cases(150),
  )
})

test('what was paid, by money and by credit, is what the ledger is worth, whatever tiers, minimums and late usage there were', () => {
  const tiers = [
    { up_to: '100', unit_amount: '1.003', flat_amount: '2' },
    { up_to: '1000', unit_amount: '0.507' },
    { up_to: null, unit_amount: '0.101' },
  ]
  const plans = fc.constantFrom(
    aPlan({
      fees: [aFee('49.99')],
      prices: [
        aPrice({
          priceId: 'tokens',
          meter: 'llm_tokens_in',
          model: 'graduated',
          parameters: { tiers, commitment: { minimum: '30', maximum: '900' } },
        }),
        aPrice({ included: '2' }),
      ],
    }),
    aPlan({
      prices: [
        aPrice({ priceId: 'tokens', meter: 'llm_tokens_in', model: 'volume', parameters: { tiers } }),
        aPrice({ priceId: 'runs', model: 'package', parameters: { package_size: '3', package_amount: '7' } }),
      ],
    }),
    aPlan({
      prices: [aPrice({ meter: 'llm_tokens_in', groupBy: ['model'], parameters: { unit_amount: '0.0137' } })],
      commitment: { minimum: '12', maximum: '40' },
    }),
  )
  const credits = fc.constantFrom(undefined, '5.00', '250.00')
  fc.assert(
    fc.property(history, months, plans, credits, (drawn, last, plan, credit) => {
      const all = until(last, drawn)
      const { closed, open } = bill(all, { plan, months: last, credit })
      const heads = [...closed.map(({ head }) => head), open.draft]
      // As if all had been known from the beginning, month by month, and nobody had any credit.
      const received = all.filter((one) => knownFrom(one) <= last)
      const atOnce = received.map((one) => ({
        ...one,
        late: -9,
        voidedAfter: voidedBy(last, one) ? 0 : null,
      }))
      const perfect = bill(atOnce, { plan, months: last, credit: undefined })
      const worth = sum([...perfect.closed.map(({ head }) => head), perfect.open.draft].map(subtotalOf))
      expect(sum(heads.map(subtotalOf))).toBe(worth)
      const paid = sum(heads.map(({ net, creditsApplied }) => net.minor + creditsApplied.minor))
      expect(paid - open.draft.carriedForward.minor).toBe(worth)
    }),
    cases(100),
  )
})

const subtotalOf = ({ subtotal }: { readonly subtotal: { readonly minor: number } }): number => subtotal.minor

function voidedBy(step: number, one: Drawn): boolean {
  return one.voidedAfter !== null && knownFrom(one) + one.voidedAfter <= step
}

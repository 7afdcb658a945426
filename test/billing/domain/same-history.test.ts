import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalJson } from '#shared/json.ts'
import { NO_CORRECTIONS } from '../../../functions/billing/domain/apply-corrections.ts'
import { EXAMPLE_PLANS } from '../../../functions/billing/domain/example-plans.ts'
import { foldingHour } from '../../../functions/billing/domain/fold-hour.ts'
import { dimensionsOf, usageOf } from '../../../functions/billing/domain/invoice/assign-usage.ts'
import { calculateInvoice } from '../../../functions/billing/domain/invoice/calculate-invoice.ts'
import { partsOf } from '../../../functions/billing/domain/invoice/parts.ts'
import { planIn } from '../../../functions/billing/domain/plan.ts'
import { quantitiesOf, type Slice } from '../../../functions/billing/domain/quantities.ts'
import { rational } from '../../../functions/billing/domain/rational.ts'
import { finish } from '../../../functions/billing/domain/steps.ts'
import { tallyEvents } from '../../../functions/billing/domain/tally.ts'
import { batchIdOf, makeBatches } from '../../../functions/billing/domain/usage-batch.ts'
import { restoreUsageEvent, type UsageEvent } from '../../../functions/billing/domain/usage-event.ts'
import { cases } from '../support/cases.ts'

const HOUR_MS = 3_600_000
const PERIOD = { fromMs: Date.parse('2026-11-01'), toMs: Date.parse('2026-12-01') }
const HOURS = 3

const anEvent = fc.record({
  id: fc.nat(12),
  meter: fc.constantFrom(
    'agent_minutes',
    'workflow_runs',
    'llm_tokens_in',
    'active_users',
    'storage_gib_hours',
  ),
  value: fc.nat(3_000_000),
  // At the bounds of hours too.
  atMs: fc.oneof(fc.nat(HOURS * HOUR_MS - 1), fc.constantFrom(0, HOUR_MS - 1, HOUR_MS, 2 * HOUR_MS)),
  resource: fc.constantFrom('a', 'b'),
  producer: fc.constantFrom<'collector' | 'tenant'>('collector', 'tenant'),
})

function eventOf({
  id,
  meter,
  value,
  atMs,
  resource,
  producer,
}: typeof anEvent extends fc.Arbitrary<infer Drawn> ? Drawn : never): UsageEvent {
  // One id in one hour: contradictions across hours are settled when the period is closed.
  const hour = id % HOURS
  return restoreUsageEvent(
    {
      id: `e${id}`,
      source: '//test',
      type: `ai.energent.usage.${meter}.v1`,
      subject: 'tenants/acme',
      time: new Date(PERIOD.fromMs + hour * HOUR_MS + (atMs % HOUR_MS)).toISOString(),
      data: { value: String(value), resource },
    },
    producer,
  )
}

/** Roll-ups of the first hours from the ledger's batches, and the invoice that is made from them. */
function outcomeOf(batches: readonly (readonly UsageEvent[])[]): string {
  const all = batches.flat()
  const slices: Slice[] = Array.from({ length: HOURS }, (_none, at) => {
    const period = { fromMs: PERIOD.fromMs + at * HOUR_MS, toMs: PERIOD.fromMs + (at + 1) * HOUR_MS }
    const folded = finish(foldingHour(all, period, NO_CORRECTIONS))
    return { period, tallies: tallyEvents(folded.events, () => 1), rollup: undefined, isDay: false }
  })
  const said = slices.map(({ tallies }) => canonicalJson(JSON.parse(JSON.stringify(tallies, bigintAsText))))
  return `${said.join('\n')}\n${invoiceOf(slices)}`
}

function invoiceOf(slices: readonly Slice[]): string {
  const version = EXAMPLE_PLANS.find(({ tier }) => tier === 'basic')
  const plan = version === undefined ? undefined : planIn(version, 'USD')
  if (plan === undefined) throw new Error('there is no example plan')
  const segments = [{ period: PERIOD, plan, share: rational(1n) }]
  const parts = partsOf(segments)
  const rules = { filter: {}, versionOf: () => 1, nowMs: PERIOD.toMs }
  const rows = parts.flatMap((part) =>
    quantitiesOf(
      { ...rules, meters: [part.price.meter], groupBy: dimensionsOf(part, segments) },
      PERIOD,
      slices,
      [],
    ),
  )
  const usage = new Map(parts.map((part) => [part.key, usageOf(part, segments, rows)]))
  const of = { tenantId: 'acme', subscriptionId: 's', timeZone: 'UTC', currency: 'USD', revision: 1 } as const
  const calculated = calculateInvoice({ ...of, period: PERIOD, segments, usage })
  if (!calculated.ok) throw new Error(calculated.detail)
  return canonicalJson(calculated.value.draft)
}

const bigintAsText = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' ? `${value}n` : value

function batchesOf(events: readonly UsageEvent[], cuts: readonly number[]): UsageEvent[][] {
  const parts: UsageEvent[][] = []
  let at = 0
  for (const cut of [...cuts, events.length]) {
    const part = events.slice(at, at + 1 + cut)
    at += part.length
    if (part.length === 0) continue
    const message = { batchId: batchIdOf(part), tenantId: 'acme', mixed: false, producer: 'tenant' as const }
    parts.push(...makeBatches(part, message).map((batch) => [...batch.events]))
  }
  return parts
}

// billing.md §14: the order of arrival, copies and batches are the network's, and no part of a bill.
test('the same events in any order, copies and batches give the same roll-ups and invoice, byte for byte', () => {
  fc.assert(
    fc.property(
      fc.array(anEvent, { minLength: 1, maxLength: 14 }),
      fc.infiniteStream(fc.nat()),
      fc.array(fc.nat(4), { maxLength: 8 }),
      (raw, draws, cuts) => {
        const events = raw.map(eventOf)
        const copies = events.flatMap((event) => Array.from({ length: 1 + (draw(draws) % 4) }, () => event))
        const mixed = copies
          .map((event) => ({ event, at: draw(draws) }))
          .toSorted((left, right) => left.at - right.at)
          .map(({ event }) => event)
        expect(outcomeOf(batchesOf(mixed, cuts))).toBe(outcomeOf([events]))
      },
    ),
    cases(80),
  )
})

function draw(draws: fc.Stream<number>): number {
  const next = draws.next()
  return next.done === true ? 0 : next.value
}

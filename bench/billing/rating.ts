import { canonicalJson } from '#shared/json.ts'
import { EXAMPLE_PLANS } from '../../functions/billing/domain/example-plans.ts'
import { dimensionsOf, usageOf } from '../../functions/billing/domain/invoice/assign-usage.ts'
import { calculateInvoice } from '../../functions/billing/domain/invoice/calculate-invoice.ts'
import { partsOf } from '../../functions/billing/domain/invoice/parts.ts'
import { planIn } from '../../functions/billing/domain/plan.ts'
import { quantitiesOf, type Slice } from '../../functions/billing/domain/quantities.ts'
import { rational } from '../../functions/billing/domain/rational.ts'
import { tallyEvents } from '../../functions/billing/domain/tally.ts'
import { restoreUsageEvent } from '../../functions/billing/domain/usage-event.ts'
import { BENCH_METERS, benchEvent, cpuMsOf, median, whole } from './events.ts'

const DAY_MS = 24 * 3_600_000
const PERIOD = { fromMs: Date.parse('2026-11-01'), toMs: Date.parse('2026-12-01') }
const TENANTS = 100
const DAYS = 30
/** Of each meter and day: the day's fold has done the counting. */
const EVENTS = 6

/** The invoices of a hundred tenants with nine meters, from the folds of thirty days each. */
export async function benchRating(rounds: number): Promise<void> {
  const tenants = Array.from({ length: TENANTS }, (_none, at) => ({
    tenantId: `tenant-${at}`,
    days: daysOf(at),
  }))
  const taken: number[] = []
  let digests = ''
  for (let round = 0; round <= rounds; round += 1) {
    let found = ''
    const ms = await cpuMsOf(() => {
      for (const { tenantId, days } of tenants) found += invoiceOf(tenantId, days)
    })
    if (round > 0) taken.push(ms)
    if (digests !== '' && digests !== found) throw new Error('the same usage came to another invoice')
    digests = found
  }
  const ms = median(taken)
  console.log(`rating: ${TENANTS} tenants x ${BENCH_METERS.length} meters x ${DAYS} days; ${rounds} rounds`)
  console.log(
    `  quantities, prices, invoice and digest    ${ms.toFixed(0).padStart(12)} ms of processor time in all, ${whole((TENANTS * 1_000) / ms)} invoices/s per core`,
  )
}

function daysOf(seed: number): Slice[] {
  return Array.from({ length: DAYS }, (_none, day) => {
    const fromMs = PERIOD.fromMs + day * DAY_MS
    const events = Array.from({ length: BENCH_METERS.length * EVENTS }, (_one, at) =>
      restoreUsageEvent(benchEvent('acme', seed * 10_000 + day * 100 + at, fromMs + at * 1_000), 'collector'),
    )
    const period = { fromMs, toMs: fromMs + DAY_MS }
    return { period, tallies: tallyEvents(events, () => 1), rollup: `d${day}@1`, isDay: true }
  })
}

function invoiceOf(tenantId: string, days: readonly Slice[]): string {
  const version = EXAMPLE_PLANS.find(({ tier }) => tier === 'standard')
  const plan = version === undefined ? undefined : planIn(version, 'USD')
  if (plan === undefined) throw new Error('there is no example plan')
  const segments = [{ period: PERIOD, plan, share: rational(1n) }]
  const parts = partsOf(segments)
  const groupsOf = new Map(parts.map((part) => [part.price.meter, dimensionsOf(part, segments)]))
  const rows = [...groupsOf].flatMap(([meter, groupBy]) =>
    quantitiesOf(
      { meters: [meter], groupBy, filter: {}, versionOf: () => 1, nowMs: PERIOD.toMs },
      PERIOD,
      days,
      [],
    ),
  )
  const calculated = calculateInvoice({
    tenantId,
    subscriptionId: 'sub',
    timeZone: 'UTC',
    currency: 'USD',
    revision: 1,
    period: PERIOD,
    segments,
    usage: new Map(parts.map((part) => [part.key, usageOf(part, segments, rows)])),
  })
  if (!calculated.ok) throw new Error(canonicalJson(calculated))
  return calculated.value.draft.digest
}

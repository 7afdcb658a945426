import { METERS, type MeterId } from '#shared/catalogue/meters.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { type Quantity, quantitiesOf } from '../domain/quantities.ts'
import { add, fromScaled, larger, type Rational, rational } from '../domain/rational.ts'
import { HOUR_MS, hourOf } from '../domain/spans.ts'
import type { Counts, VersionOf } from '../domain/tally.ts'
import type { Estimate, LiveCounters, LiveTotal, RollupStore, UsageReader } from '../ports.ts'
import { exactUntil, planDays, planHours, readKnown } from './usage-plan.ts'

type Parts = {
  readonly rollups: RollupStore
  readonly live: LiveCounters
  readonly versionOf: VersionOf
  readonly counts: Counts
}

type Total = { readonly value: Rational | undefined; readonly events: number }

/** What is rolled up, and for the rest what the live counters say. */
export async function estimateUsage(
  parts: Parts,
  ctx: TenantContext,
  query: Parameters<UsageReader['estimate']>[1],
): Promise<Estimate> {
  const { meters, nowMs } = query
  const period = { fromMs: hourOf(query.fromMs).fromMs, toMs: hourOf(query.toMs + HOUR_MS - 1).fromMs }
  const known = await readKnown(parts, ctx, period)
  const plan = planDays([period], known)
  const slices = [...plan.slices]
  const liveHours: string[] = []
  await Promise.all(
    [...plan.days].map(async ([day, spans]) => {
      const rollups = known.days.has(day) ? await parts.rollups.hours(ctx, day) : new Map()
      const planned = planHours(spans, rollups, known)
      slices.push(...planned.slices)
      liveHours.push(...planned.fromLedger.map(({ hour }) => hour))
    }),
  )
  slices.sort((left, right) => left.period.fromMs - right.period.fromMs)
  const rules = { meters, groupBy: [], filter: {}, versionOf: parts.versionOf, counts: parts.counts, nowMs }
  const rows = quantitiesOf(rules, period, slices, [])
  const live = liveHours.map((hour) => known.live.get(hour)?.meters ?? {})
  const values = meters.map((meter) => {
    const rolledUp = rows.filter(({ meterId }) => meterId === meter)
    return [
      meter,
      totalOf(
        meter,
        rolledUp,
        live.flatMap((hour) => hour[meter] ?? []),
      ),
    ] as const
  })
  const exactThroughMs = exactUntil(period, nowMs, known)
  return {
    values: Object.fromEntries(values),
    exactThroughMs,
    provisional: exactThroughMs < period.toMs,
  }
}

function totalOf(meter: MeterId, rows: readonly Quantity[], live: readonly LiveTotal[]): Total {
  const parts: Total[] = [...rows, ...live.map((total) => liveTotal(meter, total))]
  const values = parts.flatMap(({ value }) => value ?? [])
  const isMax = METERS[meter].aggregation === 'max'
  return {
    value: values.length === 0 ? undefined : values.reduce(isMax ? larger : add),
    events: parts.reduce((sum, { events }) => sum + events, 0),
  }
}

/** Unique members and levels cannot be added without reading: they wait for their roll-up. */
function liveTotal(meter: MeterId, { events, sum, max }: LiveTotal): Total {
  const { aggregation, scale } = METERS[meter]
  switch (aggregation) {
    case 'count':
      return { events, value: rational(BigInt(events)) }
    case 'sum':
      return { events, value: sum === undefined ? undefined : fromScaled(sum, scale) }
    case 'max':
      return { events, value: max === undefined ? undefined : fromScaled(max, scale) }
    default:
      return { events, value: undefined }
  }
}

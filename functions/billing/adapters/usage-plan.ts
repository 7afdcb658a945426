import type { TenantContext } from '#shared/tenancy/context.ts'
import { dayKey, dayKeysOf, type Period } from '../domain/calendar.ts'
import { rolledUpThroughMs } from '../domain/exactness.ts'
import type { Slice } from '../domain/quantities.ts'
import type { Repeats } from '../domain/repeats.ts'
import { DAY_MS, hourOf, hourSpans, periodOfHour, type Span, startOfUtcDay } from '../domain/spans.ts'
import type { DayRollup, HourRollup, LiveCounters, LiveHour, RollupStore } from '../ports.ts'

export type CountedSlice = Slice & { readonly repeats: Repeats }

/** What is known of a range before anything of it is read in detail. */
export type Known = {
  readonly live: ReadonlyMap<string, LiveHour>
  readonly days: ReadonlyMap<string, DayRollup>
}

/** How each part of a range is read: whole days and hours as they are rolled up, the rest from the ledger. */
export type Plan = {
  readonly slices: readonly CountedSlice[]
  /** Days whose hours must be looked at one by one. */
  readonly days: ReadonlyMap<string, readonly Span[]>
}

/** Until when all batches that there are have been rolled up. */
export function exactUntil(period: Period, nowMs: number, { live, days }: Known): number {
  return rolledUpThroughMs(
    period,
    nowMs,
    (hour) => live.get(hour)?.batches ?? 0,
    (hour) => days.get(hour.slice(0, 8))?.hours[hour.slice(8)]?.batchCount ?? 0,
  )
}

export async function readKnown(
  parts: { readonly live: LiveCounters; readonly rollups: RollupStore },
  ctx: TenantContext,
  period: Period,
): Promise<Known> {
  const [first, last] = [dayKey(period.fromMs), dayKey(period.toMs - 1)]
  const [live, days] = await Promise.all([
    parts.live.hours(ctx, first, last),
    parts.rollups.days(ctx, first, last),
  ])
  return { live, days }
}

/** Takes each day that lies in one window and is rolled up with all its batches; leaves the others. */
export function planDays(cuts: readonly Period[], known: Known): Plan {
  const slices: CountedSlice[] = []
  const days = new Map<string, readonly Span[]>()
  for (const cut of cuts) {
    const spans = Map.groupBy(hourSpans(cut), ({ hour }) => hour.slice(0, 8))
    for (const day of dayKeysOf(cut)) {
      const fromMs = startOfUtcDay(day)
      const whole = cut.fromMs <= fromMs && fromMs + DAY_MS <= cut.toMs
      const rollup = known.days.get(day)
      if (whole && rollup?.tallies !== undefined && isExactDay(rollup, known)) {
        const { tallies, repeats, rev } = rollup
        const period = { fromMs, toMs: fromMs + DAY_MS }
        slices.push({ period, tallies, repeats, rollup: `${day}@${rev}`, isDay: true })
        continue
      }
      const filled = (spans.get(day) ?? []).filter(({ hour }) => known.live.has(hour))
      if (filled.length > 0) days.set(day, [...(days.get(day) ?? []), ...filled])
    }
  }
  return { slices, days }
}

/** Takes each whole hour that is rolled up with all its batches; the other spans come back. */
export function planHours(
  spans: readonly Span[],
  rollups: ReadonlyMap<string, HourRollup>,
  known: Known,
): { readonly slices: readonly CountedSlice[]; readonly fromLedger: readonly Span[] } {
  const slices: CountedSlice[] = []
  const fromLedger: Span[] = []
  for (const span of spans) {
    const rollup = rollups.get(span.hour)
    const exact = rollup?.batchCount === (known.live.get(span.hour)?.batches ?? 0)
    if (rollup?.tallies === undefined || !exact || !span.whole) {
      fromLedger.push(span)
      continue
    }
    const { tallies, repeats, rev } = rollup
    slices.push({
      period: hourOf(periodOfHour(span.hour).fromMs),
      ...{ tallies, repeats, rollup: `${span.hour}@${rev}`, isDay: false },
    })
  }
  return { slices, fromLedger }
}

function isExactDay(rollup: DayRollup, { live }: Known): boolean {
  const hours = Array.from({ length: 24 }, (_, hour) => String(hour).padStart(2, '0'))
  return hours.every(
    (hour) => (live.get(rollup.day + hour)?.batches ?? 0) === (rollup.hours[hour]?.batchCount ?? 0),
  )
}

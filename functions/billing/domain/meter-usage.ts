import { METERS, type Meter, type MeterId } from '#shared/catalogue/meters.ts'
import type { Period } from './calendar.ts'
import { add, compare, type Rational, rational, ZERO } from './rational.ts'
import { byTimeThenKey, deduplicate } from './usage-batch.ts'
import type { UsageEvent } from './usage-event.ts'

/** What a meter measured in a period; `value` is undefined for the maximum of nothing. */
export type MeterUsage = { readonly value: Rational | undefined; readonly events: number }

/** How long a level holds when no newer sample comes: after that it counts as zero. */
export const STALENESS_MS = 2 * 3_600_000
const HOUR_MS = 3_600_000n

/** Events of every meter in the one order of aggregation, each once, ready to be measured over any period. */
export type MeterEvents = ReadonlyMap<MeterId, readonly UsageEvent[]>

/**
 * Folds ledger events into one set: copies count once, conflicts by the lower digest, runs that the
 * platform failed not at all. The same set in any order and any batches gives the same result.
 */
export function collectEvents(events: Iterable<UsageEvent>): MeterEvents {
  const byMeter = new Map<MeterId, UsageEvent[]>()
  for (const event of deduplicate(events).events) {
    if (event.dimensions['outcome'] === 'platform_error') continue
    const list = byMeter.get(event.meter)
    if (list === undefined) byMeter.set(event.meter, [event])
    else list.push(event)
  }
  for (const list of byMeter.values()) list.sort(byTimeThenKey)
  return byMeter
}

/** How far before a period its measurement must look. */
export function lookBackMs(meter: MeterId): number {
  return METERS[meter].aggregation === 'level_hours' ? STALENESS_MS : 0
}

/** Measures one meter over a half-open period by event time; exact. */
export function measure(meter: MeterId, all: MeterEvents, period: Period): MeterUsage {
  const events = all.get(meter) ?? []
  const inPeriod = between(events, period.fromMs, period.toMs)
  const { aggregation }: Meter = METERS[meter]
  switch (aggregation) {
    case 'count':
      return { value: rational(BigInt(inPeriod.length)), events: inPeriod.length }
    case 'sum':
      return { value: sumOf(inPeriod), events: inPeriod.length }
    case 'max':
      return { value: maxOf(inPeriod), events: inPeriod.length }
    case 'unique_count': {
      const distinct = new Set(inPeriod.map((event) => event.resource))
      return { value: rational(BigInt(distinct.size)), events: inPeriod.length }
    }
    case 'level_hours': {
      const held = between(events, period.fromMs - STALENESS_MS, period.toMs)
      return { value: levelHours(held, period), events: inPeriod.length }
    }
  }
}

/** Each resource's level holds until its next sample, or until it is stale; the sum is level times hours. */
function levelHours(events: readonly UsageEvent[], period: Period): Rational {
  const byResource = new Map<string, UsageEvent[]>()
  for (const event of events) {
    const name = event.resource ?? ''
    const list = byResource.get(name)
    if (list === undefined) byResource.set(name, [event])
    else list.push(event)
  }
  let sum = ZERO
  for (const levels of byResource.values()) {
    levels.forEach((level, index) => {
      const fromMs = Math.max(level.timeMs, period.fromMs)
      const nextMs = levels[index + 1]?.timeMs ?? Number.POSITIVE_INFINITY
      const toMs = Math.min(nextMs, level.timeMs + STALENESS_MS, period.toMs)
      if (toMs <= fromMs || level.value === undefined) return
      sum = add(sum, rational(level.value.n * BigInt(toMs - fromMs), level.value.d * HOUR_MS))
    })
  }
  return sum
}

function sumOf(events: readonly UsageEvent[]): Rational {
  // One denominator for all: adding is then one bigint addition, not a search for a common one.
  const scale = 10n ** 6n
  let scaled = 0n
  for (const { value } of events) if (value !== undefined) scaled += (value.n * scale) / value.d
  return rational(scaled, scale)
}

function maxOf(events: readonly UsageEvent[]): Rational | undefined {
  let most: Rational | undefined
  for (const { value } of events) {
    if (value !== undefined && (most === undefined || compare(value, most) > 0)) most = value
  }
  return most
}

/** The events with `fromMs <= time < toMs` of a list in order of time. */
function between(events: readonly UsageEvent[], fromMs: number, toMs: number): readonly UsageEvent[] {
  return events.slice(firstAt(events, fromMs), firstAt(events, toMs))
}

function firstAt(events: readonly UsageEvent[], timeMs: number): number {
  let low = 0
  let high = events.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((events[middle]?.timeMs ?? 0) < timeMs) low = middle + 1
    else high = middle
  }
  return low
}

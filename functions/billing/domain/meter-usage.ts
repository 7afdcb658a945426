import { METERS, type Meter, type MeterId } from '#shared/catalogue/meters.ts'
import type { Period } from './calendar.ts'
import { deduplicating } from './deduplicate.ts'
import { compare, type Rational, rational } from './rational.ts'
import { finish, type Steps, sorting } from './steps.ts'
import { byTimeThenKey } from './usage-batch.ts'
import type { CountedEvent } from './usage-event.ts'

/** What a meter measured in a period; `value` is undefined for the maximum of nothing. */
export type MeterUsage = { readonly value: Rational | undefined; readonly events: number }

/** How long a level holds when no newer sample comes: after that it counts as zero. */
export const STALENESS_MS = 2 * 3_600_000
const HOUR_MS = 3_600_000n
const STEPS = 10n ** 6n
/** What it costs to look at an event and put it in a list, in microseconds. */
const FILTER_COST = 0.1

/** Events of every meter in the one order of aggregation, each once, ready to be measured over any period. */
export type MeterEvents = ReadonlyMap<MeterId, readonly CountedEvent[]>

/** What the ledger holds of a period: what counts, and what was left out of it. */
export type Folded = {
  readonly events: MeterEvents
  readonly copies: readonly CountedEvent[]
  readonly conflicts: readonly CountedEvent[]
}

/** `fold` of all that counts, in one go. */
export function collectEvents(events: readonly CountedEvent[], period: Period): MeterEvents {
  return finish(folding(events, period)).events
}

/**
 * Folds ledger events of a period into one set: copies count once, of a conflict one, runs that the
 * platform failed not at all. The same events in any order and any batches give the same result.
 *
 * What lies outside the period is left out first: it comes along only because its batch touches one of
 * the period's days, and how events were batched must not decide a conflict.
 */
export function* folding(events: readonly CountedEvent[], period: Period): Steps<Folded> {
  const within: CountedEvent[] = []
  for (const event of events) {
    const fromMs = period.fromMs - lookBackMs(event.meter)
    if (event.timeMs >= fromMs && event.timeMs < period.toMs) within.push(event)
  }
  yield events.length * FILTER_COST
  const { events: counted, copies, conflicts } = yield* deduplicating(within)
  const lists = new Map<MeterId, CountedEvent[]>()
  for (const event of counted) {
    if (event.free) continue
    const list = lists.get(event.meter)
    if (list === undefined) lists.set(event.meter, [event])
    else list.push(event)
  }
  yield counted.length * FILTER_COST
  const byMeter = new Map<MeterId, readonly CountedEvent[]>()
  for (const [meter, list] of lists) byMeter.set(meter, yield* sorting(list, byTimeThenKey))
  return { events: byMeter, copies, conflicts }
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

/**
 * Each resource's level holds until its next sample, or until it is stale; the sum is level times hours.
 *
 * What a tenant says of a resource counts only while no collector's sample of it holds: a zero sent one
 * millisecond after the collector's sample must not undo it.
 */
function levelHours(events: readonly CountedEvent[], period: Period): Rational {
  const byResource = new Map<string, { collector: CountedEvent[]; tenant: CountedEvent[] }>()
  for (const event of events) {
    const name = event.resource ?? ''
    const samples = byResource.get(name) ?? { collector: [], tenant: [] }
    byResource.set(name, samples)
    samples[event.producer].push(event)
  }
  let steps = 0n
  for (const { collector, tenant } of byResource.values()) {
    const measured = heldLevels(collector, period)
    for (const { fromMs, toMs, value } of [...measured, ...uncovered(heldLevels(tenant, period), measured)]) {
      steps += stepsOf(value) * BigInt(toMs - fromMs)
    }
  }
  return rational(steps, STEPS * HOUR_MS)
}

type Held = Period & { readonly value: Rational }

/** While each of one producer's samples of one resource holds within the period; in order of time. */
function heldLevels(samples: readonly CountedEvent[], period: Period): Held[] {
  return samples.flatMap((sample, index) => {
    const fromMs = Math.max(sample.timeMs, period.fromMs)
    const nextMs = samples[index + 1]?.timeMs ?? Number.POSITIVE_INFINITY
    const toMs = Math.min(nextMs, sample.timeMs + STALENESS_MS, period.toMs)
    return toMs <= fromMs || sample.value === undefined ? [] : [{ fromMs, toMs, value: sample.value }]
  })
}

/** What is left of `levels` outside `covering`; both in order of time, each without overlaps. */
function uncovered(levels: readonly Held[], covering: readonly Period[]): Held[] {
  const left: Held[] = []
  let first = 0
  for (const { fromMs, toMs, value } of levels) {
    let atMs = fromMs
    while ((covering[first]?.toMs ?? Number.POSITIVE_INFINITY) <= fromMs) first += 1
    for (let index = first; atMs < toMs; index += 1) {
      const cover = covering[index] ?? { fromMs: toMs, toMs }
      if (cover.fromMs > atMs) left.push({ fromMs: atMs, toMs: Math.min(cover.fromMs, toMs), value })
      atMs = Math.max(atMs, cover.toMs)
    }
  }
  return left
}

function sumOf(events: readonly CountedEvent[]): Rational {
  let steps = 0n
  for (const { value } of events) if (value !== undefined) steps += stepsOf(value)
  return rational(steps, STEPS)
}

/**
 * In millionths, the smallest step of any meter. One denominator for all: adding is then one bigint
 * addition, not a search for a common one.
 */
function stepsOf(value: Rational): bigint {
  return value.d === 1n ? value.n * STEPS : (value.n * STEPS) / value.d
}

function maxOf(events: readonly CountedEvent[]): Rational | undefined {
  let most: Rational | undefined
  for (const { value } of events) {
    if (value !== undefined && (most === undefined || compare(value, most) > 0)) most = value
  }
  return most
}

/** The events with `fromMs <= time < toMs` of a list in order of time. */
function between(events: readonly CountedEvent[], fromMs: number, toMs: number): readonly CountedEvent[] {
  return events.slice(firstAt(events, fromMs), firstAt(events, toMs))
}

function firstAt(events: readonly CountedEvent[], timeMs: number): number {
  let low = 0
  let high = events.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((events[middle]?.timeMs ?? 0) < timeMs) low = middle + 1
    else high = middle
  }
  return low
}

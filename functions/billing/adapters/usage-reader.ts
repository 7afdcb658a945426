import { METERS } from '#shared/catalogue/meters.ts'
import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { type Corrections, correctionsOf, countedAtMs } from '../domain/apply-corrections.ts'
import type { Period } from '../domain/calendar.ts'
import { foldingHour } from '../domain/fold-hour.ts'
import { STALENESS_MS } from '../domain/level-runs.ts'
import { quantitiesOf } from '../domain/quantities.ts'
import { addRepeats, countRepeats } from '../domain/repeats.ts'
import { hourOf, overlaps, periodOfHour, type Span } from '../domain/spans.ts'
import type { Steps } from '../domain/steps.ts'
import { type Counts, tallyEvents, type VersionOf } from '../domain/tally.ts'
import type { CountedEvent } from '../domain/usage-event.ts'
import type { CorrectionStore, Ledger, LiveCounters, Reading, RollupStore, UsageReader } from '../ports.ts'
import { aloneReading } from './shared-reads.ts'
import { estimateUsage } from './usage-estimate.ts'
import { type CountedSlice, exactUntil, type Known, planDays, planHours, readKnown } from './usage-plan.ts'

/** Days whose roll-ups are read at the same time. */
const PARALLEL = 8
/** From so many hours on a day is read whole. */
const DENSE_HOURS = 6

export type ReaderParts = {
  readonly ledger: Ledger
  readonly corrections: CorrectionStore
  readonly rollups: RollupStore
  readonly live: LiveCounters
  readonly versionOf: VersionOf
  readonly counts: Counts
  /** Makes `versionOf` and `counts` know what holds now. */
  readonly refreshVersions: () => Promise<void>
}

/** Reads quantities: days and hours that are rolled up with all their batches, and the ledger for the rest. */
export function usageReader(parts: ReaderParts): UsageReader {
  return {
    exactThrough: async (ctx, period, nowMs) => {
      const [known, searches] = await Promise.all([
        readKnown(parts, ctx, period),
        parts.corrections.searches(ctx),
      ])
      return searches.length > 0 ? period.fromMs : exactUntil(period, nowMs, known)
    },
    estimate: (ctx, query) => estimateUsage(parts, ctx, query),
    quantities: async (ctx, query, reading = aloneReading) => {
      const period = { fromMs: query.fromMs, toMs: query.toMs }
      const windows = query.windows ?? [period]
      const held = query.meters.some((meter) => METERS[meter].aggregation === 'level_hours')
      const carried = { fromMs: period.fromMs - STALENESS_MS, toMs: period.fromMs }
      const cuts = held ? [carried, ...windows] : windows
      const [known, searches] = await Promise.all([
        readKnown(parts, ctx, { fromMs: carried.fromMs, toMs: period.toMs }),
        parts.corrections.searches(ctx),
        parts.refreshVersions(),
      ])
      const slices = await readSlices(parts, ctx, cuts, known, reading)
      if (!slices.ok) return slices
      const rules = {
        meters: query.meters,
        groupBy: query.groupBy ?? [],
        filter: query.filter ?? {},
        versionOf: parts.versionOf,
        counts: parts.counts,
        nowMs: query.nowMs,
      }
      const rows = await reading.work(measuring(rules, windows, slices.value))
      const exactMs = searches.length > 0 ? period.fromMs : exactUntil(period, query.nowMs, known)
      return ok({
        rows,
        repeats: addRepeats(
          slices.value.flatMap((slice) => (overlaps(slice.period, period) ? [slice.repeats] : [])),
        ),
        exactThroughMs: exactMs,
        provisional: exactMs < period.toMs,
      })
    },
  }
}

async function readSlices(
  parts: ReaderParts,
  ctx: TenantContext,
  cuts: readonly Period[],
  known: Known,
  reading: Reading,
): Promise<Result<readonly CountedSlice[]>> {
  const plan = planDays(cuts, known)
  const slices = [...plan.slices]
  const fromLedger: Span[] = []
  const days = [...plan.days]
  for (let at = 0; at < days.length; at += PARALLEL) {
    reading.check()
    await Promise.all(
      days.slice(at, at + PARALLEL).map(async ([day, spans]) => {
        // What was never folded has no roll-ups to look for.
        const rollups = known.days.has(day) ? await parts.rollups.hours(ctx, day) : new Map()
        const planned = planHours(spans, rollups, known)
        slices.push(...planned.slices)
        fromLedger.push(...planned.fromLedger)
      }),
    )
  }
  const folded = await foldFromLedger(parts, ctx, fromLedger, reading)
  if (!folded.ok) return folded
  return ok([...slices, ...folded.value].sort((left, right) => left.period.fromMs - right.period.fromMs))
}

async function foldFromLedger(
  parts: ReaderParts,
  ctx: TenantContext,
  spans: readonly Span[],
  reading: Reading,
): Promise<Result<readonly CountedSlice[]>> {
  if (spans.length === 0) return ok([])
  const byDay = Map.groupBy(new Set(spans.map(({ hour }) => hour)), (hour) => hour.slice(0, 8))
  const dense = [...byDay].flatMap(([day, hours]) => (hours.length >= DENSE_HOURS ? [day] : []))
  const sparse = [...byDay.values()].flatMap((hours) => (hours.length >= DENSE_HOURS ? [] : hours))
  const [days, hours] = await Promise.all([
    parts.ledger.days(ctx, dense, reading),
    parts.ledger.hours(ctx, sparse, reading),
  ])
  if (!days.ok) return days
  if (!hours.ok) return hours
  const corrections = correctionsOf(await parts.corrections.all(ctx))
  const batches = new Map(
    [...days.value.values(), ...hours.value.values()].flat().map((one) => [one.name, one]),
  )
  const events = [...batches.values()].flatMap((batch) => batch.events)
  return ok(await reading.work(slicing(spans, events, corrections, parts.versionOf)))
}

function* slicing(
  spans: readonly Span[],
  events: readonly CountedEvent[],
  corrections: Corrections,
  versionOf: VersionOf,
): Steps<CountedSlice[]> {
  const byHour = yield* byTheirHours(events, corrections)
  const slices: CountedSlice[] = []
  for (const [hour, ofHour] of Map.groupBy(spans, (span) => span.hour)) {
    const whole = periodOfHour(hour)
    const folded = yield* foldingHour(byHour.get(whole.fromMs) ?? [], whole, corrections)
    for (const { period } of ofHour) {
      const within = <E extends CountedEvent>(list: readonly E[]): E[] =>
        list.filter(({ timeMs }) => timeMs >= period.fromMs && timeMs < period.toMs)
      const tallies = tallyEvents(within(folded.events), versionOf)
      const repeats = countRepeats(within(folded.copies), within(folded.conflicts))
      yield 10 + folded.events.length
      slices.push({ period, tallies, repeats, rollup: undefined, isDay: false })
    }
  }
  return slices
}

/** Each event with the hour in which it happened, and with the one that it was moved to. */
function* byTheirHours(
  events: readonly CountedEvent[],
  corrections: Corrections,
): Steps<Map<number, CountedEvent[]>> {
  const byHour = new Map<number, CountedEvent[]>()
  const put = (timeMs: number, event: CountedEvent): void => {
    const { fromMs } = hourOf(timeMs)
    const list = byHour.get(fromMs)
    if (list === undefined) byHour.set(fromMs, [event])
    else list.push(event)
  }
  for (const event of events) {
    put(event.timeMs, event)
    const countedMs = countedAtMs(event, corrections)
    if (hourOf(countedMs).fromMs !== hourOf(event.timeMs).fromMs) put(countedMs, event)
  }
  yield events.length * 0.2
  return byHour
}

function* measuring(
  rules: Parameters<typeof quantitiesOf>[0],
  windows: readonly Period[],
  slices: readonly CountedSlice[],
): Steps<ReturnType<typeof quantitiesOf>> {
  const rows: ReturnType<typeof quantitiesOf> = []
  let first = 0
  for (const window of windows) {
    const before = { fromMs: window.fromMs - STALENESS_MS, toMs: window.fromMs }
    while (first < slices.length && (slices[first]?.period.toMs ?? 0) <= before.fromMs) first += 1
    let last = first
    while (last < slices.length && (slices[last]?.period.fromMs ?? 0) < window.toMs) last += 1
    const near = slices.slice(first, last)
    const inside = near.filter(({ period }) => overlaps(period, window))
    const held = near.filter(({ period }) => overlaps(period, before))
    rows.push(...quantitiesOf(rules, window, inside, held))
    yield 5 + near.reduce((cost, { tallies }) => cost + tallies.length * 2, 0)
  }
  return rows
}

import { z } from 'zod'
import { METER_IDS, METERS, type MeterId } from '#shared/catalogue/meters.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { formatInstant, monthOf, type Period, windowOf } from './calendar.ts'
import { type Folded, lookBackMs, type MeterEvents, measure } from './meter-usage.ts'
import { formatDecimal, formatScaled, type Rational, toScaled } from './rational.ts'
import type { Steps } from './steps.ts'
import type { CountedEvent } from './usage-event.ts'

export type UsageQuery = {
  readonly meters: readonly MeterId[]
  readonly period: Period
  readonly window: 'hour' | 'day' | 'month' | undefined
}

export type UsageRow = {
  readonly meter: MeterId
  readonly unit: string
  readonly window?: { readonly from: string; readonly to: string }
  /** A decimal; null for the maximum of nothing. Time-weighted ones are rounded to 12 places. */
  readonly value: string | null
  /** The value as a fraction, where a decimal may not say it exactly. */
  readonly exact?: { readonly numerator: string; readonly denominator: string }
  readonly events: number
}

const DAY_MS = 24 * 3_600_000
/** The longest range by window: what one answer can hold and one request can read. */
const LONGEST_MS = { hour: 31 * DAY_MS, day: 93 * DAY_MS, month: 400 * DAY_MS, none: 93 * DAY_MS }
const MAX_AHEAD_MS = 400 * DAY_MS

/** Reads a usage query; from the beginning of the month to now unless it says otherwise. */
export function parseUsageQuery(
  query: Readonly<Record<string, string>>,
  nowMs: number,
  timeZone: string,
): Result<UsageQuery> {
  const stray = Object.keys(query).find((name) => !['meter', 'from', 'to', 'window'].includes(name))
  if (stray !== undefined) return malformed(`There is no parameter '${stray}'.`, 'unknown parameter')
  const { meter, window } = query
  if (meter !== undefined && !isMeter(meter)) return malformed('meter: names no meter')
  if (window !== undefined && !isWindow(window)) return malformed('window: must be hour, day or month')
  const toMs = query['to'] === undefined ? nowMs : parseInstant(query['to'])
  if (toMs === undefined) return malformed('to: must be an RFC 3339 instant')
  const fromMs =
    query['from'] === undefined
      ? monthOf(Math.max(toMs - 1, 0), timeZone).fromMs
      : parseInstant(query['from'])
  if (fromMs === undefined) return malformed('from: must be an RFC 3339 instant')
  if (fromMs >= toMs) return badRange('from must lie before to')
  if (toMs > nowMs + MAX_AHEAD_MS) return badRange('to lies too far ahead')
  if (toMs - fromMs > LONGEST_MS[window ?? 'none']) {
    return badRange(`the range may span ${LONGEST_MS[window ?? 'none'] / DAY_MS} days at most`)
  }
  return ok({ meters: meter === undefined ? METER_IDS : [meter], period: { fromMs, toMs }, window })
}

/** The period whose events a query needs: levels hold on from before it. */
export function periodToRead(query: UsageQuery): Period {
  const back = Math.max(...query.meters.map(lookBackMs))
  return { fromMs: query.period.fromMs - back, toMs: query.period.toMs }
}

/** What measuring a window costs, and each event in it, in microseconds. */
const WINDOW_COST = 2
const EVENT_COST = 0.5

/** One row for each meter, or for each of its windows in which something was measured. */
export function* usageRows(query: UsageQuery, events: MeterEvents, timeZone: string): Steps<UsageRow[]> {
  const rows: UsageRow[] = []
  const windows = query.window === undefined ? undefined : windowsOf(query.period, query.window, timeZone)
  for (const meter of query.meters) {
    for (const window of windows ?? [query.period]) {
      const usage = measure(meter, events, window)
      yield WINDOW_COST + usage.events * EVENT_COST
      if (windows === undefined) rows.push(row(meter, usage))
      else if (usage.events > 0 || (usage.value !== undefined && usage.value.n !== 0n)) {
        rows.push(row(meter, usage, window))
      }
    }
  }
  return rows
}

/** What the ledger holds in the range beside what counts. */
export function repeatsIn(query: UsageQuery, folded: Folded): { duplicates: number; conflicts: number } {
  const { fromMs, toMs } = query.period
  const asked = new Set(query.meters)
  const isAsked = ({ meter, timeMs }: CountedEvent): boolean =>
    asked.has(meter) && timeMs >= fromMs && timeMs < toMs
  return {
    duplicates: folded.copies.filter(isAsked).length,
    conflicts: folded.conflicts.filter(isAsked).length,
  }
}

/** RFC 3339 with an offset; undefined for anything else. */
export function parseInstant(text: string): number | undefined {
  return z.iso.datetime({ offset: true }).safeParse(text).success ? Date.parse(text) : undefined
}

/** The windows that cover a period, the outer ones cut to it. */
function windowsOf(period: Period, window: 'hour' | 'day' | 'month', timeZone: string): Period[] {
  const windows: Period[] = []
  for (let fromMs = period.fromMs; fromMs < period.toMs; ) {
    const toMs = Math.min(windowOf(fromMs, window, timeZone).toMs, period.toMs)
    windows.push({ fromMs, toMs })
    fromMs = toMs
  }
  return windows
}

function row(
  meter: MeterId,
  usage: { value: Rational | undefined; events: number },
  window?: Period,
): UsageRow {
  const { value } = usage
  const weighted = METERS[meter].aggregation === 'level_hours'
  return {
    meter,
    // The catalogue's unit is of one sample; a level over time is in units times hours.
    unit: weighted ? `${METERS[meter].unit} hour` : METERS[meter].unit,
    ...(window === undefined
      ? {}
      : { window: { from: formatInstant(window.fromMs), to: formatInstant(window.toMs) } }),
    value: value === undefined ? null : weighted ? decimal12(value) : formatDecimal(value),
    ...(weighted && value !== undefined
      ? { exact: { numerator: String(value.n), denominator: String(value.d) } }
      : {}),
    events: usage.events,
  }
}

function decimal12(value: Rational): string {
  return formatScaled(toScaled(value, 12), 12).replace(/\.?0+$/, '')
}

function isMeter(name: string): name is MeterId {
  return Object.hasOwn(METERS, name)
}

function isWindow(name: string): name is 'hour' | 'day' | 'month' {
  return name === 'hour' || name === 'day' || name === 'month'
}

function malformed(hint: string, detail = hint): Result<never> {
  return refuse('request.malformed', detail, hint)
}

function badRange(hint: string): Result<never> {
  return refuse('usage.range_invalid', hint, hint)
}

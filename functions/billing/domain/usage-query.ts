import { z } from 'zod'
import { METER_IDS, METERS, type MeterId } from '#shared/catalogue/meters.ts'
import { asRecord } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { formatInstant, isTimeZone, monthOf, type Period, windowOf } from './calendar.ts'
import { quantityUnit } from './meter.ts'
import type { Quantity } from './quantities.ts'
import { formatDecimal, formatScaled, type Rational, toScaled } from './rational.ts'

export type UsageQuery = {
  readonly meters: readonly MeterId[]
  readonly period: Period
  readonly window: 'hour' | 'day' | 'month' | undefined
  readonly timeZone: string
  readonly groupBy: readonly string[]
  readonly filter: Readonly<Record<string, readonly string[]>>
}

export type UsageRow = {
  readonly meter: MeterId
  /** Of the meter's definition; the first unless said. */
  readonly version?: number
  readonly unit: string
  readonly window?: { readonly from: string; readonly to: string }
  readonly group?: Readonly<Record<string, string>>
  /** A decimal; null for the maximum of nothing. Time-weighted ones are rounded to 12 places. */
  readonly value: string | null
  /** The value as a fraction, where a decimal may not say it exactly. */
  readonly exact?: { readonly numerator: string; readonly denominator: string }
  readonly events: number
  /** A measured resource had no level that held for so long, and counted as zero. */
  readonly dataQuality?: { readonly staleSeconds: number }
}

const DAY_MS = 24 * 3_600_000
/** The longest range by window: what one answer can hold and one request can read. */
const LONGEST_MS = { hour: 31 * DAY_MS, day: 93 * DAY_MS, month: 400 * DAY_MS, none: 93 * DAY_MS }
const MAX_AHEAD_MS = 400 * DAY_MS
const PARAMETERS = ['meter', 'from', 'to', 'window', 'timezone', 'groupBy', 'groupBy[]', 'filter']
const MOST_TERMS = 20

/** Reads a usage query; from the beginning of the month to now unless it says otherwise. */
export function parseUsageQuery(
  query: Readonly<Record<string, string>>,
  nowMs: number,
  subscriptionZone: string,
): Result<UsageQuery> {
  const stray = Object.keys(query).find((name) => !PARAMETERS.includes(name))
  if (stray !== undefined) return malformed(`There is no parameter '${stray}'.`, 'unknown parameter')
  const { meter, window } = query
  if (meter !== undefined && !isMeter(meter)) return malformed('meter: names no meter')
  if (window !== undefined && !isWindow(window)) return malformed('window: must be hour, day or month')
  const timeZone = query['timezone'] ?? subscriptionZone
  if (!isTimeZone(timeZone)) return malformed('timezone: names no IANA time zone')
  const meters = meter === undefined ? METER_IDS : [meter]
  const dimensions = parseDimensions(query, meters)
  if (!dimensions.ok) return dimensions
  const period = parsePeriod(query, nowMs, timeZone, LONGEST_MS[window ?? 'none'])
  if (!period.ok) return period
  return ok({ meters, period: period.value, window, timeZone, ...dimensions.value })
}

/** `from` and `to`, from the beginning of the month to now unless given. */
export function parsePeriod(
  query: Readonly<Record<string, string>>,
  nowMs: number,
  timeZone: string,
  longestMs: number,
): Result<Period> {
  const toMs = query['to'] === undefined ? nowMs : parseInstant(query['to'])
  if (toMs === undefined) return malformed('to: must be an RFC 3339 instant')
  const fromMs =
    query['from'] === undefined
      ? monthOf(Math.max(toMs - 1, 0), timeZone).fromMs
      : parseInstant(query['from'])
  if (fromMs === undefined) return malformed('from: must be an RFC 3339 instant')
  if (fromMs >= toMs) return badRange('from must lie before to')
  if (toMs > nowMs + MAX_AHEAD_MS) return badRange('to lies too far ahead')
  if (toMs - fromMs > longestMs) return badRange(`the range may span ${longestMs / DAY_MS} days at most`)
  return ok({ fromMs, toMs })
}

type Dimensions = Pick<UsageQuery, 'groupBy' | 'filter'>

/** `groupBy=model,provider` and `filter=model:a,model:b` or `filter={"model":["a","b"]}`. */
function parseDimensions(
  query: Readonly<Record<string, string>>,
  meters: readonly MeterId[],
): Result<Dimensions> {
  const known = new Set(meters.flatMap((meter) => METERS[meter].dimensions as readonly string[]))
  const groupText = query['groupBy'] ?? query['groupBy[]']
  const groupBy = groupText === undefined ? [] : [...new Set(groupText.split(','))]
  const filter = query['filter'] === undefined ? {} : parseFilter(query['filter'])
  if (filter === undefined) {
    return malformed('filter: must be dimension:value, … or an object of lists of values')
  }
  const strayGroup = groupBy.find((name) => !known.has(name))
  if (strayGroup !== undefined) return malformed('groupBy: names a dimension that no such meter has')
  const strayFilter = Object.keys(filter).find((name) => !known.has(name))
  if (strayFilter !== undefined) return malformed('filter: names a dimension that no such meter has')
  return ok({ groupBy: groupBy.sort(), filter })
}

function parseFilter(text: string): Record<string, readonly string[]> | undefined {
  const terms = text.startsWith('{') ? jsonTerms(text) : text.split(',').map(termOf)
  if (terms === undefined || terms.length > MOST_TERMS) return undefined
  const filter = new Map<string, string[]>()
  for (const term of terms) {
    if (term === undefined) return undefined
    const [name, value] = term
    filter.set(name, [...(filter.get(name) ?? []), value])
  }
  return Object.fromEntries(filter)
}

function termOf(text: string): [string, string] | undefined {
  const at = text.indexOf(':')
  return at <= 0 ? undefined : [text.slice(0, at), text.slice(at + 1)]
}

function jsonTerms(text: string): ([string, string] | undefined)[] | undefined {
  try {
    const parsed = asRecord(JSON.parse(text))
    if (parsed === undefined) return undefined
    return Object.entries(parsed).flatMap(([name, values]) =>
      [values]
        .flat()
        .map((value): [string, string] | undefined =>
          typeof value === 'string' ? [name, value] : undefined,
        ),
    )
  } catch {
    return undefined
  }
}

/** The windows that cover the period, the outer ones cut to it; the period itself where none are asked for. */
export function windowsIn({ period, window, timeZone }: UsageQuery): readonly Period[] {
  if (window === undefined) return [period]
  const windows: Period[] = []
  for (let fromMs = period.fromMs; fromMs < period.toMs; ) {
    const toMs = Math.min(windowOf(fromMs, window, timeZone).toMs, period.toMs)
    windows.push({ fromMs, toMs })
    fromMs = toMs
  }
  return windows
}

/** Quantities as they are answered: windows in which nothing was measured are left out. */
export function usageRows(query: UsageQuery, quantities: readonly Quantity[]): UsageRow[] {
  const filled = quantities.filter(
    ({ events, value }) =>
      query.window === undefined || events > 0 || (value !== undefined && value.n !== 0n),
  )
  // By meter first, as they are asked for; the sort is stable, so windows stay in order.
  const place = new Map(query.meters.map((meter, index) => [meter, index]))
  return filled
    .toSorted((left, right) => (place.get(left.meterId) ?? 0) - (place.get(right.meterId) ?? 0))
    .map((quantity) => row(query, quantity))
}

/** RFC 3339 with an offset; undefined for anything else. */
export function parseInstant(text: string): number | undefined {
  return z.iso.datetime({ offset: true }).safeParse(text).success ? Date.parse(text) : undefined
}

function row(query: UsageQuery, quantity: Quantity): UsageRow {
  const { meterId, version, group, period, value, events, staleMs } = quantity
  const meter = METERS[meterId]
  const weighted = meter.aggregation === 'level_hours'
  return {
    meter: meterId,
    ...(version === 1 ? {} : { version }),
    unit: quantityUnit(meterId),
    ...(query.window === undefined
      ? {}
      : { window: { from: formatInstant(period.fromMs), to: formatInstant(period.toMs) } }),
    ...(query.groupBy.length === 0 ? {} : { group }),
    value: value === undefined ? null : weighted ? decimal12(value) : formatDecimal(value),
    ...(weighted && value !== undefined
      ? { exact: { numerator: String(value.n), denominator: String(value.d) } }
      : {}),
    events,
    ...(staleMs > 0 ? { dataQuality: { staleSeconds: Math.ceil(staleMs / 1000) } } : {}),
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

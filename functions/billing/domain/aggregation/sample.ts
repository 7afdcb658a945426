import { isTimeZone, type Period, WINDOWS, type Window } from '../calendar.ts'
import { choiceAt, type Fields, fieldsOf, has, listAt, RatingError } from '../rating/fields.ts'
import { findDecimal, type Rational } from '../rational.ts'

/** One event as an aggregation sees it. */
export type Sample = {
  readonly id: string
  readonly source: string
  readonly timeMs: number
  readonly properties: Fields
  /** The aggregated field as a number, where the aggregation wants one. */
  readonly value: Rational | undefined
}

/** What to aggregate over, read from a definition's parameters (billing.md §13). */
export type Scope = {
  readonly period: Period
  readonly field: string | undefined
  readonly filters: readonly (readonly [key: string, values: readonly string[]])[]
  readonly groupBy: readonly string[]
  readonly carryOver: boolean
  readonly window: Window | undefined
  readonly timeZone: string
  readonly dedupe: boolean
}

export function scopeOf(parameters: Fields): Scope {
  const period = fieldsOf(parameters['period'], 'period')
  const fromMs = instantOf(period['from'], 'period.from')
  const toMs = instantOf(period['to_exclusive'], 'period.to_exclusive')
  if (fromMs >= toMs) throw new RatingError('the period must not be empty')
  const filters = has(parameters, 'filters') ? fieldsOf(parameters['filters'], 'filters') : {}
  const timeZone = has(parameters, 'timezone') ? String(parameters['timezone']) : 'UTC'
  if (!isTimeZone(timeZone)) throw new RatingError(`there is no time zone ${timeZone}`)
  return {
    period: { fromMs, toMs },
    field: has(parameters, 'field') ? String(parameters['field']) : undefined,
    filters: Object.keys(filters).map((key) => [key, listAt(filters, key).map(String)] as const),
    groupBy: has(parameters, 'group_by') ? listAt(parameters, 'group_by').map(String) : [],
    carryOver: parameters['carry_over'] === true,
    window: has(parameters, 'window') ? choiceAt(parameters, 'window', WINDOWS) : undefined,
    timeZone,
    dedupe: parameters['dedupe'] !== false,
  }
}

/**
 * Reads events into samples in the one order of aggregation: time, source, id. Copies (same source and
 * id) count once; what the filters leave out is not looked at.
 *
 * `rejected` are the ids of events in reach whose field is missing or, where `numeric`, no finite decimal.
 */
export function readSamples(
  scope: Scope,
  events: readonly unknown[],
  needs: 'nothing' | 'presence' | 'number',
): { samples: Sample[]; rejected: string[] } {
  const seen = new Set<string>()
  const samples: Sample[] = []
  const rejected: string[] = []
  for (const raw of events) {
    const event = fieldsOf(raw, 'event')
    const id = String(event['id'])
    const source = String(event['source'])
    const timeMs = instantOf(event['time'], 'time')
    const properties = has(event, 'properties') ? fieldsOf(event['properties'], 'properties') : {}
    if (timeMs >= scope.period.toMs || (timeMs < scope.period.fromMs && !scope.carryOver)) continue
    if (!scope.filters.every(([key, values]) => values.includes(textAt(properties, key)))) continue
    const key = `${source}\0${id}`
    if (scope.dedupe && seen.has(key)) continue
    seen.add(key)
    const value = numberAt(properties, scope.field)
    const present = scope.field !== undefined && has(properties, scope.field)
    if ((needs === 'number' && value === undefined) || (needs === 'presence' && !present)) rejected.push(id)
    else samples.push({ id, source, timeMs, properties, value })
  }
  samples.sort(byTimeSourceId)
  return { samples, rejected }
}

/** A property as text; a missing one is the empty text. */
export function textAt(properties: Fields, key: string): string {
  return has(properties, key) ? String(properties[key]) : ''
}

export function instantOf(value: unknown, name: string): number {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN
  if (Number.isNaN(ms)) throw new RatingError(`${name} must be an instant`)
  return ms
}

function numberAt(properties: Fields, field: string | undefined): Rational | undefined {
  if (field === undefined || !has(properties, field)) return undefined
  const value = properties[field]
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  return findDecimal(String(value))
}

function byTimeSourceId(left: Sample, right: Sample): number {
  if (left.timeMs !== right.timeMs) return left.timeMs - right.timeMs
  if (left.source !== right.source) return left.source < right.source ? -1 : 1
  return left.id < right.id ? -1 : left.id > right.id ? 1 : 0
}

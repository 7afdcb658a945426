import { isTimeZone, type Period, WINDOWS, type Window } from '../calendar.ts'
import { choiceAt, type Fields, fieldsOf, has, listAt, RatingError } from '../rating/fields.ts'
import { compare, findDecimal, type Rational, ZERO } from '../rational.ts'

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
 * Reads events into samples in the one order of aggregation: time, source, id. What is said several times
 * under one source and id counts once, and of several contents the one that ranks first; after that,
 * what the filters leave out is not looked at.
 *
 * `rejected` are the ids of what then lacks what it `needs`, its field or a finite decimal in it, in the order
 * of the list.
 */
export function readSamples(
  scope: Scope,
  events: readonly unknown[],
  needs: 'nothing' | 'presence' | 'number',
): { samples: Sample[]; rejected: string[] } {
  const samples: Sample[] = []
  const rejected: string[] = []
  for (const sample of inReach(scope, events)) {
    const { id, properties, value } = sample
    if (!scope.filters.every(([key, values]) => values.includes(textAt(properties, key)))) continue
    const lacks = needs === 'number' ? value === undefined : !isPresent(sample, scope.field)
    if (needs !== 'nothing' && lacks) rejected.push(id)
    else samples.push(sample)
  }
  samples.sort(byTimeSourceId)
  return { samples, rejected }
}

/** The events that the period reaches, each once unless copies are asked for. */
function inReach(scope: Scope, events: readonly unknown[]): Iterable<Sample> {
  const all: Sample[] = []
  const byKey = new Map<string, Sample>()
  for (const raw of events) {
    const sample = sampleOf(raw, scope.field)
    const { id, source, timeMs } = sample
    if (timeMs >= scope.period.toMs || (timeMs < scope.period.fromMs && !scope.carryOver)) continue
    if (!scope.dedupe) {
      all.push(sample)
      continue
    }
    const key = `${source}\0${id}`
    const kept = byKey.get(key)
    if (kept === undefined || rank(sample, kept, scope.field) < 0) byKey.set(key, sample)
  }
  return scope.dedupe ? byKey.values() : all
}

function sampleOf(raw: unknown, field: string | undefined): Sample {
  const event = fieldsOf(raw, 'event')
  const properties = has(event, 'properties') ? fieldsOf(event['properties'], 'properties') : {}
  return {
    id: String(event['id']),
    source: String(event['source']),
    timeMs: instantOf(event['time'], 'time'),
    properties,
    value: numberAt(properties, field),
  }
}

/**
 * Orders contents that contradict each other; the lowest counts. It is the rank of the ledger
 * (`deduplicate.ts`) as far as data without a producer can have one: the larger effect, the later time, and
 * then whatever is the same in every order of the list.
 */
function rank(left: Sample, right: Sample, field: string | undefined): number {
  return (
    Number(isPresent(right, field)) - Number(isPresent(left, field)) ||
    Number(right.value !== undefined) - Number(left.value !== undefined) ||
    compare(right.value ?? ZERO, left.value ?? ZERO) ||
    right.timeMs - left.timeMs ||
    byText(textOf(left), textOf(right))
  )
}

function isPresent({ properties }: Sample, field: string | undefined): boolean {
  return field !== undefined && has(properties, field)
}

/** All that an aggregation can see of the properties. */
function textOf({ properties }: Sample): string {
  const names = Object.keys(properties).sort()
  return JSON.stringify(names.map((name) => [name, textAt(properties, name)]))
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
  return byText(left.source, right.source) || byText(left.id, right.id)
}

function byText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}

import {
  count,
  type Fold,
  type Folded,
  latest,
  levelHours,
  max,
  proratedSum,
  sum,
  uniqueCount,
  weightedSum,
} from './aggregation/fold.ts'
import { readSamples, type Sample, type Scope, scopeOf, textAt } from './aggregation/sample.ts'
import { formatInstant, type Period, type Window, windowOf } from './calendar.ts'
import { fieldsOf, RatingError } from './rating/fields.ts'
import { add, formatDecimal, formatScaled, type Rational, toScaled, ZERO } from './rational.ts'

type Json = Record<string, unknown>
type Aggregation = {
  readonly fold: Fold
  readonly needs: 'nothing' | 'presence' | 'number'
  /** Events change a level that holds until the next one, also into later windows. */
  readonly holds?: true
}

const AGGREGATIONS: Readonly<Record<string, Aggregation>> = {
  count: { fold: count, needs: 'nothing' },
  sum: { fold: sum, needs: 'number' },
  max: { fold: max, needs: 'number' },
  latest: { fold: latest, needs: 'number' },
  unique_count: { fold: uniqueCount, needs: 'presence' },
  weighted_sum: { fold: weightedSum, needs: 'number', holds: true },
  level_hours: { fold: levelHours, needs: 'number', holds: true },
  prorated_sum: { fold: proratedSum, needs: 'number' },
  sum_of_window_max: { fold: max, needs: 'number' },
}

/** The aggregations that `aggregate` knows. */
export const AGGREGATION_NAMES: readonly string[] = Object.keys(AGGREGATIONS)

/**
 * Aggregates events over a half-open period, as data (billing.md §13): exact, and the same in
 * whatever order and however often the events come, also where an id comes with several contents
 * (docs/decisions/0012). With `dedupe: false` copies count. Throws `RatingError` on an unknown aggregation
 * and on a definition it does not understand.
 */
export function aggregate(
  definition: { aggregation: string; parameters: unknown },
  events: readonly unknown[],
): Json {
  const { aggregation: name } = definition
  const aggregation = Object.hasOwn(AGGREGATIONS, name) ? AGGREGATIONS[name] : undefined
  if (aggregation === undefined) throw new RatingError(`there is no aggregation '${name}'`)
  const parameters = fieldsOf(definition.parameters, 'parameters')
  const scope = scopeOf(parameters)
  const { samples, rejected } = readSamples(scope, events, aggregation.needs)
  const run = (part: readonly Sample[], period: Period): Folded =>
    aggregation.fold(part, period, parameters, scope.field)
  const tail = rejected.length === 0 ? {} : { rejected }
  const measure = (part: readonly Sample[]): Json => measured(scope, name, part, run)
  if (scope.groupBy.length > 0) return { groups: groupsOf(scope, samples, measure), ...tail }
  const { windows, ...whole } = measure(samples)
  const inPeriod = samples.filter((sample) => sample.timeMs >= scope.period.fromMs).length
  return { ...whole, count: inPeriod, ...(windows === undefined ? {} : { windows }), ...tail }
}

type Run = (samples: readonly Sample[], period: Period) => Folded

/** What samples come to over the period, and in each window where those are asked for. */
function measured(scope: Scope, name: string, samples: readonly Sample[], run: Run): Json {
  const holds = AGGREGATIONS[name]?.holds === true
  const { window } = scope
  const windows = window === undefined ? undefined : windowsOf({ ...scope, window }, samples, run, holds)
  const tail = windows === undefined ? {} : { windows: windows.map(windowJson) }
  if (name !== 'sum_of_window_max') return { ...foldedJson(run(samples, scope.period)), ...tail }
  if (windows === undefined) throw new RatingError('window must be given')
  const value = windows.reduce((total, window) => add(total, window.folded.value ?? ZERO), ZERO)
  return { value: formatDecimal(value), ...tail }
}

function groupsOf(
  scope: Scope,
  samples: readonly Sample[],
  measure: (part: readonly Sample[]) => Json,
): Json[] {
  const groups = new Map<string, { values: string[]; samples: Sample[] }>()
  for (const sample of samples) {
    const values = scope.groupBy.map((name) => textAt(sample.properties, name))
    const id = JSON.stringify(values)
    const group = groups.get(id)
    if (group !== undefined) group.samples.push(sample)
    else groups.set(id, { values, samples: [sample] })
  }
  return [...groups.values()]
    .sort((left, right) => compareTexts(left.values, right.values))
    .map(({ values, samples: part }) => ({
      key: Object.fromEntries(scope.groupBy.map((name, index) => [name, values[index] ?? ''])),
      ...measure(part),
    }))
}

/** By the first text that differs: `us` comes before `us east`. */
function compareTexts(left: readonly string[], right: readonly string[]): number {
  const at = left.findIndex((text, index) => text !== right[index])
  return at < 0 ? 0 : (left[at] ?? '') < (right[at] ?? '') ? -1 : 1
}

/** Each window in which something happened, cut to the period. A level that held before it goes on in it. */
function windowsOf(
  { window, period, timeZone }: Scope & { readonly window: Window },
  samples: readonly Sample[],
  run: Run,
  holds: boolean,
): { fromMs: number; folded: Folded }[] {
  const byWindow = new Map<number, { period: Period; first: number; end: number }>()
  for (const [index, sample] of samples.entries()) {
    if (sample.timeMs < period.fromMs) continue
    const whole = windowOf(sample.timeMs, window, timeZone)
    const existing = byWindow.get(whole.fromMs)
    if (existing !== undefined) existing.end = index + 1
    else byWindow.set(whole.fromMs, { period: cut(whole, period), first: index, end: index + 1 })
  }
  return [...byWindow].map(([fromMs, { period: part, first, end }]) => ({
    fromMs,
    folded: run(samples.slice(holds ? 0 : first, end), part),
  }))
}

function cut(whole: Period, period: Period): Period {
  return { fromMs: Math.max(whole.fromMs, period.fromMs), toMs: Math.min(whole.toMs, period.toMs) }
}

function windowJson(window: { fromMs: number; folded: Folded }): Json {
  return { from: formatInstant(window.fromMs), value: valueJson(window.folded.value) }
}

function foldedJson({ value, weighted, levelAtEnd }: Folded): Json {
  if (!weighted || value === undefined) return { value: valueJson(value) }
  return {
    value: valueJson(value),
    exact: { numerator: String(value.n), denominator: String(value.d) },
    value_rounded_5: trimmed(formatScaled(toScaled(value, 5), 5)),
    ...(levelAtEnd === undefined ? {} : { level_at_end: formatDecimal(levelAtEnd) }),
  }
}

function valueJson(value: Rational | undefined): string | null {
  return value === undefined ? null : formatDecimal(value)
}

function trimmed(text: string): string {
  return text.replace(/\.?0+$/, '')
}

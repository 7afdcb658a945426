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
import { formatInstant, type Period, windowOf } from './calendar.ts'
import { fieldsOf, RatingError } from './rating/fields.ts'
import { add, formatDecimal, formatScaled, type Rational, toScaled, ZERO } from './rational.ts'

type Json = Record<string, unknown>
type Aggregation = { readonly fold: Fold; readonly needs: 'nothing' | 'presence' | 'number' }

const AGGREGATIONS: Readonly<Record<string, Aggregation>> = {
  count: { fold: count, needs: 'nothing' },
  sum: { fold: sum, needs: 'number' },
  max: { fold: max, needs: 'number' },
  latest: { fold: latest, needs: 'number' },
  unique_count: { fold: uniqueCount, needs: 'presence' },
  weighted_sum: { fold: weightedSum, needs: 'number' },
  level_hours: { fold: levelHours, needs: 'number' },
  prorated_sum: { fold: proratedSum, needs: 'number' },
  sum_of_window_max: { fold: max, needs: 'number' },
}

/** The aggregations that `aggregate` knows. */
export const AGGREGATION_NAMES: readonly string[] = Object.keys(AGGREGATIONS)

/**
 * Aggregates events over a half-open period, as data (billing.md §13): exact, and the same in
 * whatever order and however often the events come. Throws `RatingError` on an unknown aggregation
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
  if (scope.groupBy.length > 0) return { groups: groupsOf(scope, samples, run), ...tail }
  const inPeriod = samples.filter((sample) => sample.timeMs >= scope.period.fromMs).length
  if (name === 'sum_of_window_max') {
    const windows = windowsOf(scope, samples, run)
    const value = windows.reduce((total, window) => add(total, window.folded.value ?? ZERO), ZERO)
    return { value: formatDecimal(value), count: inPeriod, windows: windows.map(windowJson), ...tail }
  }
  const windows =
    scope.window === undefined ? {} : { windows: windowsOf(scope, samples, run).map(windowJson) }
  return { ...foldedJson(run(samples, scope.period)), count: inPeriod, ...windows, ...tail }
}

type Run = (samples: readonly Sample[], period: Period) => Folded

function groupsOf(scope: Scope, samples: readonly Sample[], run: Run): Json[] {
  const groups = new Map<string, { key: Record<string, string>; samples: Sample[] }>()
  for (const sample of samples) {
    const values = scope.groupBy.map((name) => textAt(sample.properties, name))
    const id = JSON.stringify(values)
    const group = groups.get(id)
    if (group !== undefined) group.samples.push(sample)
    else {
      const key = Object.fromEntries(scope.groupBy.map((name, index) => [name, values[index] ?? '']))
      groups.set(id, { key, samples: [sample] })
    }
  }
  return [...groups]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([, group]) => ({ key: group.key, ...foldedJson(run(group.samples, scope.period)) }))
}

/** Each window in which something happened, cut to the period. */
function windowsOf(scope: Scope, samples: readonly Sample[], run: Run): { fromMs: number; folded: Folded }[] {
  const { window, period, timeZone } = scope
  if (window === undefined) throw new RatingError('window must be given')
  const byWindow = new Map<number, { period: Period; samples: Sample[] }>()
  for (const sample of samples) {
    if (sample.timeMs < period.fromMs) continue
    const whole = windowOf(sample.timeMs, window, timeZone)
    const existing = byWindow.get(whole.fromMs)
    if (existing !== undefined) existing.samples.push(sample)
    else byWindow.set(whole.fromMs, { period: cut(whole, period), samples: [sample] })
  }
  return [...byWindow]
    .sort(([left], [right]) => left - right)
    .map(([fromMs, part]) => ({ fromMs, folded: run(part.samples, part.period) }))
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

import { localDayNumber, type Period } from '../calendar.ts'
import { choiceAt, decimalAt, type Fields, has, RatingError } from '../rating/fields.ts'
import { add, compare, multiply, type Rational, rational, ZERO } from '../rational.ts'
import { type Sample, textAt } from './sample.ts'

/** What a fold came to; `exact` where a decimal may not say it, `levelAtEnd` for gauges. */
export type Folded = {
  readonly value: Rational | undefined
  readonly weighted: boolean
  readonly levelAtEnd?: Rational
}

/** Turns samples in order into one value over a period. Samples before the period carry over. */
export type Fold = (
  samples: readonly Sample[],
  period: Period,
  parameters: Fields,
  field: string | undefined,
) => Folded

const HOUR_MS = 3_600_000n

export const count: Fold = (samples) => plain(rational(BigInt(samples.length)))

export const sum: Fold = (samples, _period, parameters) =>
  plain(
    samples.reduce(
      (total, sample) => add(total, sample.value ?? ZERO),
      decimalAt(parameters, 'initial_value', ZERO),
    ),
  )

export const max: Fold = (samples) =>
  plain(
    samples.reduce<Rational | undefined>((most, { value }) => {
      if (value === undefined) return most
      return most === undefined || compare(value, most) > 0 ? value : most
    }, undefined),
  )

export const latest: Fold = (samples) => plain(samples.at(-1)?.value)

/** Distinct values; with an operation field, the ones that were added and not removed since. */
export const uniqueCount: Fold = (samples, _period, parameters, field) => {
  if (field === undefined) throw new RatingError('unique_count needs a field')
  const operationField = has(parameters, 'operation_field')
    ? String(parameters['operation_field'])
    : undefined
  const present = new Set<string>()
  for (const { properties } of samples) {
    const removes = operationField !== undefined && textAt(properties, operationField) === 'remove'
    if (removes) present.delete(textAt(properties, field))
    else present.add(textAt(properties, field))
  }
  return plain(rational(BigInt(present.size)))
}

/** Events change a level; the value is its average over the period, by time. */
export const weightedSum: Fold = (samples, period, parameters) => {
  const { area, level } = integrate(samples, period, parameters, 'delta')
  return {
    value: rational(area.n, area.d * BigInt(period.toMs - period.fromMs)),
    weighted: true,
    levelAtEnd: level,
  }
}

/**
 * Each value by the share of the period's days that were left when it came, its own day included. What
 * carries over from before counts in full. Days are the time zone's dates.
 */
export const proratedSum: Fold = (samples, period, parameters) => {
  const timeZone = has(parameters, 'timezone') ? String(parameters['timezone']) : 'UTC'
  const lastDay = localDayNumber(period.toMs - 1, timeZone)
  const days = lastDay - localDayNumber(period.fromMs, timeZone) + 1
  const value = samples.reduce(
    (total, sample) => {
      const left = lastDay - localDayNumber(Math.max(sample.timeMs, period.fromMs), timeZone) + 1
      return add(total, multiply(sample.value ?? ZERO, rational(BigInt(left), BigInt(days))))
    },
    decimalAt(parameters, 'initial_value', ZERO),
  )
  return { value, weighted: true }
}

/** The level times the hours it held. Events state the level, or change it in the mode `delta`. */
export const levelHours: Fold = (samples, period, parameters) => {
  const mode = choiceAt(parameters, 'mode', ['level', 'delta'], 'delta')
  const { area, level } = integrate(samples, period, parameters, mode)
  return { value: rational(area.n, area.d * HOUR_MS), weighted: true, levelAtEnd: level }
}

/** The area below the level over the period, in level times milliseconds. */
function integrate(
  samples: readonly Sample[],
  period: Period,
  parameters: Fields,
  mode: 'level' | 'delta',
): { area: Rational; level: Rational } {
  const floor = parameters['floor_at_zero'] === true
  let level = decimalAt(parameters, 'initial_value', ZERO)
  let area = ZERO
  let sinceMs = period.fromMs
  for (const { timeMs, value } of samples) {
    const atMs = Math.max(timeMs, period.fromMs)
    area = add(area, rational(level.n * BigInt(atMs - sinceMs), level.d))
    sinceMs = atMs
    level = mode === 'level' ? (value ?? ZERO) : add(level, value ?? ZERO)
    if (floor && level.n < 0n) level = ZERO
  }
  return { area: add(area, rational(level.n * BigInt(period.toMs - sinceMs), level.d)), level }
}

function plain(value: Rational | undefined): Folded {
  return { value, weighted: false }
}

import { choiceAt, type Fields, RatingError, wholeAt } from './fields.ts'

const DAY_MS = 24 * 3_600_000
const MOST_PERIODS = 1_200

/**
 * The dates of successive billing periods.
 *
 * Anniversary periods count from the anchor itself, cut to the month's end: 31 January, 29 February,
 * 31 March, never drifting to the 29th. Calendar periods end with the month or year. Dates are the
 * time zone's own, so the zone changes none of them.
 */
export function rateBillingPeriods(parameters: Fields, usage: Fields): Record<string, unknown> {
  const anchor = /^(\d{4})-(\d{2})-(\d{2})$/.exec(String(parameters['anchor']))
  if (anchor === null) throw new RatingError('anchor must be a date')
  const [year, month, day] = [Number(anchor[1]), Number(anchor[2]), Number(anchor[3])]
  const months = choiceAt(parameters, 'interval', ['month', 'year']) === 'year' ? 12 : 1
  const mode = choiceAt(parameters, 'mode', ['anniversary', 'calendar'], 'anniversary')
  const count = Number(wholeAt(usage, 'count'))
  if (count < 0 || count > MOST_PERIODS) throw new RatingError(`count must be between 0 and ${MOST_PERIODS}`)
  const startOf = (index: number): number => {
    if (mode === 'anniversary') return clamped(year, month - 1 + index * months, day)
    if (index === 0) return Date.UTC(year, month - 1, day)
    const first = months === 12 ? Date.UTC(year, 0, 1) : Date.UTC(year, month - 1, 1)
    const date = new Date(first)
    return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + index * months, 1)
  }
  return {
    periods: Array.from({ length: count }, (_, index) => ({
      from: dateText(startOf(index)),
      to_inclusive: dateText(startOf(index + 1) - DAY_MS),
    })),
  }
}

function clamped(year: number, monthIndex: number, day: number): number {
  const lastDay = new Date(Date.UTC(year, monthIndex + 1, 0)).getUTCDate()
  return Date.UTC(year, monthIndex, Math.min(day, lastDay))
}

function dateText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

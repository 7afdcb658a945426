import { instantOf, localTime, type Period, startOfDay } from './calendar.ts'

export const CYCLE_MODES = ['calendar', 'anniversary'] as const
export const CYCLE_INTERVALS = ['month', 'year'] as const

/** When a subscription's periods begin. */
export type Cycle = {
  /** With the calendar's months or years, or with the anniversaries of the anchor. */
  readonly mode: (typeof CYCLE_MODES)[number]
  readonly interval: (typeof CYCLE_INTERVALS)[number]
  readonly timeZone: string
  readonly anchorMs: number
}

/**
 * The whole period of a cycle that contains an instant.
 *
 * Anniversaries count from the anchor itself, cut to the month's end, at the anchor's time of day on the
 * zone's clocks: 31 January, 29 February, 31 March. Each period begins where the one before it ends.
 */
export function wholePeriodAt(cycle: Cycle, atMs: number): Period {
  const begins = cycle.mode === 'calendar' ? calendarBegins(cycle) : anniversaries(cycle)
  const local = localTime(atMs, cycle.timeZone)
  const since = localTime(cycle.anchorMs, cycle.timeZone)
  const years = local.year - since.year
  let index = cycle.interval === 'year' ? years : years * 12 + local.month - since.month
  while (begins(index) > atMs) index -= 1
  while (begins(index + 1) <= atMs) index += 1
  return { fromMs: begins(index), toMs: begins(index + 1) }
}

export function sameCycle(left: Cycle, right: Cycle): boolean {
  return (
    left.mode === right.mode &&
    left.interval === right.interval &&
    left.timeZone === right.timeZone &&
    (left.mode === 'calendar' || left.anchorMs === right.anchorMs)
  )
}

function calendarBegins({ interval, timeZone, anchorMs }: Cycle): (index: number) => number {
  const { year, month } = localTime(anchorMs, timeZone)
  return (index) =>
    interval === 'year'
      ? startOfDay(year + index, 1, 1, timeZone)
      : startOfDay(year, month + index, 1, timeZone)
}

function anniversaries({ interval, timeZone, anchorMs }: Cycle): (index: number) => number {
  const { year, month, day, hour, minute, second } = localTime(anchorMs, timeZone)
  const timeMs = ((hour * 60 + minute) * 60 + second) * 1000 + (((anchorMs % 1000) + 1000) % 1000)
  const months = interval === 'year' ? 12 : 1
  return (index) => {
    // The anchor itself, also where its time of day comes twice.
    if (index === 0) return anchorMs
    const first = new Date(Date.UTC(year, month - 1 + index * months, 1))
    const target = { year: first.getUTCFullYear(), month: first.getUTCMonth() + 1 }
    const lastDay = new Date(Date.UTC(target.year, target.month, 0)).getUTCDate()
    return instantOf({ ...target, day: Math.min(day, lastDay) }, timeMs, timeZone)
  }
}

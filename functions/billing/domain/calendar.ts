/** Half-open: `fromMs` belongs to it, `toMs` does not. Milliseconds since the Unix epoch, UTC. */
export type Period = { readonly fromMs: number; readonly toMs: number }

export const WINDOWS = ['minute', 'hour', 'day', 'month'] as const
export type Window = (typeof WINDOWS)[number]

/** What a clock and a calendar on the wall show. */
export type LocalTime = {
  year: number
  /** 1 to 12. */
  month: number
  day: number
  hour: number
  minute: number
  second: number
}

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

const formatters = new Map<string, Intl.DateTimeFormat>()

/** Whether the runtime knows this IANA time zone. */
export function isTimeZone(name: string): boolean {
  try {
    formatterOf(name)
    return true
  } catch {
    return false
  }
}

/** The calendar month of the time zone that contains the instant. */
export function monthOf(instantMs: number, timeZone: string): Period {
  return windowOf(instantMs, 'month', timeZone)
}

/**
 * The window of the time zone that contains the instant.
 *
 * Days and months are those of the zone's calendar, so a day has 23 or 25 hours when the clocks
 * change. Hours and minutes are elapsed time counted from the zone's offset at that instant.
 */
export function windowOf(instantMs: number, window: Window, timeZone: string): Period {
  if (window === 'minute' || window === 'hour') {
    const length = window === 'minute' ? MINUTE_MS : HOUR_MS
    const offset = offsetMs(instantMs, timeZone)
    const fromMs = Math.floor((instantMs + offset) / length) * length - offset
    return { fromMs, toMs: fromMs + length }
  }
  const local = localTime(instantMs, timeZone)
  if (window === 'day') {
    return {
      fromMs: startOfDay(local.year, local.month, local.day, timeZone),
      toMs: startOfDay(local.year, local.month, local.day + 1, timeZone),
    }
  }
  return {
    fromMs: startOfDay(local.year, local.month, 1, timeZone),
    toMs: startOfDay(local.year, local.month + 1, 1, timeZone),
  }
}

/** The first instant of a local date; a day or month beyond the end counts on into the next. */
export function startOfDay(year: number, month: number, day: number, timeZone: string): number {
  return instantOf({ year, month, day }, 0, timeZone)
}

/**
 * The first instant at which clocks show `timeMs` after midnight of a local date. A time that was skipped
 * is the one that the clocks showed instead.
 */
export function instantOf(
  { year, month, day }: Pick<LocalTime, 'year' | 'month' | 'day'>,
  timeMs: number,
  timeZone: string,
): number {
  const asUtc = Date.UTC(year, month - 1, day) + timeMs
  // The offset may differ between the guess and the answer, so both sides of a change are tried.
  const candidates = [offsetMs(asUtc - DAY_MS, timeZone), offsetMs(asUtc + DAY_MS, timeZone)].map(
    (offset) => asUtc - offset,
  )
  const exact = candidates.filter((instant) => instant + offsetMs(instant, timeZone) === asUtc)
  if (exact.length > 0) return Math.min(...exact)
  // Midnight itself was skipped: the day begins where the clocks jumped to.
  return Math.max(...candidates)
}

/** The number of the local date an instant falls on: dates that follow each other differ by one. */
export function localDayNumber(instantMs: number, timeZone: string): number {
  const { year, month, day } = localTime(instantMs, timeZone)
  return Date.UTC(year, month - 1, day) / DAY_MS
}

/** ISO 8601 in UTC, without the milliseconds where there are none. */
export function formatInstant(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z')
}

/** `2026112309`: the UTC hour an instant belongs to, the key of roll-ups. */
export function hourKey(ms: number): string {
  return new Date(ms).toISOString().slice(0, 13).replace(/[-T]/g, '')
}

/** `20261123`: the UTC day an instant belongs to. */
export function dayKey(ms: number): string {
  return hourKey(ms).slice(0, 8)
}

/** Every UTC day that a period touches. */
export function dayKeysOf(period: Period): string[] {
  const days: string[] = []
  for (let ms = Math.floor(period.fromMs / DAY_MS) * DAY_MS; ms < period.toMs; ms += DAY_MS)
    days.push(dayKey(ms))
  return days
}

function offsetMs(instantMs: number, timeZone: string): number {
  if (timeZone === 'UTC') return 0
  const local = localTime(instantMs, timeZone)
  const asUtc = Date.UTC(local.year, local.month - 1, local.day, local.hour, local.minute, local.second)
  return asUtc - Math.floor(instantMs / 1000) * 1000
}

/** What the clocks of a time zone show at an instant, to the second. */
export function localTime(instantMs: number, timeZone: string): LocalTime {
  const parts: Record<string, number> = {}
  for (const part of formatterOf(timeZone).formatToParts(instantMs)) parts[part.type] = Number(part.value)
  return {
    year: parts['year'] ?? 0,
    month: parts['month'] ?? 0,
    day: parts['day'] ?? 0,
    hour: parts['hour'] ?? 0,
    minute: parts['minute'] ?? 0,
    second: parts['second'] ?? 0,
  }
}

function formatterOf(timeZone: string): Intl.DateTimeFormat {
  const existing = formatters.get(timeZone)
  if (existing !== undefined) return existing
  const created = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'iso8601',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  formatters.set(timeZone, created)
  return created
}

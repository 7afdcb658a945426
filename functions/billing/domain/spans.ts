import { hourKey, type Period } from './calendar.ts'

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS

/** A UTC hour, or the part of one that lies in a window. */
export type Span = { readonly hour: string; readonly whole: boolean; readonly period: Period }

/** Cuts a period at every full UTC hour. */
export function hourSpans(period: Period): Span[] {
  const spans: Span[] = []
  for (let fromMs = period.fromMs; fromMs < period.toMs; ) {
    const hour = hourOf(fromMs)
    const toMs = Math.min(hour.toMs, period.toMs)
    spans.push({
      hour: hourKey(fromMs),
      whole: fromMs === hour.fromMs && toMs === hour.toMs,
      period: { fromMs, toMs },
    })
    fromMs = toMs
  }
  return spans
}

/** The UTC hour of an instant. */
export function hourOf(ms: number): Period {
  const fromMs = Math.floor(ms / HOUR_MS) * HOUR_MS
  return { fromMs, toMs: fromMs + HOUR_MS }
}

/** The UTC hour named `yyyymmddHH`. */
export function periodOfHour(hour: string): Period {
  const [year, month, day, at] = [hour.slice(0, 4), hour.slice(4, 6), hour.slice(6, 8), hour.slice(8, 10)]
  return hourOf(Date.parse(`${year}-${month}-${day}T${at}:00:00Z`))
}

/** When the UTC day named `yyyymmdd` begins. */
export function startOfUtcDay(day: string): number {
  return periodOfHour(`${day}00`).fromMs
}

export function overlaps(left: Period, right: Period): boolean {
  return left.fromMs < right.toMs && right.fromMs < left.toMs
}

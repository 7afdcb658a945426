import { hourKey, type Period } from './calendar.ts'
import { hourSpans } from './spans.ts'

const HOUR_MS = 3_600_000
/** Usage of an hour may still be on its way for a while after it. */
const SETTLING_MS = 5 * 60_000

/** The end of the last hour of the period after which enough time has passed for its usage to come. */
export function exactThroughMs(period: Period, nowMs: number): number {
  const settled = Math.floor((nowMs - SETTLING_MS) / HOUR_MS) * HOUR_MS
  return Math.max(period.fromMs, Math.min(period.toMs, settled))
}

/**
 * Until when an answer is final but for late events: the end of the last hour of the period that is rolled
 * up with every batch there is, as all before it are, and that is settled.
 *
 * `received` and `rolledUp` count batches by UTC hour; an hour in which nothing came has none.
 */
export function rolledUpThroughMs(
  period: Period,
  nowMs: number,
  received: (hour: string) => number,
  rolledUp: (hour: string) => number,
): number {
  const settledMs = exactThroughMs(period, nowMs)
  for (const { period: span } of hourSpans({ fromMs: period.fromMs, toMs: settledMs })) {
    const hour = hourKey(span.fromMs)
    if (received(hour) !== rolledUp(hour)) return span.fromMs
  }
  return settledMs
}

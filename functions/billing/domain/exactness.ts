const HOUR_MS = 3_600_000
/** Usage of an hour may still be on its way for a while after it. */
const SETTLING_MS = 5 * 60_000

/** Until when an answer is final but for late events: the end of the last settled hour of the period. */
export function exactThroughMs(period: { fromMs: number; toMs: number }, nowMs: number): number {
  const settled = Math.floor((nowMs - SETTLING_MS) / HOUR_MS) * HOUR_MS
  return Math.max(period.fromMs, Math.min(period.toMs, settled))
}

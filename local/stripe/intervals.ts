export const DAY_SECONDS = 86_400

/** A month later is the same day, or the last one of a shorter month. */
export function addInterval(seconds: number, interval: string, count: number): number {
  if (interval === 'day') return seconds + count * DAY_SECONDS
  if (interval === 'week') return seconds + count * 7 * DAY_SECONDS
  const date = new Date(seconds * 1000)
  const day = date.getUTCDate()
  date.setUTCDate(1)
  date.setUTCMonth(date.getUTCMonth() + (interval === 'year' ? 12 : 1) * count)
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
  date.setUTCDate(Math.min(day, last))
  return Math.floor(date.getTime() / 1000)
}

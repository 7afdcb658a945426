const FIRST_MS = 5_000
const LONGEST_MS = 300_000

/**
 * How long to wait before try number `attempt + 1`: doubling from 5 s to 5 min, of which a random half.
 *
 * `chance` in [0, 1) spreads tenants that failed together; half of the delay is kept so that a try
 * never follows at once. A server's own Retry-After (`atLeastMs`) is honoured up to an hour.
 */
export function backoffMs(attempt: number, chance: number, atLeastMs = 0): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(Math.max(attempt - 1, 0), 16))
  const delay = Math.round(ceiling / 2 + (ceiling / 2) * chance)
  return Math.max(delay, Math.min(atLeastMs, 3_600_000))
}

/** Wrong proofs for one credential from one address, as one instance counts them. */
export type Failures = {
  readonly count: number
  /** When the first of them came, in milliseconds. */
  readonly sinceMs: number
  /** Until when wrong proofs are turned away unseen; 0 when they are not. */
  readonly lockedUntilMs: number
  /** How often it came to that in a row: each lasts twice as long as the one before. */
  readonly locks: number
}

/** So many wrong proofs within a minute, as a wrongly set up fleet may send, are looked at one by one. */
export const FREE_FAILURES = 10
const WINDOW_MS = 60_000
const FIRST_LOCK_MS = 60_000
const LONGEST_LOCK_MS = 900_000
/** Who was quiet for so long begins anew. */
const FORGOTTEN_AFTER_MS = 3_600_000

/** What one more wrong proof comes to. */
export function afterFailure(known: Failures | undefined, nowMs: number): Failures {
  const forgotten = known === undefined || nowMs - known.sinceMs >= FORGOTTEN_AFTER_MS
  const before = forgotten ? { count: 0, sinceMs: nowMs, lockedUntilMs: 0, locks: 0 } : known
  if (isLocked(before, nowMs)) return { ...before, count: before.count + 1 }
  const windowOver = nowMs - before.sinceMs >= WINDOW_MS
  const count = windowOver ? 1 : before.count + 1
  const sinceMs = windowOver ? nowMs : before.sinceMs
  if (count < FREE_FAILURES) return { ...before, count, sinceMs, lockedUntilMs: 0 }
  const lockedForMs = Math.min(FIRST_LOCK_MS * 2 ** before.locks, LONGEST_LOCK_MS)
  return { count, sinceMs, lockedUntilMs: nowMs + lockedForMs, locks: before.locks + 1 }
}

export function isLocked(failures: Failures | undefined, nowMs: number): boolean {
  return failures !== undefined && nowMs < failures.lockedUntilMs
}

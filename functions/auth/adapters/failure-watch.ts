import { afterFailure, type Failures, isLocked } from '../domain/lockout.ts'
import { placeOf } from '../domain/place.ts'
import type { Attempt, FailureWatch } from '../ports/failures.ts'

const MOST_KEPT = 10_000

/** Counts wrong proofs in this process. */
export function failureWatch(): FailureWatch {
  const kept = new Map<string, Failures>()
  const keyOf = ({ clientId, address }: Attempt): string => `${clientId} ${placeOf(address)}`
  return {
    lockedUntilMs: (attempt, nowMs) => {
      const failures = kept.get(keyOf(attempt))
      return isLocked(failures, nowMs) ? (failures?.lockedUntilMs ?? 0) : 0
    },
    failed: (attempt, nowMs) => {
      const key = keyOf(attempt)
      const before = kept.get(key)
      const failures = afterFailure(before, nowMs)
      // The one that was quiet for longest is forgotten first.
      kept.delete(key)
      kept.set(key, failures)
      const oldest = kept.size > MOST_KEPT ? kept.keys().next().value : undefined
      if (oldest !== undefined) kept.delete(oldest)
      const { tenantId } = attempt
      const locks = failures.locks > (before?.locks ?? 0) && isLocked(failures, nowMs)
      if (tenantId === undefined || !locks) return undefined
      return { tenantId, clientId: attempt.clientId, place: placeOf(attempt.address), failures, nowMs }
    },
    proven: (attempt) => void kept.delete(keyOf(attempt)),
  }
}

import { DependencyFailed } from '../deadline.ts'
import { PROOF_LIFE_SECONDS, PROOF_SKEW_SECONDS } from './dpop-proof.ts'

/** Which proofs this process has seen. */
export type ProofMemory = {
  /** True the first time. Throws when there are more than can be remembered: then nobody can tell. */
  isFirstUse(id: string, nowMs: number): boolean
}

/** A proof that is older than this is refused for its age. */
const KEPT_MS = (PROOF_LIFE_SECONDS + PROOF_SKEW_SECONDS) * 1000

/**
 * Remembers proofs for as long as they could be accepted, in this process alone.
 *
 * Two sets that take turns: one is being filled, the other is what was seen before it. So nothing is
 * sorted, nothing is swept, and a proof is remembered for one to two periods. A clock that is set back
 * forgets nothing.
 */
export function proofMemory(mostIds = 200_000): ProofMemory {
  let current = new Set<string>()
  let previous = new Set<string>()
  let startedMs: number | undefined
  return {
    isFirstUse: (id, nowMs) => {
      startedMs ??= nowMs
      if (nowMs - startedMs >= KEPT_MS) {
        previous = nowMs - startedMs >= 2 * KEPT_MS ? new Set() : current
        current = new Set()
        startedMs = nowMs
      }
      if (current.has(id) || previous.has(id)) return false
      if (current.size >= mostIds) throw new DependencyFailed('too many DPoP proofs to remember')
      current.add(id)
      return true
    },
  }
}

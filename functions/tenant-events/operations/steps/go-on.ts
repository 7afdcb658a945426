import type { Evidence } from '../../domain/operation.ts'
import type { StepOutcome } from '../../domain/step-outcome.ts'

/** A step that has done as much as one try may, and has more to do: it goes on from what its evidence says. */
export function goOnSoon(evidence: Evidence): StepOutcome {
  return { kind: 'waiting', waitingFor: 'storage', again: true, evidence }
}

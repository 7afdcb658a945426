import { guardrailObjects } from '../../domain/tenant-objects.ts'
import { applyObjects, clusterSpecOf } from './apply-objects.ts'
import { nothingToUndo, type Step } from './step.ts'

/** P06: network policies, quotas and limits; they go with the namespace. */
export const applyGuardrails: Step = {
  run: (work) => applyObjects(work, guardrailObjects(clusterSpecOf(work))),
  undo: nothingToUndo,
}

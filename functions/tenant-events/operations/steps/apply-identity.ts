import { identityObjects } from '../../domain/kubernetes-objects.ts'
import { applyObjects, clusterSpecOf } from './apply-objects.ts'
import { nothingToUndo, type Step } from './step.ts'

/** P07: service accounts and their role; they go with the namespace. The IAM binding is not made yet. */
export const applyIdentity: Step = {
  run: (work) => applyObjects(work, identityObjects(clusterSpecOf(work))),
  undo: nothingToUndo,
}

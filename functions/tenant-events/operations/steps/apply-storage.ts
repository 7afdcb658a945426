import { claimObject } from '../../domain/kubernetes-workloads.ts'
import { applyObjects, clusterSpecOf, kindOf } from './apply-objects.ts'
import { nothingToUndo, type Step } from './step.ts'

/**
 * P08: the claim to the tenant's volume. Pending is fine, it is bound when the first pod wants it; it
 * goes with the namespace. A claim that is on its way out accepts an apply and goes all the same.
 */
export const applyStorage: Step = {
  run: async (work) => {
    const wanted = claimObject(clusterSpecOf(work))
    const found = await work.cluster.find(kindOf(wanted), wanted.metadata.name, work.signal)
    if (!found.ok) return { kind: 'failed', failure: found.failure }
    if (found.value?.terminating === true) return { kind: 'waiting', waitingFor: 'volume' }
    return applyObjects(work, [wanted])
  },
  undo: nothingToUndo,
}

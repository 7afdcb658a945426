import { namespaceOf } from '#shared/contracts/events/tenant-fact.ts'
import { computeQuota } from '../../domain/kubernetes-objects.ts'
import { applyObjects, clusterSpecOf } from './apply-objects.ts'
import { isNamespaceOf, NAMESPACE } from './delete-namespace.ts'
import { withdrawRelease } from './release-workloads.ts'
import { nothingToUndo, type Step } from './step.ts'
import { stopPods } from './stop-pods.ts'

/**
 * G02: nothing of the tenant runs any more. No pod may start, Flux lets go, and every pod is ended, the
 * platform's own too. A namespace that is gone, on its way out or not ours has nothing to stop.
 */
export const removeWorkloads: Step = {
  run: async (work) => {
    const found = await work.cluster.find(NAMESPACE, namespaceOf(work.tenant.tenantId), work.signal)
    if (!found.ok) return { kind: 'failed', failure: found.failure }
    const live = found.value
    if (live === undefined || live.terminating || !isNamespaceOf(live, work.tenant)) {
      return { kind: 'done', evidence: { pods: '0' } }
    }
    const spec = clusterSpecOf(work, { suspended: true })
    const frozen = await applyObjects(work, [computeQuota(spec)])
    if (frozen.kind !== 'done') return frozen
    const withdrawn = await withdrawRelease(work, spec)
    if (withdrawn.kind !== 'done') return withdrawn
    return stopPods(work, 1)
  },
  undo: nothingToUndo,
}

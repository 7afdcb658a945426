import { asRecord } from '#shared/json.ts'
import type { ClusterSpec } from '../../domain/kubernetes-objects.ts'
import { releaseObject } from '../../domain/kubernetes-workloads.ts'
import type { StepOutcome } from '../../domain/saga.ts'
import { workloadObjects } from '../../domain/tenant-objects.ts'
import { applyObjects, clusterSpecOf, deleteObject, kindOf } from './apply-objects.ts'
import type { Step, StepWork } from './step.ts'

/** P10: Flux runs the tenant's workloads from here on. Undone: Flux lets go of them, and they go with the namespace. */
export const releaseWorkloads: Step = {
  run: (work) => applyObjects(work, workloadObjects(clusterSpecOf(work))),
  undo: (work) => withdrawRelease(work, clusterSpecOf(work, { suspended: true })),
}

/**
 * Takes the workloads out of Flux's hands: suspended first, so that deleting the object neither uninstalls
 * anything behind our back nor waits for a Flux that is unwell; then deleted.
 */
export async function withdrawRelease(work: StepWork, spec: ClusterSpec): Promise<StepOutcome> {
  const release = releaseObject(spec, false)
  const { name } = release.metadata
  const found = await work.cluster.find(kindOf(release), name, work.signal)
  if (!found.ok) return { kind: 'failed', failure: found.failure }
  if (found.value === undefined) return { kind: 'done' }
  if (!found.value.terminating && asRecord(found.value.body['spec'])?.['suspend'] !== true) {
    const held = await work.cluster.apply(release, work.signal)
    if (!held.ok) return { kind: 'failed', failure: held.failure }
  }
  const deleted = await deleteObject(work, kindOf(release), name)
  if (!deleted.ok) return { kind: 'failed', failure: deleted.failure }
  return deleted.value === 'gone' ? { kind: 'done' } : { kind: 'waiting', waitingFor: 'cluster' }
}

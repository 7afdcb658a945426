import { asRecord } from '#shared/json.ts'
import type { ClusterObject } from '../../domain/kubernetes-objects.ts'
import { claimObject } from '../../domain/kubernetes-workloads.ts'
import type { StepOutcome } from '../../domain/saga.ts'
import { decideClaim } from '../../domain/storage.ts'
import { applyObjects, clusterSpecOf, deleteObject, kindOf } from './apply-objects.ts'
import { nothingToUndo, type Step, type StepWork } from './step.ts'

/**
 * P08 and U04: the volume of the tenant, at least as large as its tier's. It goes with the namespace.
 *
 * A claim never shrinks, so after a change to a smaller tier the larger one stays. One that no pod has
 * used yet cannot grow either: it holds nothing, and is made anew.
 */
export const applyStorage: Step = { run: growClaim, undo: nothingToUndo }

async function growClaim(work: StepWork): Promise<StepOutcome> {
  const wanted = claimObject(clusterSpecOf(work))
  const { name } = wanted.metadata
  const found = await work.cluster.find(kindOf(wanted), name, work.signal)
  if (!found.ok) return { kind: 'failed', failure: found.failure }
  if (found.value?.terminating === true) return { kind: 'waiting', waitingFor: 'volume' }
  const decision = decideClaim(found.value?.body, wanted)
  if (decision === 'keep') return { kind: 'done', evidence: { size: sizeOf(found.value?.body) } }
  if (decision === 'replace') {
    const deleted = await deleteObject(work, kindOf(wanted), name)
    if (!deleted.ok) return { kind: 'failed', failure: deleted.failure }
    if (deleted.value === 'going') return { kind: 'waiting', waitingFor: 'volume' }
  }
  const applied = await applyObjects(work, [wanted])
  if (applied.kind !== 'done') return applied
  return { ...applied, evidence: { ...applied.evidence, size: sizeOf(wanted) } }
}

function sizeOf(claim: ClusterObject | Readonly<Record<string, unknown>> | undefined): string {
  const resources = asRecord(asRecord(claim?.['spec'])?.['resources'])
  return String(asRecord(resources?.['requests'])?.['storage'] ?? '')
}

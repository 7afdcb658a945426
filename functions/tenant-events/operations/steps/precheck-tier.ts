import { claimObject } from '../../domain/kubernetes-workloads.ts'
import { moveVolume, volumeOf } from '../../domain/volume.ts'
import { clusterSpecOf, kindOf } from './apply-objects.ts'
import { TOO_FULL } from './fit-storage.ts'
import { nothingToUndo, type Step } from './step.ts'

/** U01: looks whether the tenant fits the tier before anything is charged, frozen or changed for it. */
export const precheckTier: Step = {
  run: async (work) => {
    const { tier } = work.operation.desired
    const claim = claimObject(clusterSpecOf(work, { tier }))
    const found = await work.cluster.find(kindOf(claim), claim.metadata.name, work.signal)
    if (!found.ok) return { kind: 'failed', failure: found.failure }
    if (found.value === undefined) return { kind: 'done', evidence: { volume: 'none' } }
    const move = moveVolume(volumeOf(found.value.body), tier)
    if (move === 'too-full') return { kind: 'failed', failure: TOO_FULL }
    return { kind: 'done', evidence: { volume: move } }
  },
  undo: nothingToUndo,
}

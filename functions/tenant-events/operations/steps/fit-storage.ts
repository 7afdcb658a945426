import type { Tier } from '#shared/catalogue/tiers.ts'
import type { ClusterObject } from '../../domain/kubernetes-objects.ts'
import { claimObject } from '../../domain/kubernetes-workloads.ts'
import type { Failure } from '../../domain/operation.ts'
import type { StepOutcome } from '../../domain/saga.ts'
import { moveVolume, type Volume, volumeOf } from '../../domain/volume.ts'
import type { LiveObject } from '../../ports/cluster.ts'
import { tierBefore } from './apply-limits.ts'
import { applyObjects, clusterSpecOf, kindOf } from './apply-objects.ts'
import { undoAtHome } from './home.ts'
import type { Step, StepWork } from './step.ts'

/**
 * U04: the volume of the new tier. A volume grows and never shrinks; a claim that nothing has used is made
 * anew, because it can be changed in neither direction.
 *
 * Undone, a volume that has grown keeps its size: nothing can take it back, and nothing is lost by it.
 */
export const fitStorage: Step = {
  run: (work) => resize(work, work.operation.desired.tier, TOO_FULL),
  undo: undoAtHome((work) => resize(work, tierBefore(work))),
}

/** Why a tenant must stay in its tier: what it stores, as far as anybody knows, is more than the other holds. */
export const TOO_FULL: Failure = {
  kind: 'refused',
  code: 'tier.storage_in_use',
  text: 'the volume holds more than the tier stores',
  blocked: true,
}

async function resize(work: StepWork, tier: Tier, tooFull?: Failure): Promise<StepOutcome> {
  const wanted = claimObject(clusterSpecOf(work, { tier }))
  const found = await work.cluster.find(kindOf(wanted), wanted.metadata.name, work.signal)
  if (!found.ok) return { kind: 'failed', failure: found.failure }
  const live = found.value
  if (live === undefined) return applyObjects(work, [wanted])
  if (live.terminating) return { kind: 'waiting', waitingFor: 'volume' }
  const volume = volumeOf(live.body)
  const move = moveVolume(volume, tier)
  if (move === 'replaced') return replace(work, wanted, live, volume)
  if (move === 'too-full' && tooFull !== undefined) return { kind: 'failed', failure: tooFull }
  // A claim larger than the tier's limits is no longer written: the limits would refuse it.
  if (move === 'kept' || move === 'too-full') return { kind: 'done', evidence: { kept: sizeOf(volume) } }
  return applyObjects(work, [{ ...wanted, metadata: { ...wanted.metadata, uid: live.uid } }])
}

/** Only the claim that was looked at is deleted: bound meanwhile, it is another decision. */
async function replace(
  work: StepWork,
  wanted: ClusterObject,
  live: LiveObject,
  volume: Volume,
): Promise<StepOutcome> {
  const kind = kindOf(wanted)
  const { name } = wanted.metadata
  const deleted = await work.cluster.delete(kind, name, live.uid, work.signal, undefined, volume.version)
  if (!deleted.ok) return { kind: 'failed', failure: deleted.failure }
  const left = await work.cluster.find(kind, name, work.signal)
  if (!left.ok) return { kind: 'failed', failure: left.failure }
  if (left.value !== undefined) return { kind: 'waiting', waitingFor: 'volume' }
  return applyObjects(work, [wanted])
}

function sizeOf({ requestedBytes }: Volume): string {
  return `${requestedBytes / 2 ** 30}Gi`
}

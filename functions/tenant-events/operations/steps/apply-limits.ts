import type { Tier } from '#shared/catalogue/tiers.ts'
import { type ClusterObject, namespaceObject, quotaObjects } from '../../domain/kubernetes-objects.ts'
import { configObject } from '../../domain/kubernetes-workloads.ts'
import type { StepOutcome } from '../../domain/saga.ts'
import { workloadObjects } from '../../domain/tenant-objects.ts'
import { applyObjects, clusterSpecOf } from './apply-objects.ts'
import { onlyAtHome, undoAtHome } from './home.ts'
import { tenantConfig } from './seed-config.ts'
import type { Step, StepWork } from './step.ts'

/**
 * U03: everything in the cluster whose content is the tier's: quotas and limits, how far the workloads
 * scale, what they are told, and the namespace's label. Undone, it is what it was.
 */
export const applyLimits: Step = {
  run: onlyAtHome((work) => applyTier(work, work.operation.desired.tier)),
  undo: undoAtHome((work) => applyTier(work, tierBefore(work))),
}

/** The tier that the tenant has while the operation runs, and goes on having if it fails. */
export function tierBefore({ tenant, operation }: StepWork): Tier {
  return tenant.observed.tier ?? operation.from.tier ?? operation.desired.tier
}

async function applyTier(work: StepWork, tier: Tier): Promise<StepOutcome> {
  const objects = await tierObjects(work, tier)
  return 'kind' in objects ? objects : applyObjects(work, objects.wanted)
}

/** The objects whose content depends on the tier, all but the volume. */
export async function tierObjects(
  work: StepWork,
  tier: Tier,
): Promise<{ readonly wanted: readonly ClusterObject[] } | (StepOutcome & { kind: 'failed' })> {
  const config = await tenantConfig(work)
  if (!config.ok) return { kind: 'failed', failure: config.failure }
  const spec = clusterSpecOf(work, { tier })
  const namespace = namespaceObject(spec)
  const { namespaceUid: uid } = work.tenant
  // With its uid: a namespace that was made anew under the name is not the tenant's, and must not be made.
  const pinned = uid === null ? namespace : { ...namespace, metadata: { ...namespace.metadata, uid } }
  return {
    wanted: [pinned, ...quotaObjects(spec), configObject(spec, config.value), ...workloadObjects(spec)],
  }
}

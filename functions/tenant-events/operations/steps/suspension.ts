import { networkPolicies } from '../../domain/kubernetes-network.ts'
import { computeQuota, PLATFORM_CLASS } from '../../domain/kubernetes-objects.ts'
import { releaseObject } from '../../domain/kubernetes-workloads.ts'
import type { StepOutcome } from '../../domain/saga.ts'
import { applying, applyObjects, clusterSpecOf } from './apply-objects.ts'
import { onlyAtHome, stillAtHome, undoAtHome } from './home.ts'
import type { Step, StepWork } from './step.ts'
import { stopPods } from './stop-pods.ts'

/*
 * Each step touches objects of its own and no others: a worker that is late with an earlier step of the
 * same operation, and so of the same spec-rev, cannot open again what a later step has closed.
 */

/** S02: no pod of the tenant may start; those that run go on. */
export const freezePods: Step = applying((spec) => [computeQuota(spec)], true)

/**
 * S03: Flux scales the tenant's workloads down, and its pods are ended: with the time they ask for when
 * the suspension is soft, at once when it is hard. Done when none is left.
 */
export const stopTenantPods: Step = {
  run: stillAtHome((work) => stop(work, work.operation.request.mode === 'hard' ? 1 : undefined)),
  undo: undoAtHome((work) => applyObjects(work, [releaseObject(clusterSpecOf(work))])),
}

/** S04: nothing leaves the tenant's namespace any more. */
export const denyEgress: Step = applying(networkPolicies, true)

/** Resuming, in the reverse order: the ways out. */
export const allowEgress: Step = applying(networkPolicies, false)

/** Resuming: pods may start. */
export const thawPods: Step = applying((spec) => [computeQuota(spec)], false)

/** Resuming: Flux scales the workloads up again. Undone, they are stopped as a hard suspension stops them. */
export const restartWorkloads: Step = {
  run: onlyAtHome((work) => applyObjects(work, [releaseObject(clusterSpecOf(work))])),
  undo: undoAtHome((work) => stop(work, 1)),
}

async function stop(work: StepWork, graceSeconds: number | undefined): Promise<StepOutcome> {
  const applied = await applyObjects(work, [releaseObject(clusterSpecOf(work, { suspended: true }))])
  if (applied.kind !== 'done') return applied
  const stopped = await stopPods(work, graceSeconds, (className) => className !== PLATFORM_CLASS)
  return stopped.kind === 'done'
    ? { ...applied, evidence: { ...applied.evidence, ...stopped.evidence } }
    : stopped
}

import { asRecord } from '#shared/json.ts'
import { computeQuota } from '../../domain/kubernetes-objects.ts'
import { stepOf } from '../../domain/operation.ts'
import { quantityOf } from '../../domain/quantity.ts'
import type { LiveObject } from '../../ports/cluster.ts'
import { tierObjects } from './apply-limits.ts'
import { clusterSpecOf, kindOf, readBack } from './apply-objects.ts'
import { nothingToUndo, type Step } from './step.ts'

/** As long as pods that are no longer wanted may take to go. */
const SETTLE_LIMIT_MS = 15 * 60_000

/**
 * U05: reads everything of the new tier once more, and that what runs is within it.
 *
 * A quota below what is used is accepted and leaves the pods alone, so a smaller tier is reached only when
 * the pods of the larger one are gone. If they do not go in time, the tenant stays in its tier.
 */
export const verifyTier: Step = {
  run: async (work) => {
    const { tier } = work.operation.desired
    const objects = await tierObjects(work, tier)
    if ('kind' in objects) return objects
    const live = await readBack(work, objects.wanted)
    if (!live.ok) return { kind: 'failed', failure: live.failure }
    const quota = computeQuota(clusterSpecOf(work, { tier }))
    const found = await work.cluster.find(kindOf(quota), quota.metadata.name, work.signal)
    if (!found.ok) return { kind: 'failed', failure: found.failure }
    if (found.value === undefined || isWithin(found.value)) return { kind: 'done' }
    const { deadlineMs } = stepOf(work.operation, 'verify-tier').evidence
    if (deadlineMs !== undefined && work.nowMs >= Number(deadlineMs)) {
      const text = 'more runs than the tier allows'
      return { kind: 'failed', failure: { kind: 'refused', code: 'tier.pods_in_use', text, blocked: true } }
    }
    return {
      kind: 'waiting',
      waitingFor: 'cluster',
      evidence: { deadlineMs: deadlineMs ?? `${work.nowMs + SETTLE_LIMIT_MS}` },
    }
  },
  undo: nothingToUndo,
}

/** Whether nothing is used beyond the quota; what nobody has counted yet is not. */
function isWithin({ body }: LiveObject): boolean {
  const hard = asRecord(asRecord(body['spec'])?.['hard']) ?? {}
  const used = asRecord(asRecord(body['status'])?.['used']) ?? {}
  return Object.entries(hard).every(
    ([name, limit]) => (quantityOf(used[name]) ?? 0) <= (quantityOf(limit) ?? Number.POSITIVE_INFINITY),
  )
}

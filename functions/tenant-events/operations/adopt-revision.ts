import { asRecord } from '#shared/json.ts'
import { STALE_REVISION } from '../domain/cluster-failure.ts'
import { revisionIn, SPEC_REVISION } from '../domain/kubernetes-objects.ts'
import type { TenantConfig } from '../domain/kubernetes-workloads.ts'
import type { StepOutcome } from '../domain/saga.ts'
import { tenantObjects } from '../domain/tenant-objects.ts'
import type { ClusterAnswer } from '../ports/cluster.ts'
import { clusterSpecOf, kindOf } from './steps/apply-objects.ts'
import type { StepWork } from './steps/step.ts'

/** Which objects there are does not depend on what the workloads are told. */
const NO_CONFIG: TenantConfig = { cluster: '', region: '', deploymentModel: '', keyName: null, secrets: [] }

/**
 * Leads a step that was refused as stale out of it: the tenant takes a revision above the highest that its
 * objects carry, which is told as drift, and the step is tried again.
 *
 * Whoever holds the lease may do so, for each revision of ours was committed before it was sent: a higher
 * one was written by somebody else, or by us before the documents were restored. An executor that is late
 * finds the same numbers, but what it concludes is never committed: another holds the lease by then.
 */
export async function adoptRevision(work: StepWork, outcome: StepOutcome): Promise<StepOutcome> {
  if (outcome.kind !== 'failed' || outcome.failure.code !== STALE_REVISION) return outcome
  const found = await highestRevision(work)
  if (!found.ok) return { kind: 'failed', failure: found.failure }
  const highest = found.value
  if (highest <= work.tenant.specRevision) return outcome
  work.log.warn('cluster drift taken back', { managers: ['unknown'] })
  return {
    kind: 'waiting',
    waitingFor: 'cluster',
    again: true,
    evidence: { adoptedRevision: `${highest + 1}` },
    facts: ['drift-detected'],
    change: (tenant) => ({ ...tenant, specRevision: Math.max(tenant.specRevision, highest + 1) }),
  }
}

async function highestRevision(work: StepWork): Promise<ClusterAnswer<number>> {
  let highest = 0
  for (const object of tenantObjects(clusterSpecOf(work), NO_CONFIG)) {
    const found = await work.cluster.find(kindOf(object), object.metadata.name, work.signal)
    if (!found.ok) return found
    const annotations = asRecord(asRecord(found.value?.body['metadata'])?.['annotations'])
    highest = Math.max(highest, revisionIn(annotations?.[SPEC_REVISION]) ?? 0)
  }
  return { ok: true, value: highest }
}

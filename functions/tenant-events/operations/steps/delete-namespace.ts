import { namespaceOf } from '#shared/contracts/events/tenant-fact.ts'
import { asRecord } from '#shared/json.ts'
import { MANAGER, MANAGER_LABEL, TENANT_LABEL } from '../../domain/kubernetes-objects.ts'
import type { StepOutcome } from '../../domain/saga.ts'
import type { Tenant } from '../../domain/tenant.ts'
import type { LiveObject } from '../../ports/cluster.ts'
import type { Step, StepWork } from './step.ts'

/** The kind that the namespace of a tenant is of. */
export const NAMESPACE = { apiVersion: 'v1', kind: 'Namespace' } as const

/**
 * Whether a namespace is the tenant's: by our labels, or by the uid that was recorded, should somebody
 * have taken the labels away. Any other is left alone.
 */
export function isNamespaceOf(live: LiveObject, tenant: Tenant): boolean {
  if (live.uid === tenant.namespaceUid) return true
  return live.labels[TENANT_LABEL] === tenant.tenantId && live.labels[MANAGER_LABEL] === MANAGER
}

/**
 * G03, and what taking P05 back comes to: the namespace goes, by its own uid, with everything in it.
 *
 * Gone is what was read to be gone: deletion takes its time and is looked at again until it is. While it
 * lasts, what still holds the namespace is told in the step's evidence.
 */
export const deleteNamespace: Step = {
  run: removeNamespace,
  undo: async () => ({ kind: 'done' }),
}

export async function removeNamespace(work: StepWork): Promise<StepOutcome> {
  const name = namespaceOf(work.tenant.tenantId)
  const found = await work.cluster.find(NAMESPACE, name, work.signal)
  if (!found.ok) return { kind: 'failed', failure: found.failure }
  const live = found.value
  if (live === undefined || !isNamespaceOf(live, work.tenant)) {
    return { kind: 'done', change: (tenant) => ({ ...tenant, namespaceUid: null }) }
  }
  if (!live.terminating) {
    const deleted = await work.cluster.delete(NAMESPACE, name, live.uid, work.signal)
    if (!deleted.ok) return { kind: 'failed', failure: deleted.failure }
  }
  return { kind: 'waiting', waitingFor: 'cluster', evidence: { uid: live.uid, ...heldBy(live) } }
}

/** What the namespace controller says still remains: kinds and finalizers. */
function heldBy(live: LiveObject): { heldBy?: string } {
  const conditions = asRecord(live.body['status'])?.['conditions']
  const remaining = (Array.isArray(conditions) ? conditions : [])
    .map(asRecord)
    .filter((one) => one?.['status'] === 'True')
    .map((one) => String(one?.['message']))
  return remaining.length === 0 ? {} : { heldBy: remaining.join('; ').slice(0, 300) }
}

import { namespaceOf } from '#shared/contracts/events/tenant-fact.ts'
import { MANAGER, MANAGER_LABEL, namespaceObject, TENANT_LABEL } from '../../domain/kubernetes-objects.ts'
import type { Failure } from '../../domain/operation.ts'
import type { StepOutcome } from '../../domain/saga.ts'
import type { Tenant } from '../../domain/tenant.ts'
import type { LiveObject } from '../../ports.ts'
import { clusterSpecOf } from './apply-objects.ts'
import type { Step, StepWork } from './step.ts'

const NAMESPACE = { apiVersion: 'v1', kind: 'Namespace' } as const

/**
 * P05: the tenant's namespace, created or taken up again, and its uid kept.
 *
 * A namespace without our labels is never touched. One that is terminating accepts an apply and
 * disappears all the same, so it is waited for. An existing one is applied with its uid, so that its
 * successor of the same name is not taken for it.
 */
export const applyNamespace: Step = {
  run: async (work) => {
    const found = await work.cluster.find(NAMESPACE, namespaceOf(work.tenant.tenantId), work.signal)
    if (!found.ok) return { kind: 'failed', failure: found.failure }
    const live = found.value
    if (live !== undefined && !isOurs(live, work.tenant)) return foreign(work)
    if (live?.terminating === true) return { kind: 'failed', failure: TERMINATING }
    const wanted = namespaceObject(clusterSpecOf(work))
    const pinned =
      live === undefined ? wanted : { ...wanted, metadata: { ...wanted.metadata, uid: live.uid } }
    const applied = await work.cluster.apply(pinned, work.signal)
    if (!applied.ok) return { kind: 'failed', failure: applied.failure }
    const { object, takenFrom } = applied.value
    if (object.terminating) return { kind: 'failed', failure: TERMINATING }
    if (!isOurs(object, work.tenant)) return foreign(work)
    return {
      kind: 'done',
      evidence: { uid: object.uid },
      change: (tenant) => ({ ...tenant, namespaceUid: object.uid }),
      ...(takenFrom.length === 0 ? {} : { facts: ['drift-detected' as const] }),
    }
  },
  /** Gone is what was read to be gone: deletion takes its time and is asked for again until it is. */
  undo: async (work) => {
    const name = namespaceOf(work.tenant.tenantId)
    const found = await work.cluster.find(NAMESPACE, name, work.signal)
    if (!found.ok) return { kind: 'failed', failure: found.failure }
    const live = found.value
    if (live === undefined || !isOurs(live, work.tenant)) {
      return { kind: 'done', change: (tenant) => ({ ...tenant, namespaceUid: null }) }
    }
    if (!live.terminating) {
      const deleted = await work.cluster.delete(NAMESPACE, name, live.uid, work.signal)
      if (!deleted.ok) return { kind: 'failed', failure: deleted.failure }
    }
    return { kind: 'waiting', waitingFor: 'cluster' }
  },
}

const TERMINATING: Failure = {
  kind: 'wait',
  code: 'cluster.namespace_terminating',
  text: 'the namespace is being deleted',
}

function isOurs(live: LiveObject, tenant: Tenant): boolean {
  return live.labels[TENANT_LABEL] === tenant.tenantId && live.labels[MANAGER_LABEL] === MANAGER
}

function foreign(work: StepWork): StepOutcome {
  work.log.error('namespace is not ours', { namespace: namespaceOf(work.tenant.tenantId) })
  const text = 'a namespace of this name exists and does not carry our labels'
  return { kind: 'failed', failure: { kind: 'refused', code: 'cluster.namespace_foreign', text } }
}

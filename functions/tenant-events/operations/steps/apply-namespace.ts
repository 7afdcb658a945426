import { namespaceOf } from '#shared/contracts/events/tenant-fact.ts'
import { namespaceObject } from '../../domain/kubernetes-objects.ts'
import type { Failure } from '../../domain/operation.ts'
import type { StepOutcome } from '../../domain/saga.ts'
import { clusterSpecOf } from './apply-objects.ts'
import { isNamespaceOf, NAMESPACE, removeNamespace } from './delete-namespace.ts'
import type { Step, StepWork } from './step.ts'

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
    if (live !== undefined && !isNamespaceOf(live, work.tenant)) return foreign(work)
    if (live?.terminating === true) return { kind: 'failed', failure: TERMINATING }
    const wanted = namespaceObject(clusterSpecOf(work))
    const pinned =
      live === undefined ? wanted : { ...wanted, metadata: { ...wanted.metadata, uid: live.uid } }
    const applied = await work.cluster.apply(pinned, work.signal)
    if (!applied.ok) return { kind: 'failed', failure: applied.failure }
    const { object, takenFrom } = applied.value
    if (object.terminating) return { kind: 'failed', failure: TERMINATING }
    if (!isNamespaceOf(object, work.tenant)) return foreign(work)
    return {
      kind: 'done',
      evidence: { uid: object.uid },
      change: (tenant) => ({ ...tenant, namespaceUid: object.uid }),
      ...(takenFrom.length === 0 ? {} : { facts: ['drift-detected' as const] }),
    }
  },
  undo: removeNamespace,
}

const TERMINATING: Failure = {
  kind: 'wait',
  code: 'cluster.namespace_terminating',
  text: 'the namespace is being deleted',
}

function foreign(work: StepWork): StepOutcome {
  work.log.error('namespace is not ours', { namespace: namespaceOf(work.tenant.tenantId) })
  const text = 'a namespace of this name exists and does not carry our labels'
  return { kind: 'failed', failure: { kind: 'refused', code: 'cluster.namespace_foreign', text } }
}

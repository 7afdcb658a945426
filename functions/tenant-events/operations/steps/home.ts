import { namespaceOf } from '#shared/contracts/events/tenant-fact.ts'
import type { Failure } from '../../domain/operation.ts'
import type { ClusterAnswer } from '../../ports/cluster.ts'
import { NAMESPACE } from './delete-namespace.ts'
import type { Step, StepWork } from './step.ts'

/** Somebody deleted the tenant's namespace, with all that was in it. */
export const HOME_MISSING: Failure = {
  kind: 'refused',
  code: 'cluster.namespace_missing',
  text: 'the namespace that the tenant had is gone',
}

/** Whether the tenant's namespace is gone; another one of its name is not the tenant's. */
export async function isHomeGone({ cluster, tenant, signal }: StepWork): Promise<ClusterAnswer<boolean>> {
  const found = await cluster.find(NAMESPACE, namespaceOf(tenant.tenantId), signal)
  if (!found.ok) return found
  const { namespaceUid: uid } = tenant
  return { ok: true, value: found.value === undefined || (uid !== null && found.value.uid !== uid) }
}

/**
 * What stands still where there is no namespace: nothing runs in it, starts in it or leaves it, so a
 * suspension is done, and drift told. A namespace of its name, whoever made it, is no such proof.
 */
export function stillAtHome(run: Step['run']): Step['run'] {
  return async (work) => {
    const { cluster, tenant, signal } = work
    const found = await cluster.find(NAMESPACE, namespaceOf(tenant.tenantId), signal)
    if (!found.ok) return { kind: 'failed', failure: found.failure }
    if (found.value !== undefined) return run(work)
    const told = Object.values(work.operation.steps).some(
      ({ evidence }) => evidence['namespace'] === 'missing',
    )
    return {
      kind: 'done',
      evidence: { namespace: 'missing' },
      ...(told ? {} : { facts: ['drift-detected' as const] }),
    }
  }
}

/** Brings something about in the tenant's namespace; without one it is refused, saying what leads out. */
export function onlyAtHome(run: Step['run']): Step['run'] {
  return async (work) => {
    const gone = await isHomeGone(work)
    if (!gone.ok) return { kind: 'failed', failure: gone.failure }
    return gone.value ? { kind: 'failed', failure: HOME_MISSING } : run(work)
  }
}

/**
 * Undoes what was done in the tenant's namespace. With it went what there was to undo: an operation that
 * insisted would never end, and keep the reconciliation waiting that makes the namespace anew.
 */
export function undoAtHome(undo: Step['undo']): Step['undo'] {
  return async (work) => {
    const gone = await isHomeGone(work)
    if (!gone.ok) return { kind: 'failed', failure: gone.failure }
    return gone.value ? { kind: 'done' } : undo(work)
  }
}

import { digestOf } from '#shared/json.ts'
import { covers } from '../../domain/covers.ts'
import type { ClusterObject, ClusterSpec } from '../../domain/kubernetes-objects.ts'
import type { Failure } from '../../domain/operation.ts'
import type { StepOutcome } from '../../domain/saga.ts'
import type { LiveObject } from '../../ports.ts'
import type { StepWork } from './step.ts'

/** What the operation's cluster objects follow from. */
export function clusterSpecOf({ tenant, operation }: StepWork): ClusterSpec {
  return {
    tenantId: tenant.tenantId,
    tier: operation.desired.tier,
    specRevision: tenant.specRevision,
  }
}

/**
 * Applies objects in their order, then reads them all back and compares.
 *
 * Specs are compared, not versions: the server may touch an object once more on its own.
 */
export async function applyObjects(work: StepWork, objects: readonly ClusterObject[]): Promise<StepOutcome> {
  const takenFrom = new Set<string>()
  for (const object of objects) {
    const applied = await work.cluster.apply(object, work.signal)
    if (!applied.ok) return { kind: 'failed', failure: applied.failure }
    for (const manager of applied.value.takenFrom) takenFrom.add(manager)
  }
  const failure = await readBack(work, objects)
  if (failure !== undefined) return { kind: 'failed', failure }
  if (takenFrom.size > 0) work.log.warn('cluster drift taken back', { managers: [...takenFrom] })
  return {
    kind: 'done',
    evidence: { objects: `${objects.length}`, hash: digestOf(objects) },
    ...(takenFrom.size === 0 ? {} : { facts: ['drift-detected' as const] }),
  }
}

/** One list for each kind; what is missing or differs is a reason to apply again. */
async function readBack(work: StepWork, objects: readonly ClusterObject[]): Promise<Failure | undefined> {
  for (const [key, wanted] of Map.groupBy(objects, (object) => `${object.apiVersion} ${object.kind}`)) {
    const [first] = wanted
    if (first === undefined) continue
    const { apiVersion, kind, metadata } = first
    const { namespace } = metadata
    const listed = await work.cluster.list(
      { apiVersion, kind, ...(namespace === undefined ? {} : { namespace }) },
      work.signal,
    )
    if (!listed.ok) return listed.failure
    const differing = wanted.find((object) => !listed.value.some((live) => shows(live, object)))
    if (differing !== undefined) {
      const text = `${key} ${differing.metadata.name} is not what was applied`
      return { kind: 'transient', code: 'cluster.read_back_differs', text }
    }
  }
  return undefined
}

/** Items of a list do not repeat their kind, and the name is compared beside the rest. */
function shows(live: LiveObject, wanted: ClusterObject): boolean {
  const { apiVersion: _version, kind: _kind, metadata, ...rest } = wanted
  const { name, labels, annotations } = metadata
  return (
    live.name === name &&
    !live.terminating &&
    covers(live.body, { ...rest, metadata: { labels, annotations } })
  )
}

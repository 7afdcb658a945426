import type { Tier } from '#shared/catalogue/tiers.ts'
import { digestOf } from '#shared/json.ts'
import { covers } from '../../domain/covers.ts'
import { type ClusterObject, type ClusterSpec, TENANT_LABEL } from '../../domain/kubernetes-objects.ts'
import type { Failure } from '../../domain/operation.ts'
import type { StepOutcome } from '../../domain/saga.ts'
import type { Tenant } from '../../domain/tenant.ts'
import type { ClusterAnswer, ClusterKind, LiveObject } from '../../ports/cluster.ts'
import { onlyAtHome, stillAtHome, undoAtHome } from './home.ts'
import type { Step, StepWork } from './step.ts'

/**
 * What the operation's cluster objects follow from: the tier it brings about, if it is about a tier, else
 * the one the tenant has. What looks after a tenant leaves one that stands still as it stands.
 */
export function clusterSpecOf(
  { tenant, operation }: StepWork,
  but: { readonly tier?: Tier; readonly suspended?: boolean } = {},
): ClusterSpec {
  const ordered = operation.kind === 'provision' || operation.kind === 'tier-change'
  const tier = ordered ? operation.desired.tier : (tenant.observed.tier ?? operation.desired.tier)
  const still = operation.kind === 'reconcile' && standsStill(tenant)
  return {
    tenantId: tenant.tenantId,
    tier,
    specRevision: tenant.specRevision,
    ...(still ? { suspended: true } : {}),
    ...but,
  }
}

function standsStill({ observed, state }: Tenant): boolean {
  return observed.suspension !== null || state === 'OFFBOARDING' || state === 'GRACE'
}

/** A step that applies objects, those of a suspended tenant or not, and undoes it by applying the others. */
export function applying(
  objectsOf: (spec: ClusterSpec) => readonly ClusterObject[],
  suspended: boolean,
): Step {
  const atHome = suspended ? stillAtHome : onlyAtHome
  return {
    run: atHome((work) => applyObjects(work, objectsOf(clusterSpecOf(work, { suspended })))),
    undo: undoAtHome((work) => applyObjects(work, objectsOf(clusterSpecOf(work, { suspended: !suspended })))),
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
  const live = await readBack(work, objects)
  if (!live.ok) return { kind: 'failed', failure: live.failure }
  if (takenFrom.size > 0) work.log.warn('cluster drift taken back', { managers: [...takenFrom] })
  return {
    kind: 'done',
    evidence: { objects: `${objects.length}`, hash: digestOf(objects) },
    ...(takenFrom.size === 0 ? {} : { facts: ['drift-detected' as const] }),
  }
}

/**
 * One list for each kind; what is missing or differs is a reason to apply again. Answers what is there.
 *
 * `revision` false leaves out which operation wrote them: those that an earlier one wrote are as good.
 */
export async function readBack(
  work: StepWork,
  objects: readonly ClusterObject[],
  { revision = true } = {},
): Promise<ClusterAnswer<readonly LiveObject[]>> {
  const all: LiveObject[] = []
  for (const [key, wanted] of Map.groupBy(objects, (object) => `${object.apiVersion} ${object.kind}`)) {
    const [first] = wanted
    if (first === undefined) continue
    // In a namespace that all tenants' objects are in, those of this one alone.
    const labels = { [TENANT_LABEL]: work.tenant.tenantId }
    const listed = await work.cluster.list({ ...kindOf(first), labels }, work.signal)
    if (!listed.ok) return listed
    const differing = wanted.find((object) => !listed.value.some((live) => shows(live, object, revision)))
    if (differing !== undefined) return { ok: false, failure: differs(key, differing.metadata.name) }
    all.push(...listed.value)
  }
  return { ok: true, value: all }
}

function differs(key: string, name: string): Failure {
  const text = `${key} ${name} is not what was applied`
  return { kind: 'transient', code: 'cluster.read_back_differs', text }
}

/** Where objects like this one are found. */
export function kindOf({ apiVersion, kind, metadata }: ClusterObject): ClusterKind {
  const { namespace } = metadata
  return { apiVersion, kind, ...(namespace === undefined ? {} : { namespace }) }
}

/** Items of a list do not repeat their kind, and the name is compared beside the rest. */
function shows(live: LiveObject, wanted: ClusterObject, revision: boolean): boolean {
  const { apiVersion: _version, kind: _kind, metadata, ...rest } = wanted
  const { name, labels, annotations } = metadata
  return (
    live.name === name &&
    !live.terminating &&
    covers(live.body, { ...rest, metadata: { labels, ...(revision ? { annotations } : {}) } })
  )
}

/** Deletes the object of that name, if it is the tenant's, and tells whether it is gone. */
export async function deleteObject(
  work: StepWork,
  kind: ClusterKind,
  name: string,
): Promise<ClusterAnswer<'gone' | 'going'>> {
  const found = await work.cluster.find(kind, name, work.signal)
  if (!found.ok) return found
  const live = found.value
  // What does not carry the tenant's label is not ours to delete, whatever its name.
  if (live === undefined || live.labels[TENANT_LABEL] !== work.tenant.tenantId) return GONE
  if (!live.terminating) {
    const deleted = await work.cluster.delete(kind, name, live.uid, work.signal)
    if (!deleted.ok) return deleted
  }
  const left = await work.cluster.find(kind, name, work.signal)
  if (!left.ok) return left
  return left.value?.uid === live.uid ? { ok: true, value: 'going' } : GONE
}

const GONE = { ok: true, value: 'gone' } as const

import { namespaceOf } from '#shared/contracts/events/tenant-fact.ts'
import { wouldChange } from '../../domain/drift.ts'
import { type ClusterObject, MANAGER, MANAGER_LABEL, TENANT_LABEL } from '../../domain/kubernetes-objects.ts'
import type { StepOutcome } from '../../domain/step-outcome.ts'
import { tenantObjects } from '../../domain/tenant-objects.ts'
import { moveVolume, volumeOf } from '../../domain/volume.ts'
import type { ClusterAnswer, ClusterKind, LiveObject } from '../../ports/cluster.ts'
import { applyObjects, clusterSpecOf, kindOf } from './apply-objects.ts'
import { isNamespaceOf, NAMESPACE } from './delete-namespace.ts'
import { FOREIGN_OBJECT, foreignBeside } from './foreign-objects.ts'
import { tenantConfig } from './seed-config.ts'
import { nothingToUndo, type Step, type StepWork } from './step.ts'

/**
 * Compares everything of the tenant with what a dry run would make of it, and says what differs. Nothing
 * is written; what was found is recorded before anything is put right, so that a crash cannot hide it.
 */
export const detectDrift: Step = {
  run: async (work) => {
    const drift = await findDrift(work)
    if (!drift.ok) return { kind: 'failed', failure: drift.failure }
    const { differing, surplus, managers } = drift.value
    const foreign = await foreignBeside(work)
    if (!foreign.ok) return { kind: 'failed', failure: foreign.failure }
    const names = [...differing.map(nameOf), ...surplus.map(({ kind, live }) => `${kind.kind}/${live.name}`)]
    return {
      kind: 'done',
      evidence: {
        drifted: names.join(', ').slice(0, 300),
        count: `${names.length}`,
        ...(managers.length === 0 ? {} : { managers: managers.join(', ').slice(0, 100) }),
        // Not ours to put right: the step that proves the isolation fails by it, and names it again.
        ...(foreign.value.length === 0
          ? {}
          : { foreign: `${FOREIGN_OBJECT}: ${foreign.value.join(', ')}`.slice(0, 300) }),
      },
      ...(names.length + foreign.value.length === 0 ? {} : { facts: ['drift-detected' as const] }),
    }
  },
  undo: nothingToUndo,
}

/**
 * Puts right what differs now, and writes nothing else. What carries our labels and is not wanted any
 * more is deleted by its uid, but for claims: no tidying up may cost a tenant its data.
 */
export const correctDrift: Step = {
  run: async (work) => {
    const drift = await findDrift(work)
    if (!drift.ok) return { kind: 'failed', failure: drift.failure }
    const { differing, surplus, namespace } = drift.value
    for (const { kind, live } of surplus) {
      const deleted = await work.cluster.delete(kind, live.name, live.uid, work.signal)
      if (!deleted.ok) return { kind: 'failed', failure: deleted.failure }
    }
    const applied = await applyObjects(work, differing)
    // Said when it was found.
    if (applied.kind === 'done') return withNamespace(work, namespace, applied.evidence ?? {})
    return applied
  },
  undo: nothingToUndo,
}

type Drift = {
  readonly differing: readonly ClusterObject[]
  readonly surplus: readonly { readonly kind: ClusterKind; readonly live: LiveObject }[]
  readonly managers: readonly string[]
  /** The namespace as it was found; undefined when it is missing. */
  readonly namespace: LiveObject | undefined
}

async function findDrift(work: StepWork): Promise<ClusterAnswer<Drift>> {
  const home = await homeOf(work)
  if (!home.ok) return home
  const config = await tenantConfig(work)
  if (!config.ok) return config
  const wanted = tenantObjects(clusterSpecOf(work), config.value)
  const differing: ClusterObject[] = []
  const managers = new Set<string>()
  const surplus: { kind: ClusterKind; live: LiveObject }[] = []
  for (const objects of Map.groupBy(wanted, ({ apiVersion, kind }) => `${apiVersion} ${kind}`).values()) {
    const [first] = objects
    if (first === undefined) continue
    const kind = kindOf(first)
    const labels = { [TENANT_LABEL]: work.tenant.tenantId }
    const listed = await work.cluster.list({ ...kind, labels }, work.signal)
    if (!listed.ok) return listed
    for (const object of objects) {
      const live = listed.value.find(({ name }) => name === object.metadata.name)
      const compared = await differs(work, object, live)
      if (!compared.ok) return compared
      if (compared.value === undefined) continue
      differing.push(object)
      for (const manager of compared.value) managers.add(manager)
    }
    const names = new Set(objects.map(({ metadata }) => metadata.name))
    for (const live of listed.value) if (isSurplus(kind, live, names)) surplus.push({ kind, live })
  }
  return { ok: true, value: { differing, surplus, managers: [...managers], namespace: home.value } }
}

/** Whose fields applying would take back; undefined when it would change nothing. */
async function differs(
  work: StepWork,
  object: ClusterObject,
  live: LiveObject | undefined,
): Promise<ClusterAnswer<readonly string[] | undefined>> {
  if (live === undefined) return { ok: true, value: [] }
  // The server refuses to write a claim that is larger than its tier, which is no drift.
  if (object.kind === 'PersistentVolumeClaim') {
    const move = moveVolume(volumeOf(live.body), clusterSpecOf(work).tier)
    if (move === 'kept' || move === 'too-full') return { ok: true, value: undefined }
  }
  const previewed = await work.cluster.preview(object, work.signal)
  if (!previewed.ok) return previewed
  const { takenFrom, object: after } = previewed.value
  const same = takenFrom.length === 0 && !wouldChange(live.body, after.body)
  return { ok: true, value: same ? undefined : takenFrom }
}

function isSurplus(kind: ClusterKind, live: LiveObject, wanted: ReadonlySet<string>): boolean {
  if (wanted.has(live.name) || live.terminating || live.labels[MANAGER_LABEL] !== MANAGER) return false
  return kind.kind !== 'PersistentVolumeClaim' && kind.kind !== NAMESPACE.kind
}

/** The tenant's namespace; one that is on its way out or another's is not to be written to. */
async function homeOf(work: StepWork): Promise<ClusterAnswer<LiveObject | undefined>> {
  const name = namespaceOf(work.tenant.tenantId)
  const found = await work.cluster.find(NAMESPACE, name, work.signal)
  if (!found.ok || found.value === undefined) return found
  if (!isNamespaceOf(found.value, work.tenant)) {
    const text = 'a namespace of this name does not carry our labels'
    return { ok: false, failure: { kind: 'permanent', code: 'cluster.namespace_foreign', text } }
  }
  if (!found.value.terminating) return found
  const text = 'the namespace is being deleted'
  return { ok: false, failure: { kind: 'wait', code: 'cluster.namespace_terminating', text } }
}

/** A namespace that was made anew, by this step or by a restored backup, has another uid. */
async function withNamespace(
  work: StepWork,
  before: LiveObject | undefined,
  evidence: Readonly<Record<string, string>>,
): Promise<StepOutcome> {
  if (before !== undefined && before.uid === work.tenant.namespaceUid) return { kind: 'done', evidence }
  const made = await work.cluster.find(NAMESPACE, namespaceOf(work.tenant.tenantId), work.signal)
  if (!made.ok) return { kind: 'failed', failure: made.failure }
  const uid = made.value?.uid ?? null
  return { kind: 'done', evidence, change: (tenant) => ({ ...tenant, namespaceUid: uid }) }
}

function nameOf({ kind, metadata }: ClusterObject): string {
  return `${kind}/${metadata.name}`
}

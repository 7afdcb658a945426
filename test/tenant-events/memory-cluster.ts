import { asRecord } from '#shared/json.ts'
import { type ClusterObject, SPEC_REVISION } from '../../functions/tenant-events/domain/kubernetes-objects.ts'
import type { Failure } from '../../functions/tenant-events/domain/operation.ts'
import type {
  AccessQuestion,
  Applied,
  Cluster,
  ClusterAnswer,
  LiveObject,
} from '../../functions/tenant-events/ports/cluster.ts'
import { type Objects, pathIn, runControllers, vanish } from './memory-controllers.ts'

export type MemoryCluster = Cluster & {
  /** By `Kind/namespace/name`; the namespace is empty for what is cluster-wide. */
  readonly objects: Objects
  /** Every call, as `verb Kind/name`. */
  readonly calls: string[]
  /** Consulted before each call; a failure is the answer. */
  fail: (call: string) => Failure | undefined
  /** Whether an object that is being deleted is there for longer. */
  lingers: (live: LiveObject) => boolean
  /** Somebody changes an object beside us; a field manager of that name then owns the change. */
  edit(path: string, change: (body: Record<string, unknown>) => void, manager: string): void
  /** Somebody puts an object there beside us. */
  put(object: { kind: string; metadata: { name: string } }, namespace?: string): LiveObject
}

/**
 * An API server in memory, as far as the steps look at one. What takes time to go is gone at the second look,
 * or later if it lingers. Objects are never changed in place; `held` are those it begins with.
 */
export function memoryCluster(held: ReadonlyMap<string, LiveObject> = new Map()): MemoryCluster {
  const objects: Objects = new Map(held)
  const editors = new Map<string, string>()
  const calls: string[] = []
  let uids = Math.max(0, ...[...held.values()].map(({ uid }) => Number(uid.replace('uid-', ''))))
  const store = (path: string, live: Omit<LiveObject, 'uid'>, uid?: string): LiveObject => {
    if (uid === undefined) uids += 1
    const stored = { ...live, uid: uid ?? `uid-${uids}` }
    objects.set(path, stored)
    return stored
  }
  const judge = (object: ClusterObject): ClusterAnswer<{ path: string; old: LiveObject | undefined }> => {
    const path = pathOf(object)
    const old = objects.get(path)
    const failure = refusalOf(objects, object, old)
    return failure === undefined ? { ok: true, value: { path, old } } : { ok: false, failure }
  }
  const merged = (object: ClusterObject, old: LiveObject | undefined): LiveObject => {
    const labels = { ...old?.labels, ...object.metadata.labels }
    const theirs = asRecord(asRecord(old?.body['metadata'])?.['annotations'])
    const annotations = { ...theirs, ...object.metadata.annotations }
    const applied = structuredClone({ ...object, metadata: { ...object.metadata, labels, annotations } })
    const body = { ...applied, ...keptByServer(object, old) }
    const { name } = object.metadata
    return { name, uid: old?.uid ?? '', labels, terminating: old?.terminating ?? false, body }
  }
  const takenFrom = (path: string): string[] => {
    const editor = editors.get(path)
    return editor === undefined ? [] : [editor]
  }
  const cluster: MemoryCluster = {
    objects,
    calls,
    fail: () => undefined,
    lingers: () => false,
    edit: (path, change, manager) => {
      const live = objects.get(path)
      if (live === undefined) throw new Error(`no ${path}`)
      const body = structuredClone(live.body) as Record<string, unknown>
      change(body)
      objects.set(path, { ...live, body })
      editors.set(path, manager)
    },
    put: (object, namespace) => {
      const path = `${object.kind}/${namespace ?? ''}/${object.metadata.name}`
      const labels = asRecord(asRecord(object.metadata)?.['labels']) ?? {}
      return store(path, {
        name: object.metadata.name,
        labels: Object.fromEntries(Object.entries(labels).map(([key, value]) => [key, String(value)])),
        terminating: false,
        body: { ...object },
      })
    },
    apply: async (object) => {
      const failure = noted(`apply ${object.kind}/${object.metadata.name}`)
      if (failure) return { ok: false, failure }
      const judged = judge(object)
      if (!judged.ok) return judged
      const { path, old } = judged.value
      const live = store(path, merged(object, old), old?.uid)
      const applied: Applied = { object: live, takenFrom: takenFrom(path) }
      editors.delete(path)
      runControllers(objects, object.metadata.namespace ?? object.metadata.name, store)
      return { ok: true, value: applied }
    },
    preview: async (object) => {
      const failure = noted(`preview ${object.kind}/${object.metadata.name}`)
      if (failure) return { ok: false, failure }
      const judged = judge(object)
      if (!judged.ok) return judged
      const { path, old } = judged.value
      return { ok: true, value: { object: merged(object, old), takenFrom: takenFrom(path) } }
    },
    find: async (kind, name) => {
      const failure = noted(`find ${kind.kind}/${name}`)
      if (failure) return { ok: false, failure }
      const live = objects.get(pathIn(kind, name))
      if (live?.terminating === true && !cluster.lingers(live)) vanish(objects, pathIn(kind, name), store)
      return { ok: true, value: live }
    },
    list: async (selection) => {
      const failure = noted(`list ${selection.kind}`)
      if (failure) return { ok: false, failure }
      const { kind, labels = {}, namespace } = selection
      const found = [...objects].filter(
        ([path, live]) =>
          path.startsWith(namespace === undefined ? `${kind}/` : `${kind}/${namespace}/`) &&
          Object.entries(labels).every(([key, value]) => live.labels[key] === value),
      )
      for (const [path, live] of found) {
        if (live.terminating && !cluster.lingers(live)) vanish(objects, path, store)
      }
      return { ok: true, value: found.map(([, live]) => ({ ...live, body: asListItem(live.body) })) }
    },
    delete: async (kind, name, uid) => {
      const failure = noted(`delete ${kind.kind}/${name}`)
      if (failure) return { ok: false, failure }
      const path = pathIn(kind, name)
      const live = objects.get(path)
      if (live === undefined) return { ok: true, value: undefined }
      if (live.uid !== uid) {
        return { ok: false, failure: { kind: 'transient', code: 'cluster.conflict', text: 'uid' } }
      }
      // A pod takes its time to end, a namespace to be emptied.
      if (kind.kind === 'Pod' || kind.kind === 'Namespace') objects.set(path, { ...live, terminating: true })
      else objects.delete(path)
      runControllers(objects, kind.namespace ?? name, store)
      return { ok: true, value: undefined }
    },
    review: async (questions) => {
      const failure = noted(`review ${questions.length}`)
      if (failure) return { ok: false, failure }
      return { ok: true, value: questions.map((question) => isAllowed(objects, question)) }
    },
    ping: async () => {},
  }
  const noted = (call: string): Failure | undefined => {
    calls.push(call)
    return cluster.fail(call)
  }
  return cluster
}

function pathOf({ apiVersion, kind, metadata }: ClusterObject): string {
  const { name, namespace } = metadata
  return pathIn({ apiVersion, kind, ...(namespace === undefined ? {} : { namespace }) }, name)
}

/** What is not ours to apply, and stays: what others said of the object, and the volume of a claim. */
function keptByServer(object: ClusterObject, old: LiveObject | undefined): Record<string, unknown> {
  const volumeName = asRecord(old?.body['spec'])?.['volumeName']
  const spec = asRecord(object['spec'])
  return {
    ...(old?.body['status'] === undefined ? {} : { status: old.body['status'] }),
    ...(volumeName === undefined || spec === undefined ? {} : { spec: { ...spec, volumeName } }),
  }
}

/** What the server would not take: another uid, an older state of ours, or no namespace to be in. */
function refusalOf(
  objects: Objects,
  object: ClusterObject,
  old: LiveObject | undefined,
): Failure | undefined {
  const { namespace, uid, annotations } = object.metadata
  if (uid !== undefined && uid !== old?.uid) {
    return { kind: 'transient', code: 'cluster.conflict', text: 'uid' }
  }
  const before = asRecord(asRecord(old?.body['metadata'])?.['annotations'])?.[SPEC_REVISION]
  if (before !== undefined && Number(annotations[SPEC_REVISION]) < Number(before)) {
    return { kind: 'permanent', code: 'cluster.stale_revision', text: 'stale spec-rev' }
  }
  if (namespace === undefined || namespace === 'velero') return undefined
  const home = objects.get(`Namespace//${namespace}`)
  if (home === undefined) return { kind: 'permanent', code: 'cluster.not_found', text: namespace }
  if (!home.terminating || old !== undefined) return undefined
  return { kind: 'wait', code: 'cluster.forbidden', text: 'the namespace is being terminated' }
}

/** What the role of a tenant's workloads grants, once it is bound. */
function isAllowed(objects: Objects, question: AccessQuestion): boolean {
  const { account, verb, group, resource, namespace } = question
  return (
    account.name === 'tenant-workload' &&
    account.namespace === namespace &&
    objects.has(`RoleBinding/${namespace}/tenant-runtime`) &&
    group === '' &&
    ['pods', 'configmaps'].includes(resource) &&
    ['get', 'list', 'watch'].includes(verb)
  )
}

/** As in a real list, whose items do not repeat their kind. */
function asListItem({ apiVersion: _version, kind: _kind, ...body }: LiveObject['body']): LiveObject['body'] {
  return body
}

import type { ClusterObject } from '../../functions/tenant-events/domain/kubernetes-objects.ts'
import type { Failure } from '../../functions/tenant-events/domain/operation.ts'
import type { Cluster, ClusterKind, LiveObject } from '../../functions/tenant-events/ports.ts'

export type MemoryCluster = Cluster & {
  readonly objects: Map<string, LiveObject>
  /** Every call, as `verb Kind/name`. */
  readonly calls: string[]
  /** Consulted before each call; a failure is the answer. */
  fail: (call: string) => Failure | undefined
}

/**
 * An API server in memory, as far as the steps look at one. Deleting takes effect at the second look.
 * `held` are the objects it begins with; they are never changed in place.
 */
export function memoryCluster(held: ReadonlyMap<string, LiveObject> = new Map()): MemoryCluster {
  const objects = new Map(held)
  const calls: string[] = []
  let uids = held.size
  const key = ({ kind, namespace }: ClusterKind, name: string): string => `${kind}/${namespace ?? ''}/${name}`
  const inNamespace = (name: string): string[] =>
    [...objects.keys()].filter((path) => path.split('/')[1] === name)
  const cluster: MemoryCluster = {
    objects,
    calls,
    fail: () => undefined,
    apply: async (object) => {
      const failure = noted(`apply ${object.kind}/${object.metadata.name}`)
      if (failure) return { ok: false, failure }
      const path = key({ ...object, ...namespaceOf(object) }, object.metadata.name)
      const old = objects.get(path)
      if (object.metadata.uid !== undefined && object.metadata.uid !== old?.uid) {
        return { ok: false, failure: { kind: 'transient', code: 'cluster.conflict', text: 'uid' } }
      }
      uids += old === undefined ? 1 : 0
      const live: LiveObject = {
        name: object.metadata.name,
        uid: old?.uid ?? `uid-${uids}`,
        labels: { ...old?.labels, ...object.metadata.labels },
        terminating: old?.terminating ?? false,
        body: structuredClone(object),
      }
      objects.set(path, live)
      return { ok: true, value: { object: live, takenFrom: [] } }
    },
    find: async (kind, name) => {
      const failure = noted(`find ${kind.kind}/${name}`)
      if (failure) return { ok: false, failure }
      const live = objects.get(key(kind, name))
      if (live?.terminating === true) {
        for (const path of [key(kind, name), ...inNamespace(name)]) objects.delete(path)
      }
      return { ok: true, value: live }
    },
    list: async (kind) => {
      const failure = noted(`list ${kind.kind}`)
      if (failure) return { ok: false, failure }
      const found = [...objects].filter(([path]) => path.startsWith(`${kind.kind}/${kind.namespace ?? ''}/`))
      return { ok: true, value: found.map(([, live]) => ({ ...live, body: asListItem(live.body) })) }
    },
    delete: async (kind, name, uid) => {
      const failure = noted(`delete ${kind.kind}/${name}`)
      if (failure) return { ok: false, failure }
      const live = objects.get(key(kind, name))
      if (live !== undefined && live.uid !== uid) {
        return { ok: false, failure: { kind: 'transient', code: 'cluster.conflict', text: 'uid' } }
      }
      if (live !== undefined) objects.set(key(kind, name), { ...live, terminating: true })
      return { ok: true, value: undefined }
    },
    ping: async () => {},
  }
  const noted = (call: string): Failure | undefined => {
    calls.push(call)
    return cluster.fail(call)
  }
  return cluster
}

function namespaceOf(object: ClusterObject): { namespace?: string } {
  const { namespace } = object.metadata
  return namespace === undefined ? {} : { namespace }
}

/** As in a real list, whose items do not repeat their kind. */
function asListItem({ apiVersion: _version, kind: _kind, ...body }: LiveObject['body']): LiveObject['body'] {
  return body
}

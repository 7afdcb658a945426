import type { Journal } from '../journal.ts'
import type { KubeObject } from './json.ts'
import { RESOURCES, type Resource } from './resources.ts'

/** The objects of one cluster, by kind, namespace and name; every write moves the resourceVersion on. */
export type ObjectStore = {
  get(resource: Resource, namespace: string, name: string): KubeObject | undefined
  /** Sorted by namespace and name; all namespaces unless one is given. */
  list(resource: Resource, namespace?: string): KubeObject[]
  /** Stores a copy under a new resourceVersion and returns it. */
  put(resource: Resource, object: KubeObject): KubeObject
  remove(resource: Resource, object: KubeObject): void
  /** Everything inside a namespace. */
  contents(namespace: string): { readonly resource: Resource; readonly object: KubeObject }[]
  revision(): string
  isEmpty(): boolean
  clear(): void
}

const REVISION = '#revision'

/** The objects of a cluster, written through to the journal. */
export function openObjectStore(journal: Journal): ObjectStore {
  let revision = lastRevision(journal)
  const index = openIndex(journal)
  const next = (): string => {
    revision += 1
    return String(revision)
  }
  return {
    get: (resource, namespace, name) =>
      journal.get(keyOf(resource, namespace, name)) as KubeObject | undefined,
    list: (resource, namespace) => sortedByKey(index.of(resource, namespace)),
    put: (resource, object) => {
      const stored = structuredClone(object)
      stored.metadata.resourceVersion = next()
      const key = keyOf(resource, stored.metadata.namespace ?? '', stored.metadata.name)
      journal.set(key, stored)
      index.put(key, stored)
      return stored
    },
    remove: (resource, object) => {
      const key = keyOf(resource, object.metadata.namespace ?? '', object.metadata.name)
      journal.delete(key)
      index.remove(key)
      // A deletion is a revision too, and must not be given out again after a restart.
      journal.set(REVISION, Number(next()))
    },
    contents: (namespace) =>
      [...index.inside(namespace)]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .flatMap(([key, object]) => {
          const resource = RESOURCES.find((one) => key.startsWith(`${one.group}/${one.plural}/`))
          return resource === undefined ? [] : [{ resource, object }]
        }),
    revision: () => String(revision),
    isEmpty: () => journal.entries().next().done === true,
    clear: () => {
      journal.clear()
      index.clear()
    },
  }
}

type Keyed = Map<string, KubeObject>

const keyOf = (resource: Resource, namespace: string, name: string): string =>
  `${resource.group}/${resource.plural}/${namespace}/${name}`

function sortedByKey(objects: Keyed): KubeObject[] {
  return [...objects].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object)
}

/** The same objects by kind and by namespace: quota looks at a namespace on every write. */
function openIndex(journal: Journal) {
  const byKind = new Map<string, Keyed>()
  const byNamespace = new Map<string, Keyed>()
  const places = (key: string): readonly (readonly [Map<string, Keyed>, string])[] => {
    const [group = '', plural = '', namespace = ''] = key.split('/')
    const kind = [byKind, `${group}/${plural}`] as const
    return namespace === '' ? [kind] : [kind, [byNamespace, namespace]]
  }
  const put = (key: string, object: KubeObject): void => {
    for (const [map, name] of places(key)) {
      const objects = map.get(name) ?? new Map<string, KubeObject>()
      map.set(name, objects.set(key, object))
    }
  }
  for (const [key, object] of journal.entries()) if (key !== REVISION) put(key, object as KubeObject)
  return {
    put,
    remove: (key: string): void => {
      for (const [map, name] of places(key)) map.get(name)?.delete(key)
    },
    of: (resource: Resource, namespace?: string): Keyed => {
      const kind = `${resource.group}/${resource.plural}`
      if (namespace === undefined) return byKind.get(kind) ?? new Map()
      const inside = [...(byNamespace.get(namespace) ?? [])]
      return new Map(inside.filter(([key]) => key.startsWith(`${kind}/`)))
    },
    inside: (namespace: string): Keyed => byNamespace.get(namespace) ?? new Map(),
    clear: (): void => {
      byKind.clear()
      byNamespace.clear()
    },
  }
}

function lastRevision(journal: Journal): number {
  let last = 1000
  for (const [key, value] of journal.entries()) {
    const revision = key === REVISION ? value : (value as KubeObject).metadata.resourceVersion
    last = Math.max(last, Number(revision))
  }
  return last
}

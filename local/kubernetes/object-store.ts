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

export function openObjectStore(journal: Journal): ObjectStore {
  let revision = lastRevision(journal)
  const keyOf = (resource: Resource, namespace: string, name: string): string =>
    `${resource.group}/${resource.plural}/${namespace}/${name}`
  const next = (): string => {
    revision += 1
    return String(revision)
  }
  const list = (resource: Resource, namespace?: string): KubeObject[] => {
    const prefix = keyOf(resource, namespace ?? '', '')
    const start = namespace === undefined ? prefix.slice(0, -1) : prefix
    return [...journal.entries()]
      .filter(([key]) => key.startsWith(start))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, value]) => value as KubeObject)
  }
  return {
    get: (resource, namespace, name) =>
      journal.get(keyOf(resource, namespace, name)) as KubeObject | undefined,
    list,
    put: (resource, object) => {
      const stored = structuredClone(object)
      stored.metadata.resourceVersion = next()
      journal.set(keyOf(resource, stored.metadata.namespace ?? '', stored.metadata.name), stored)
      return stored
    },
    remove: (resource, object) => {
      journal.delete(keyOf(resource, object.metadata.namespace ?? '', object.metadata.name))
      // A deletion is a revision too, and must not be given out again after a restart.
      journal.set(REVISION, Number(next()))
    },
    contents: (namespace) =>
      RESOURCES.filter((resource) => resource.namespaced).flatMap((resource) =>
        list(resource, namespace).map((object) => ({ resource, object })),
      ),
    revision: () => String(revision),
    isEmpty: () => journal.entries().next().done === true,
    clear: () => journal.clear(),
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

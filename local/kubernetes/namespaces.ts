import { randomUUID } from 'node:crypto'
import { type KubeObject, textAt, timestamp } from './json.ts'
import type { ObjectStore } from './object-store.ts'
import { refreshQuotas } from './quota.ts'
import { resourceOf } from './resources.ts'

/** Namespaces the server itself needs: it refuses to delete them. */
export const IMMORTAL_NAMESPACES = ['default', 'kube-system', 'kube-public']

/** What the controllers put into every new namespace. */
export function furnishNamespace(store: ObjectStore, namespace: KubeObject, nowMs: number): void {
  const metadata = (name: string): KubeObject['metadata'] => ({
    name,
    namespace: namespace.metadata.name,
    uid: randomUUID(),
    creationTimestamp: timestamp(nowMs),
  })
  store.put(resourceOf('serviceaccounts'), {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: metadata('default'),
  })
  store.put(resourceOf('configmaps'), {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: metadata('kube-root-ca.crt'),
    data: { 'ca.crt': '' },
  })
}

/**
 * One turn of the namespace controller: empties Terminating namespaces, says what remains, and lets
 * an empty one go `terminationMs` after its deletion.
 *
 * It runs before every request instead of in the background, so that nothing happens between two
 * requests that a test did not cause.
 */
export function runNamespaceController(store: ObjectStore, nowMs: number, terminationMs: number): void {
  const namespaces = resourceOf('namespaces')
  for (const namespace of store.list(namespaces)) {
    const { deletionTimestamp, name } = namespace.metadata
    if (deletionTimestamp === undefined) continue
    emptyNamespace(store, name, nowMs)
    const remaining = store.contents(name)
    if (remaining.length === 0) {
      const due = nowMs >= Date.parse(deletionTimestamp) + terminationMs
      if (due && (namespace.metadata.finalizers ?? []).length === 0) store.remove(namespaces, namespace)
      continue
    }
    const conditions = describeRemaining(remaining, nowMs)
    const before = namespace['status']
    if (textAt(before, 'phase') === 'Terminating' && sameConditions(before, conditions)) continue
    store.put(namespaces, { ...namespace, status: { phase: 'Terminating', conditions } })
  }
}

function emptyNamespace(store: ObjectStore, name: string, nowMs: number): void {
  for (const { resource, object } of store.contents(name)) {
    const finalizers = (object.metadata.finalizers ?? []).filter(
      // Its controller lets go as soon as no pod uses the claim, and pods go with the namespace.
      (finalizer) => finalizer !== 'kubernetes.io/pvc-protection',
    )
    if (finalizers.length === 0) store.remove(resource, object)
    else if (object.metadata.deletionTimestamp === undefined) {
      const dying = { ...object.metadata, finalizers, deletionTimestamp: timestamp(nowMs) }
      store.put(resource, { ...object, metadata: { ...dying, deletionGracePeriodSeconds: 0 } })
    }
  }
  refreshQuotas(store, name)
}

type Remaining = ReturnType<ObjectStore['contents']>

function describeRemaining(remaining: Remaining, nowMs: number): { [field: string]: string }[] {
  const kinds = count(
    remaining.map(({ resource }) => `${resource.plural}.${resource.group}`),
    (kind, number) => `${kind} has ${number} resource instances`,
  )
  const finalizers = count(
    remaining.flatMap(({ object }) => object.metadata.finalizers ?? []),
    (finalizer, number) => `${finalizer} in ${number} resource instances`,
  )
  const at = timestamp(nowMs)
  const condition = (type: string, status: string, reason: string, message: string) => ({
    type,
    status,
    lastTransitionTime: at,
    reason,
    message,
  })
  return [
    condition(
      'NamespaceDeletionDiscoveryFailure',
      'False',
      'ResourcesDiscovered',
      'All resources successfully discovered',
    ),
    condition(
      'NamespaceDeletionGroupVersionParsingFailure',
      'False',
      'ParsedGroupVersions',
      'All legacy kube types successfully parsed',
    ),
    condition(
      'NamespaceDeletionContentFailure',
      'False',
      'ContentDeleted',
      'All content successfully deleted, may be waiting on finalization',
    ),
    condition(
      'NamespaceContentRemaining',
      'True',
      'SomeResourcesRemain',
      `Some resources are remaining: ${kinds}`,
    ),
    condition(
      'NamespaceFinalizersRemaining',
      'True',
      'SomeFinalizersRemain',
      `Some content in the namespace has finalizers remaining: ${finalizers}`,
    ),
  ]
}

function count(names: readonly string[], print: (name: string, number: number) => string): string {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, number]) => print(name, number))
    .join(', ')
}

function sameConditions(status: unknown, conditions: readonly { [field: string]: string }[]): boolean {
  const messages = (list: unknown): string =>
    JSON.stringify(Array.isArray(list) ? list.map((one) => textAt(one, 'message')) : [])
  const before =
    typeof status === 'object' && status !== null && 'conditions' in status ? status.conditions : []
  return messages(before) === messages(conditions)
}

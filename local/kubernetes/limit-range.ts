import { ensureObject, isObject, type KubeObject, listAt, objectAt, textAt } from './json.ts'
import type { ObjectStore } from './object-store.ts'
import { parseQuantity } from './quantity.ts'
import { type Resource, resourceOf } from './resources.ts'
import { forbidden } from './status.ts'

/** Gives containers the namespace's default requests and limits, as the LimitRanger does on creation. */
export function applyLimitDefaults(store: ObjectStore, pod: KubeObject): void {
  const items = limitItems(store, pod.metadata.namespace ?? '').filter(
    (item) => textAt(item, 'type') === 'Container',
  )
  const containers = [...listAt(pod, 'spec', 'containers'), ...listAt(pod, 'spec', 'initContainers')]
  for (const container of containers.filter(isObject)) {
    for (const item of items) {
      const resources = ensureObject(container, 'resources')
      fill(ensureObject(resources, 'limits'), objectAt(item, 'default'))
      fill(ensureObject(resources, 'requests'), objectAt(item, 'defaultRequest'))
    }
  }
}

/** A container that states a limit and no request asks for its limit (core/v1 defaults). */
export function requestsFromLimits(pod: KubeObject): void {
  const containers = [...listAt(pod, 'spec', 'containers'), ...listAt(pod, 'spec', 'initContainers')]
  for (const container of containers.filter(isObject)) {
    const limits = objectAt(container, 'resources', 'limits')
    if (Object.keys(limits).length > 0) fill(ensureObject(container, 'resources', 'requests'), limits)
  }
}

function fill(target: { [field: string]: unknown }, defaults: { [field: string]: unknown }): void {
  for (const [name, value] of Object.entries(defaults)) target[name] ??= value
}

/** Refuses pods and claims outside the namespace's LimitRanges. */
export function checkLimits(store: ObjectStore, resource: Resource, object: KubeObject): void {
  const problems = limitItems(store, object.metadata.namespace ?? '').flatMap((item) => {
    const type = textAt(item, 'type')
    if (resource.plural === 'persistentvolumeclaims' && type === 'PersistentVolumeClaim') {
      return claimProblems(item, object)
    }
    if (resource.plural !== 'pods' || type !== 'Container') return []
    return [...listAt(object, 'spec', 'containers'), ...listAt(object, 'spec', 'initContainers')].flatMap(
      (container) => containerProblems(item, container),
    )
  })
  if (problems.length === 0) return
  const why = problems.length === 1 ? (problems[0] ?? '') : `[${problems.join(', ')}]`
  throw forbidden(resource, object.metadata.name, why)
}

function limitItems(store: ObjectStore, namespace: string): unknown[] {
  return store.list(resourceOf('limitranges'), namespace).flatMap((range) => listAt(range, 'spec', 'limits'))
}

function claimProblems(item: unknown, claim: KubeObject): string[] {
  const asked = objectAt(claim, 'spec', 'resources', 'requests')['storage']
  const kind = 'storage usage per PersistentVolumeClaim'
  const { min, max } = bounds(item, 'storage')
  if (less(asked, min)) return [`minimum ${kind} is ${min}, but request is ${asked}`]
  return less(max, asked) ? [`maximum ${kind} is ${max}, but request is ${asked}`] : []
}

function containerProblems(item: unknown, container: unknown): string[] {
  const names = new Set([...Object.keys(objectAt(item, 'min')), ...Object.keys(objectAt(item, 'max'))])
  return [...names].sort().flatMap((name) => {
    const { min, max } = bounds(item, name)
    const request = objectAt(container, 'resources', 'requests')[name]
    const limit = objectAt(container, 'resources', 'limits')[name]
    const low = lowProblem(`minimum ${name} usage per Container is ${min}`, min, request, limit)
    const high = highProblem(`maximum ${name} usage per Container is ${max}`, max, request, limit)
    return [low, high].filter((problem) => problem !== undefined)
  })
}

function lowProblem(prefix: string, min: unknown, request: unknown, limit: unknown): string | undefined {
  if (min === undefined) return undefined
  if (request === undefined) return `${prefix}.  No request is specified`
  if (less(request, min)) return `${prefix}, but request is ${request}`
  return less(limit, min) ? `${prefix}, but limit is ${limit}` : undefined
}

function highProblem(prefix: string, max: unknown, request: unknown, limit: unknown): string | undefined {
  if (max === undefined) return undefined
  if (limit === undefined) return `${prefix}.  No limit is specified`
  if (less(max, limit)) return `${prefix}, but limit is ${limit}`
  return less(max, request) ? `${prefix}, but request is ${request}` : undefined
}

function bounds(item: unknown, name: string): { readonly min: unknown; readonly max: unknown } {
  return { min: objectAt(item, 'min')[name], max: objectAt(item, 'max')[name] }
}

function less(a: unknown, b: unknown): boolean {
  const left = parseQuantity(a)
  const right = parseQuantity(b)
  return left !== undefined && right !== undefined && left.nanos < right.nanos
}

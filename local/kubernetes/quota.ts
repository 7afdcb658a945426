import { type KubeObject, listAt, objectAt, textAt } from './json.ts'
import type { ObjectStore } from './object-store.ts'
import {
  addQuantity,
  canonicalQuantity,
  formatQuantity,
  parseQuantity,
  type Quantity,
  ZERO,
} from './quantity.ts'
import { type Resource, resourceOf } from './resources.ts'
import { forbidden } from './status.ts'

type Usage = Map<string, Quantity>

const units = (count: number): Quantity => ({ nanos: BigInt(count) * 1_000_000_000n, format: 'DecimalSI' })
const COMPUTE = ['cpu', 'memory', 'ephemeral-storage']

/** What one object counts for, under every name a quota may use for it. */
function usageOf(resource: Resource, object: KubeObject): Usage {
  const usage: Usage = new Map()
  const suffix = resource.group === '' ? '' : `.${resource.group}`
  usage.set(`count/${resource.plural}${suffix}`, units(1))
  if (['configmaps', 'secrets', 'resourcequotas', 'persistentvolumeclaims'].includes(resource.plural)) {
    usage.set(resource.plural, units(1))
  }
  if (resource.plural === 'pods') return podUsage(object, usage)
  if (resource.plural === 'services') return serviceUsage(object, usage)
  if (resource.plural === 'persistentvolumeclaims') return claimUsage(object, usage)
  return usage
}

/** A pod that has ended still counts as an object, but holds no compute. */
function podUsage(pod: KubeObject, usage: Usage): Usage {
  if (['Succeeded', 'Failed'].includes(textAt(pod, 'status', 'phase'))) return usage
  usage.set('pods', units(1))
  for (const name of COMPUTE) {
    for (const side of ['requests', 'limits'] as const) {
      const total = podTotal(pod, side, name)
      if (total === undefined) continue
      usage.set(`${side}.${name}`, total)
      if (side === 'requests') usage.set(name, total)
    }
  }
  return usage
}

/** Containers run together, init containers one after the other: the larger of sum and maximum. */
function podTotal(pod: KubeObject, side: 'requests' | 'limits', name: string): Quantity | undefined {
  const amounts = (list: string): Quantity[] =>
    listAt(pod, 'spec', list)
      .map((container) => parseQuantity(objectAt(container, 'resources', side)[name]))
      .filter((amount) => amount !== undefined)
  const containers = amounts('containers')
  const all = [containers.reduce(addQuantity, ZERO), ...amounts('initContainers')]
  const largest = all.reduce((a, b) => (b.nanos > a.nanos ? b : a))
  return largest.nanos === 0n && containers.length === 0 ? undefined : largest
}

function serviceUsage(service: KubeObject, usage: Usage): Usage {
  const type = textAt(service, 'spec', 'type')
  const ports = listAt(service, 'spec', 'ports').length
  const allocates = objectAt(service, 'spec')['allocateLoadBalancerNodePorts'] !== false
  usage.set('services', units(1))
  usage.set('services.loadbalancers', units(type === 'LoadBalancer' ? 1 : 0))
  const nodePorts = type === 'NodePort' || (type === 'LoadBalancer' && allocates) ? ports : 0
  usage.set('services.nodeports', units(nodePorts))
  return usage
}

function claimUsage(claim: KubeObject, usage: Usage): Usage {
  const storage = parseQuantity(objectAt(claim, 'spec', 'resources', 'requests')['storage']) ?? ZERO
  const storageClass = textAt(claim, 'spec', 'storageClassName')
  usage.set('requests.storage', storage)
  if (storageClass === '') return usage
  usage.set(`${storageClass}.storageclass.storage.k8s.io/requests.storage`, storage)
  usage.set(`${storageClass}.storageclass.storage.k8s.io/persistentvolumeclaims`, units(1))
  return usage
}

/** Whether a quota's scopes select the object; a quota with scopes sees nothing but pods. */
function inScope(quota: KubeObject, resource: Resource, object: KubeObject): boolean {
  const requirements = [
    ...listAt(quota, 'spec', 'scopes').map((scope) => ({ scopeName: scope, operator: 'Exists' })),
    ...listAt(quota, 'spec', 'scopeSelector', 'matchExpressions'),
  ]
  if (requirements.length === 0) return true
  return resource.plural === 'pods' && requirements.every((one) => podMatches(object, one))
}

function podMatches(pod: KubeObject, requirement: unknown): boolean {
  const scope = textAt(requirement, 'scopeName')
  const terminating = objectAt(pod, 'spec')['activeDeadlineSeconds'] !== undefined
  if (scope === 'Terminating') return terminating
  if (scope === 'NotTerminating') return !terminating
  if (scope === 'BestEffort' || scope === 'NotBestEffort')
    return isBestEffort(pod) === (scope === 'BestEffort')
  if (scope !== 'PriorityClass') return false
  const name = textAt(pod, 'spec', 'priorityClassName')
  const values = listAt(requirement, 'values')
  const operator = textAt(requirement, 'operator')
  if (operator === 'In') return values.includes(name)
  if (operator === 'NotIn') return !values.includes(name)
  return operator === 'Exists' ? name !== '' : name === ''
}

function isBestEffort(pod: KubeObject): boolean {
  return [...listAt(pod, 'spec', 'containers'), ...listAt(pod, 'spec', 'initContainers')].every(
    (container) =>
      Object.keys(objectAt(container, 'resources', 'requests')).length === 0 &&
      Object.keys(objectAt(container, 'resources', 'limits')).length === 0,
  )
}

/** What a namespace uses of each name in the quota's `hard`. */
function usedBy(store: ObjectStore, quota: KubeObject, namespace: string): Usage {
  const used: Usage = new Map(Object.keys(objectAt(quota, 'spec', 'hard')).map((name) => [name, ZERO]))
  for (const { resource, object } of store.contents(namespace)) {
    if (!inScope(quota, resource, object)) continue
    for (const [name, amount] of usageOf(resource, object)) {
      const sum = used.get(name)
      if (sum !== undefined) used.set(name, addQuantity(sum, amount))
    }
  }
  return used
}

/** Writes `status.hard` and `status.used` of every quota in a namespace, where they changed. */
export function refreshQuotas(store: ObjectStore, namespace: string): void {
  for (const quota of store.list(resourceOf('resourcequotas'), namespace)) {
    const hard = Object.fromEntries(
      Object.entries(objectAt(quota, 'spec', 'hard'))
        .map(([name, value]) => [name, canonicalQuantity(value)] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    )
    const used = usedBy(store, quota, namespace)
    const shown = Object.fromEntries(
      [...used].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, sum]) => [name, formatQuantity(sum)]),
    )
    const status = { hard, used: shown }
    if (JSON.stringify(quota['status']) !== JSON.stringify(status)) {
      store.put(resourceOf('resourcequotas'), { ...quota, status })
    }
  }
}

/**
 * Refuses an object whose growth would exceed a quota of its namespace.
 *
 * Only growth is refused: a quota lowered below what is used stops nothing that runs.
 */
export function checkQuota(
  store: ObjectStore,
  resource: Resource,
  object: KubeObject,
  old?: KubeObject,
): void {
  const namespace = object.metadata.namespace ?? ''
  for (const quota of store.list(resourceOf('resourcequotas'), namespace)) {
    if (!inScope(quota, resource, object)) continue
    if (resource.plural === 'pods' && old === undefined) checkSpecified(quota, object)
    checkOne(store, quota, resource, object, old)
  }
}

function checkOne(
  store: ObjectStore,
  quota: KubeObject,
  resource: Resource,
  object: KubeObject,
  old: KubeObject | undefined,
): void {
  const before = old !== undefined && inScope(quota, resource, old) ? usageOf(resource, old) : new Map()
  const after = usageOf(resource, object)
  const used = usedBy(store, quota, object.metadata.namespace ?? '')
  const exceeded = Object.entries(objectAt(quota, 'spec', 'hard')).flatMap(([name, limit]) => {
    const hard = parseQuantity(limit) ?? ZERO
    const use = used.get(name) ?? ZERO
    const now = after.get(name)
    const growth = (now?.nanos ?? 0n) - (before.get(name)?.nanos ?? 0n)
    if (now === undefined || growth <= 0n || use.nanos + growth <= hard.nanos) return []
    return [{ name, requested: { nanos: growth, format: now.format }, use, hard }]
  })
  if (exceeded.length === 0) return
  exceeded.sort((a, b) => (a.name < b.name ? -1 : 1))
  const show = (pick: (one: (typeof exceeded)[number]) => Quantity): string =>
    exceeded.map((one) => `${one.name}=${formatQuantity(pick(one))}`).join(',')
  const why = `exceeded quota: ${quota.metadata.name}, requested: ${show((one) => one.requested)}, used: ${show((one) => one.use)}, limited: ${show((one) => one.hard)}`
  throw forbidden(resource, object.metadata.name, why)
}

/** A quota on compute obliges every container to say what it takes. */
function checkSpecified(quota: KubeObject, pod: KubeObject): void {
  const missing = Object.keys(objectAt(quota, 'spec', 'hard')).flatMap((name) => {
    const [side, resource] = name.includes('.') ? name.split('.') : ['requests', name]
    if ((side !== 'requests' && side !== 'limits') || !COMPUTE.includes(resource ?? '')) return []
    const without = [...listAt(pod, 'spec', 'containers'), ...listAt(pod, 'spec', 'initContainers')]
      .filter((container) => objectAt(container, 'resources', side)[resource ?? ''] === undefined)
      .map((container) => textAt(container, 'name'))
    return without.length === 0 ? [] : [`${name} for: ${without.sort().join(',')}`]
  })
  if (missing.length === 0) return
  const why = `failed quota: ${quota.metadata.name}: must specify ${missing.sort().join('; ')}`
  throw forbidden(resourceOf('pods'), pod.metadata.name, why)
}

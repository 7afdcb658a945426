import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { applyDefaults } from './defaults.ts'
import { at, ensureObject, type KubeObject, textAt, timestamp } from './json.ts'
import { applyLimitDefaults, checkLimits } from './limit-range.ts'
import { furnishNamespace } from './namespaces.ts'
import type { ObjectStore } from './object-store.ts'
import { checkPodSecurity } from './pod-security.ts'
import { checkPolicies, type Policy } from './policies.ts'
import { checkQuota, refreshQuotas } from './quota.ts'
import { checkBinding, type User } from './rbac.ts'
import { type Resource, resourceOf } from './resources.ts'
import { alreadyExists, conflict, forbidden, notFound } from './status.ts'
import { validate } from './validation.ts'

/** What every write needs beside the object. */
export type WriteContext = {
  readonly store: ObjectStore
  readonly policies: readonly Policy[]
  readonly user: User
  readonly nowMs: number
  /** True: everything is checked and answered, nothing is kept. */
  readonly dryRun: boolean
}

/** Creates an object: admission, defaults, validation, quota; then the copy that was stored. */
export function createObject(context: WriteContext, resource: Resource, wanted: KubeObject): KubeObject {
  const { store } = context
  const object = structuredClone(wanted)
  admitIntoNamespace(store, resource, object)
  if (resource.plural === 'pods') admitPod(store, object)
  if (resource.plural === 'persistentvolumeclaims') {
    object.metadata.finalizers ??= ['kubernetes.io/pvc-protection']
  }
  applyDefaults(resource, object)
  object.metadata.uid = randomUUID()
  object.metadata.creationTimestamp = timestamp(context.nowMs)
  delete object.metadata.resourceVersion
  delete object.metadata.deletionTimestamp
  if (resource.counted) object.metadata.generation = 1
  guardBinding(context, resource, object)
  validate(resource, object)
  admit(context, resource, object)
  const existing = store.get(resource, object.metadata.namespace ?? '', object.metadata.name)
  if (existing !== undefined) {
    const dying = existing.metadata.deletionTimestamp !== undefined ? 'object is being deleted: ' : ''
    throw alreadyExists(resource, object.metadata.name, dying)
  }
  if (context.dryRun) return object
  const stored = store.put(resource, object)
  if (resource.plural === 'namespaces') furnishNamespace(store, stored, context.nowMs)
  return settled(store, resource, stored)
}

/** Replaces `old` by `wanted`; an object that would not change keeps its resourceVersion. */
export function updateObject(
  context: WriteContext,
  resource: Resource,
  old: KubeObject,
  wanted: KubeObject,
): KubeObject {
  const object = structuredClone(wanted)
  const { name } = old.metadata
  const asked = object.metadata.resourceVersion
  if (asked !== undefined && asked !== '' && asked !== old.metadata.resourceVersion) {
    const why = 'the object has been modified; please apply your changes to the latest version and try again'
    throw conflict(resource, name, why)
  }
  keepSystemFields(object, old)
  applyDefaults(resource, object)
  guardBinding(context, resource, object)
  validate(resource, object, old)
  if (resource.counted && !isDeepStrictEqual(object['spec'], old['spec'])) {
    object.metadata.generation = (old.metadata.generation ?? 0) + 1
  }
  admit(context, resource, object, old)
  if (isDeepStrictEqual(object, old) || context.dryRun) return object
  if (object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers ?? []).length === 0) {
    if (resource.plural !== 'namespaces') {
      context.store.remove(resource, object)
      refreshQuotas(context.store, object.metadata.namespace ?? '')
      return object
    }
  }
  return settled(context.store, resource, context.store.put(resource, object))
}

/** What a caller may send and never changes. */
function keepSystemFields(object: KubeObject, old: KubeObject): void {
  const { uid, creationTimestamp, resourceVersion, deletionTimestamp, generation } = old.metadata
  object.metadata.uid ??= uid ?? ''
  if (creationTimestamp !== undefined) object.metadata.creationTimestamp = creationTimestamp
  if (resourceVersion !== undefined) object.metadata.resourceVersion = resourceVersion
  if (deletionTimestamp !== undefined) object.metadata.deletionTimestamp = deletionTimestamp
  if (generation !== undefined) object.metadata.generation = generation
}

/** The object after the quota controller had its turn, which may have written this very object. */
function settled(store: ObjectStore, resource: Resource, stored: KubeObject): KubeObject {
  if (!resource.namespaced) return stored
  const namespace = stored.metadata.namespace ?? ''
  refreshQuotas(store, namespace)
  return store.get(resource, namespace, stored.metadata.name) ?? stored
}

function admitIntoNamespace(store: ObjectStore, resource: Resource, object: KubeObject): void {
  if (!resource.namespaced) return
  const name = object.metadata.namespace ?? ''
  const namespace = store.get(resourceOf('namespaces'), '', name)
  if (namespace === undefined) throw notFound(resourceOf('namespaces'), name)
  if (namespace.metadata.deletionTimestamp === undefined) return
  throw forbidden(
    resource,
    object.metadata.name,
    `unable to create new content in namespace ${name} because it is being terminated`,
    [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${name} is being terminated`,
        field: 'metadata.namespace',
      },
    ],
  )
}

function admitPod(store: ObjectStore, pod: KubeObject): void {
  applyLimitDefaults(store, pod)
  const spec = ensureObject(pod, 'spec')
  const account = textAt(spec, 'serviceAccountName') || 'default'
  const namespace = pod.metadata.namespace ?? ''
  if (store.get(resourceOf('serviceaccounts'), namespace, account) === undefined) {
    const why = `error looking up service account ${namespace}/${account}: serviceaccount "${account}" not found`
    throw forbidden(resourceOf('pods'), pod.metadata.name, why)
  }
  spec['serviceAccountName'] = account
  spec['serviceAccount'] = account
  const className = textAt(spec, 'priorityClassName')
  const priorityClass = store.get(resourceOf('priorityclasses'), '', className)
  if (className !== '' && priorityClass === undefined) {
    const why = `no PriorityClass with name ${className} was found`
    throw forbidden(resourceOf('pods'), pod.metadata.name, why)
  }
  spec['priority'] = at(priorityClass, 'value') ?? 0
  spec['preemptionPolicy'] = at(priorityClass, 'preemptionPolicy') ?? 'PreemptLowerPriority'
}

function guardBinding(context: WriteContext, resource: Resource, object: KubeObject): void {
  if (resource.plural !== 'rolebindings' && resource.plural !== 'clusterrolebindings') return
  checkBinding(context.store, context.user, object, object.metadata.namespace ?? '')
}

/** The validating admission plugins, in the server's order: quota comes last. */
function admit(context: WriteContext, resource: Resource, object: KubeObject, old?: KubeObject): void {
  const { store } = context
  const namespace = store.get(resourceOf('namespaces'), '', object.metadata.namespace ?? '')
  if (resource.plural === 'pods' && old === undefined && namespace !== undefined) {
    checkPodSecurity(namespace, object)
  }
  const isClaim = resource.plural === 'persistentvolumeclaims'
  if (old === undefined || isClaim) checkLimits(store, resource, object)
  checkPolicies(store, context.policies, {
    operation: old === undefined ? 'CREATE' : 'UPDATE',
    user: context.user,
    resource,
    object,
    old,
  })
  if (resource.namespaced) checkQuota(store, resource, object, old)
}

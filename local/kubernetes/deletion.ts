import { at, type JsonObject, type KubeObject, textAt, timestamp } from './json.ts'
import { IMMORTAL_NAMESPACES, runNamespaceController } from './namespaces.ts'
import { checkPolicies } from './policies.ts'
import { refreshQuotas } from './quota.ts'
import type { Target } from './request.ts'
import type { Resource } from './resources.ts'
import { conflict, forbidden, invalid, notFound, unsupportedValue } from './status.ts'
import { CLAIM_PROTECTION, isClaimInUse } from './volumes.ts'
import type { WriteContext } from './writes.ts'

const PROPAGATION = ['Background', 'Foreground', 'Orphan']

/** DELETE of one object: preconditions, admission, finalizers. Answers the object or a Status. */
export function deleteOne(
  context: WriteContext,
  target: Target,
  live: KubeObject | undefined,
  options: JsonObject,
): JsonObject {
  const { resource, name } = target
  const propagation = textAt(options, 'propagationPolicy')
  if (propagation !== '' && !PROPAGATION.includes(propagation)) {
    throw invalid({ group: 'meta.k8s.io', plural: 'deleteoptions', kind: 'DeleteOptions' }, '', [
      unsupportedValue('propagationPolicy', propagation, PROPAGATION),
    ])
  }
  if (resource.plural === 'namespaces' && IMMORTAL_NAMESPACES.includes(name)) {
    throw forbidden(resource, name, 'this namespace may not be deleted')
  }
  if (live === undefined) throw notFound(resource, name)
  checkPreconditions(resource, live, options)
  checkPolicies(context.store, context.policies, {
    operation: 'DELETE',
    user: context.user,
    resource,
    object: live,
    old: live,
  })
  return context.dryRun ? success(resource, live) : erase(context, resource, live)
}

function checkPreconditions(resource: Resource, live: KubeObject, options: JsonObject): void {
  const uid = at(options, 'preconditions', 'uid')
  const version = at(options, 'preconditions', 'resourceVersion')
  if (typeof uid === 'string' && uid !== live.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`
    throw conflict(resource, live.metadata.name, why)
  }
  if (typeof version === 'string' && version !== live.metadata.resourceVersion) {
    const why = `Precondition failed: ResourceVersion in precondition: ${version}, ResourceVersion in object meta: ${live.metadata.resourceVersion}`
    throw conflict(resource, live.metadata.name, why)
  }
}

/** Removes an object, or marks it and leaves the rest to whoever holds its finalizers. */
function erase(context: WriteContext, resource: Resource, live: KubeObject): JsonObject {
  const { store, nowMs } = context
  const isNamespace = resource.plural === 'namespaces'
  const finalizers = (live.metadata.finalizers ?? []).filter(
    (one) => one !== CLAIM_PROTECTION || isClaimInUse(store, live),
  )
  if (!isNamespace && finalizers.length === 0) {
    store.remove(resource, live)
    refreshQuotas(store, live.metadata.namespace ?? '')
    return success(resource, live)
  }
  if (live.metadata.deletionTimestamp !== undefined) return live
  const metadata = {
    ...live.metadata,
    ...(finalizers.length === 0 ? {} : { finalizers }),
    deletionTimestamp: timestamp(nowMs),
  }
  if (!isNamespace) return store.put(resource, { ...live, metadata })
  const dying = store.put(resource, { ...live, metadata, status: { phase: 'Terminating' } })
  // Its contents go at once; the namespace itself only later, as on a real cluster.
  runNamespaceController(store, nowMs, Number.POSITIVE_INFINITY)
  return dying
}

/** DELETE of a collection: every object the selectors picked. */
export function deleteMany(context: WriteContext, resource: Resource, objects: readonly KubeObject[]): void {
  if (context.dryRun) return
  for (const object of objects) {
    checkPolicies(context.store, context.policies, {
      operation: 'DELETE',
      user: context.user,
      resource,
      object,
      old: object,
    })
    erase(context, resource, object)
  }
}

function success(resource: Resource, object: KubeObject): JsonObject {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name: object.metadata.name,
      ...(resource.group === '' ? {} : { group: resource.group }),
      kind: resource.plural,
      uid: object.metadata.uid,
    },
  }
}

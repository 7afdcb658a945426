import { at, isObject, type KubeObject, listAt, textAt } from './json.ts'
import type { ObjectStore } from './object-store.ts'
import type { User } from './rbac.ts'
import { type Resource, resourceOf } from './resources.ts'
import { apiError, qualified } from './status.ts'

/** What an admission policy is asked about. */
export type Admission = {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE'
  readonly user: User
  readonly resource: Resource
  /** The new object, or the old one for a deletion. */
  readonly object: KubeObject
  readonly old: KubeObject | undefined
}

/** A denial: why, and the reason the policy gives; `Invalid` (422) is Kubernetes' default. */
type Denial = { readonly message: string; readonly reason?: 'Forbidden' }

/** A ValidatingAdmissionPolicy, written in TypeScript here and in CEL on a real cluster. */
export type Policy = {
  readonly name: string
  readonly evaluate: (admission: Admission) => Denial | undefined
}

const SPEC_REVISION = 'energent.ai/spec-rev'

/**
 * The two policies every cluster of ours carries; `prefix` is how tenant namespaces begin.
 *
 * The same in CEL is `gitops/infrastructure/admission`; one table of cases holds both to each other.
 */
export function platformPolicies(prefix: string, provisioner: string): readonly Policy[] {
  return [
    {
      name: 'tenant-events-fence',
      evaluate: (admission) => (admission.user.user === provisioner ? fence(admission, prefix) : undefined),
    },
    { name: 'tenant-namespace-guard', evaluate: (admission) => guard(admission, prefix) },
  ]
}

/** The function writes in tenant namespaces only, and never an older state over a newer one. */
function fence({ resource, object, old, operation }: Admission, prefix: string): Denial | undefined {
  const namespace =
    resource.plural === 'namespaces' ? object.metadata.name : (object.metadata.namespace ?? '')
  // Velero reads one namespace alone; what is there for a tenant bears the name of the tenant's own.
  const backup =
    resource.group === 'velero.io' && namespace === 'velero' && object.metadata.name.startsWith(prefix)
  if (!namespace.startsWith(prefix) && !backup) {
    return { message: `tenant-events may act in ${prefix}* namespaces only`, reason: 'Forbidden' }
  }
  if (operation !== 'DELETE' && resource.group === 'helm.toolkit.fluxcd.io' && !isOurRelease(object)) {
    return { message: "tenant-events may release the platform's chart only", reason: 'Forbidden' }
  }
  const before = old?.metadata.annotations?.[SPEC_REVISION]
  // What is no number, or one of more digits than we ever count, is no revision of ours: somebody's
  // mistake, which we may repair. What we write may have more, so that it can be above all that counts.
  if (operation !== 'UPDATE' || before === undefined || !/^[0-9]{1,12}$/.test(before)) return undefined
  const after = object.metadata.annotations?.[SPEC_REVISION]
  const fell = after === undefined || !isRevision(after) || BigInt(after) < BigInt(before)
  return fell ? { message: 'stale spec-rev' } : undefined
}

/** Ways of a HelmRelease to another chart, cluster or namespace, or to what others keep secret. */
const WAYS_OUT = ['chart', 'kubeConfig', 'postRenderers', 'targetNamespace', 'storageNamespace', 'valuesFrom']

/**
 * Flux applies a release with rights of its own, which are more than the function's: of releases there is
 * the platform's chart alone, in the namespace it is for. An account named in it is one of that namespace.
 */
function isOurRelease(release: KubeObject): boolean {
  return (
    release.metadata.name === 'tenant-agents' &&
    textAt(release, 'spec', 'chartRef', 'kind') === 'OCIRepository' &&
    textAt(release, 'spec', 'chartRef', 'name') === 'tenant-agents' &&
    textAt(release, 'spec', 'chartRef', 'namespace') === 'flux-system' &&
    [undefined, 'tenant-agents'].includes(at(release, 'spec', 'releaseName') as string | undefined) &&
    WAYS_OUT.every((field) => at(release, 'spec', field) === undefined)
  )
}

const isRevision = (text: string): boolean => /^[0-9]{1,18}$/.test(text)

/** What nobody may do in a tenant's namespace, the platform's own chart included. */
function guard({ operation, resource, object }: Admission, prefix: string): Denial | undefined {
  if (operation === 'DELETE' || resource.group !== '') return undefined
  if (!(object.metadata.namespace ?? '').startsWith(prefix)) return undefined
  if (resource.plural === 'services') return guardService(object)
  return resource.plural === 'pods' ? guardPod(object) : undefined
}

/** Nothing of a tenant is reached from outside but through the platform's own ingress. */
function guardService(service: KubeObject): Denial | undefined {
  if (textAt(service, 'spec', 'type') !== 'ClusterIP') {
    return { message: 'only ClusterIP services in tenant namespaces' }
  }
  if (listAt(service, 'spec', 'externalIPs').length === 0) return undefined
  return { message: 'no external addresses in tenant namespaces' }
}

/** The accounts, nodes and sandboxes that a tenant's pods may have. */
function guardPod(pod: KubeObject): Denial | undefined {
  if (!['tenant-workload', 'default'].includes(textAt(pod, 'spec', 'serviceAccountName'))) {
    return { message: 'only the tenant-workload and default service accounts in tenant namespaces' }
  }
  if (!['', 'gvisor'].includes(textAt(pod, 'spec', 'runtimeClassName'))) {
    return { message: 'only the gvisor runtime class in tenant namespaces' }
  }
  const sandboxed = textAt(pod, 'spec', 'runtimeClassName') === 'gvisor'
  if (!listAt(pod, 'spec', 'tolerations').every((one) => isTolerated(one, sandboxed))) {
    return { message: 'only the tolerations of tenant nodes in tenant namespaces' }
  }
  return undefined
}

/**
 * The taint of the nodes that tenants run on, one that the cluster itself puts on nodes that are unwell, or
 * that of GKE Sandbox's nodes, which the runtime class adds to its pods before policies see them.
 */
function isTolerated(toleration: unknown, sandboxed: boolean): boolean {
  const { key, value, effect } = isObject(toleration) ? toleration : {}
  if (typeof key !== 'string') return false
  if (key.startsWith('node.kubernetes.io/')) return true
  const operator = at(toleration, 'operator')
  if (effect !== 'NoSchedule' || (operator !== undefined && operator !== 'Equal')) return false
  if (sandboxed && key === 'sandbox.gke.io/runtime') return value === 'gvisor'
  return key === 'workload' && value === 'energent-ai'
}

/** Asks every policy that is bound in the cluster; the first denial refuses the request. */
export function checkPolicies(store: ObjectStore, policies: readonly Policy[], admission: Admission): void {
  const bindings = store.list(resourceOf('validatingadmissionpolicybindings'))
  for (const policy of policies) {
    const binding = bindings.find((one) => textAt(one, 'spec', 'policyName') === policy.name)
    const denial = binding === undefined ? undefined : policy.evaluate(admission)
    if (binding === undefined || denial === undefined) continue
    const text = `ValidatingAdmissionPolicy '${policy.name}' with binding '${binding.metadata.name}' denied request: ${denial.message}`
    const { resource, object } = admission
    throw apiError(
      denial.reason === 'Forbidden' ? 403 : 422,
      denial.reason ?? 'Invalid',
      `${qualified(resource)} "${object.metadata.name}" is forbidden: ${text}`,
      {
        name: object.metadata.name,
        ...(resource.group === '' ? {} : { group: resource.group }),
        kind: resource.plural,
        causes: [{ message: text }],
      },
    )
  }
}

import { type KubeObject, textAt } from './json.ts'
import type { ObjectStore } from './object-store.ts'
import type { User } from './rbac.ts'
import { type Resource, resourceOf } from './resources.ts'
import { apiError, qualified } from './status.ts'

/** What an admission policy is asked about. */
type Admission = {
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

/** The two policies every cluster of ours carries; `prefix` is how tenant namespaces begin. */
export function platformPolicies(prefix: string, provisioner: string): readonly Policy[] {
  return [
    {
      name: 'tenant-events-fence',
      evaluate: (admission) => (admission.user.user === provisioner ? fence(admission, prefix) : undefined),
    },
    {
      name: 'tenant-namespace-guard',
      evaluate: ({ operation, resource, object }) => {
        if (operation === 'DELETE' || resource.plural !== 'services') return undefined
        if (!(object.metadata.namespace ?? '').startsWith(prefix)) return undefined
        if (textAt(object, 'spec', 'type') === 'ClusterIP') return undefined
        return { message: 'only ClusterIP services in tenant namespaces' }
      },
    },
  ]
}

/** The function writes in tenant namespaces only, and never an older state over a newer one. */
function fence(admission: Admission, prefix: string): Denial | undefined {
  const { resource, object, old, operation } = admission
  const namespace =
    resource.plural === 'namespaces' ? object.metadata.name : (object.metadata.namespace ?? '')
  if (!namespace.startsWith(prefix)) {
    return { message: `tenant-events may act in ${prefix}* namespaces only`, reason: 'Forbidden' }
  }
  const before = old?.metadata.annotations?.[SPEC_REVISION]
  if (operation !== 'UPDATE' || before === undefined) return undefined
  const after = object.metadata.annotations?.[SPEC_REVISION]
  const fell = after === undefined || !/^\d+$/.test(after) || BigInt(after) < BigInt(before)
  return fell ? { message: 'stale spec-rev' } : undefined
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

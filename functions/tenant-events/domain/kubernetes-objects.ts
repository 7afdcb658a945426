import { TIER_LIMITS, TIERS, type Tier } from '#shared/catalogue/tiers.ts'
import { namespaceOf } from '#shared/contracts/events/tenant-fact.ts'
import type { TenantId } from '#shared/ids.ts'

/** A Kubernetes object as it is applied. */
export type ClusterObject = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly uid?: string
    readonly labels: Readonly<Record<string, string>>
    readonly annotations: Readonly<Record<string, string>>
  }
  readonly [field: string]: unknown
}

/** What a tenant's objects follow from. */
export type ClusterSpec = {
  readonly tenantId: TenantId
  readonly tier: Tier
  readonly specRevision: number
  /** Whether the tenant is to stand still: no pod may start and nothing leaves. */
  readonly suspended?: boolean
}

export const TENANT_LABEL = 'energent.ai/tenant-id'
export const MANAGER_LABEL = 'app.kubernetes.io/managed-by'
export const MANAGER = 'tenant-events'
export const SPEC_REVISION = 'energent.ai/spec-rev'

/**
 * The revision that an object carries. What has more than twelve digits, or is no number, is none of ours and
 * nothing to the fence: so there is always a number above one that counts.
 */
export function revisionIn(annotation: unknown): number | undefined {
  return typeof annotation === 'string' && /^[0-9]{1,12}$/.test(annotation) ? Number(annotation) : undefined
}

/** The priority class of the platform's own pods in a tenant's namespace. */
export const PLATFORM_CLASS = 'energent-platform'
/** Quotas name every tenant class: scoped to the current one, old pods would go uncounted after a tier change. */
const TENANT_CLASSES = TIERS.map(priorityClassOf)
/** The most one container can get on the nodes tenants run on (n2-standard-4 less its own overhead). */
const NODE_MILLICPU = 3500
const NODE_MEMORY_GIB = 12
export const STORAGE_CLASS = 'filestore-multishare-rwx'
const FOREIGN_STORAGE_CLASSES = ['standard-rwo', 'premium-rwo']

/** The priority class of a tier's pods. */
export function priorityClassOf(tier: Tier): string {
  return `energent-tenant-${tier}`
}

/** The tenant's namespace, closed to privileged pods. */
export function namespaceObject(spec: ClusterSpec): ClusterObject {
  const object = objectOf(spec, 'v1', 'Namespace', namespaceOf(spec.tenantId), {})
  const { namespace: _none, ...metadata } = object.metadata
  return {
    ...object,
    metadata: {
      ...metadata,
      labels: {
        ...metadata.labels,
        'energent.ai/tier': spec.tier,
        'pod-security.kubernetes.io/enforce': 'restricted',
        'pod-security.kubernetes.io/enforce-version': 'v1.30',
        'pod-security.kubernetes.io/audit': 'restricted',
        'pod-security.kubernetes.io/warn': 'restricted',
      },
    },
  }
}

/** What keeps a tenant within its tier. Of a suspended tenant no pod may start; those that run stay. */
export function quotaObjects(spec: ClusterSpec): ClusterObject[] {
  return [...resourceQuotas(spec), limitRange(spec)]
}

/** The quota that counts the tenant's own pods. */
export function computeQuota(spec: ClusterSpec): ClusterObject {
  const limits = TIER_LIMITS[spec.tier]
  const hard = {
    'requests.cpu': `${limits.vcpu}`,
    'limits.cpu': `${limits.vcpu}`,
    'requests.memory': `${limits.memoryGib}Gi`,
    'limits.memory': `${limits.memoryGib}Gi`,
    // Twice the workflow slots, so that a pod can start before the one it follows has ended.
    pods: spec.suspended === true ? '0' : `${limits.concurrentWorkflows * 2}`,
  }
  return quota(spec, 'tenant-compute', hard, priority('In', TENANT_CLASSES))
}

/** Whom the tenant's workloads run as; no account gets a token mounted by itself. */
export function identityObjects(spec: ClusterSpec): ClusterObject[] {
  const account = (name: string): ClusterObject =>
    objectOf(spec, 'v1', 'ServiceAccount', name, { automountServiceAccountToken: false })
  return [
    account('tenant-workload'),
    account('default'),
    objectOf(spec, 'rbac.authorization.k8s.io/v1', 'RoleBinding', 'tenant-runtime', {
      roleRef: {
        apiGroup: 'rbac.authorization.k8s.io',
        kind: 'ClusterRole',
        name: 'energent-tenant-runtime',
      },
      subjects: [{ kind: 'ServiceAccount', name: 'tenant-workload', namespace: namespaceOf(spec.tenantId) }],
    }),
  ]
}

function resourceQuotas(spec: ClusterSpec): ClusterObject[] {
  const limits = TIER_LIMITS[spec.tier]
  const storage = `${limits.storageGib}Gi`
  return [
    computeQuota(spec),
    quota(
      spec,
      'tenant-system',
      {
        pods: '4',
        'requests.cpu': '400m',
        'limits.cpu': '800m',
        'requests.memory': '512Mi',
        'limits.memory': '1Gi',
      },
      priority('In', [PLATFORM_CLASS]),
    ),
    quota(spec, 'deny-other-priority', { pods: '0' }, priority('NotIn', [...TENANT_CLASSES, PLATFORM_CLASS])),
    quota(spec, 'tenant-objects', {
      'requests.storage': storage,
      [storageOf(STORAGE_CLASS)]: storage,
      ...Object.fromEntries(FOREIGN_STORAGE_CLASSES.map((name) => [storageOf(name), '0'])),
      persistentvolumeclaims: '2',
      services: '10',
      'services.loadbalancers': '0',
      'services.nodeports': '0',
      'count/secrets': '50',
      'count/configmaps': '50',
      'count/jobs.batch': '100',
      'count/deployments.apps': '20',
    }),
  ]
}

function quota(
  spec: ClusterSpec,
  name: string,
  hard: Readonly<Record<string, string>>,
  scope?: object,
): ClusterObject {
  return objectOf(spec, 'v1', 'ResourceQuota', name, {
    spec: { hard, ...(scope === undefined ? {} : { scopeSelector: { matchExpressions: [scope] } }) },
  })
}

function priority(operator: 'In' | 'NotIn', values: readonly string[]) {
  return { scopeName: 'PriorityClass', operator, values }
}

function storageOf(storageClass: string): string {
  return `${storageClass}.storageclass.storage.k8s.io/requests.storage`
}

function limitRange(spec: ClusterSpec): ClusterObject {
  const limits = TIER_LIMITS[spec.tier]
  const cpu = limits.vcpu * 1000 > NODE_MILLICPU ? `${NODE_MILLICPU}m` : `${limits.vcpu}`
  return objectOf(spec, 'v1', 'LimitRange', 'tenant-limits', {
    spec: {
      limits: [
        {
          type: 'Container',
          default: { cpu: '500m', memory: '1Gi' },
          defaultRequest: { cpu: '250m', memory: '512Mi' },
          min: { cpu: '10m', memory: '16Mi' },
          max: { cpu, memory: `${Math.min(limits.memoryGib, NODE_MEMORY_GIB)}Gi` },
        },
        {
          type: 'PersistentVolumeClaim',
          min: { storage: '1Gi' },
          max: { storage: `${limits.storageGib}Gi` },
        },
      ],
    },
  })
}

/** An object of the tenant's namespace, with what all of them carry. */
export function objectOf(
  spec: ClusterSpec,
  apiVersion: string,
  kind: string,
  name: string,
  body: Readonly<Record<string, unknown>>,
): ClusterObject {
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace: namespaceOf(spec.tenantId),
      labels: {
        [TENANT_LABEL]: spec.tenantId,
        [MANAGER_LABEL]: MANAGER,
        'app.kubernetes.io/part-of': 'energent-tenant',
      },
      annotations: { [SPEC_REVISION]: `${spec.specRevision}` },
    },
    ...body,
  }
}

import { randomUUID } from 'node:crypto'
import { applyDefaults } from './defaults.ts'
import { type KubeObject, timestamp } from './json.ts'
import { furnishNamespace } from './namespaces.ts'
import type { ObjectStore } from './object-store.ts'
import { apiVersionOf, RESOURCES, type Resource, resourceOf } from './resources.ts'

/** An object of the cluster's own set-up, as a manifest. */
export type Manifest = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly [field: string]: unknown }
  readonly [field: string]: unknown
}

/** Puts into an empty cluster what a control plane starts with, and then what Flux installs. */
function bootCluster(store: ObjectStore, nowMs: number, manifests: readonly Manifest[]): void {
  for (const manifest of [...CONTROL_PLANE, ...manifests]) installManifest(store, nowMs, manifest)
}

/** Installs one cluster-wide object, past admission: Flux has put it there before anybody asked. */
function installManifest(store: ObjectStore, nowMs: number, manifest: Manifest): void {
  const resource = RESOURCES.find(
    (one) => one.kind === manifest.kind && apiVersionOf(one) === manifest.apiVersion,
  )
  if (resource === undefined) throw new Error(`no resource for ${manifest.apiVersion} ${manifest.kind}`)
  const object: KubeObject = structuredClone({
    ...manifest,
    metadata: { ...manifest.metadata, uid: randomUUID(), creationTimestamp: timestamp(nowMs) },
  })
  applyDefaults(resource, object)
  if (existing(store, resource, object)) return
  const stored = store.put(resource, object)
  if (resource.plural === 'namespaces') furnishNamespace(store, stored, nowMs)
}

function existing(store: ObjectStore, resource: Resource, object: KubeObject): boolean {
  return store.get(resource, object.metadata.namespace ?? '', object.metadata.name) !== undefined
}

/** Takes everything away and boots again. */
export function rebootCluster(store: ObjectStore, nowMs: number, manifests: readonly Manifest[]): void {
  store.clear()
  bootCluster(store, nowMs, manifests)
}

const RBAC = 'rbac.authorization.k8s.io/v1'
const namespace = (name: string): Manifest => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
const priorityClass = (name: string, value: number, preemptionPolicy: string): Manifest => ({
  apiVersion: 'scheduling.k8s.io/v1',
  kind: 'PriorityClass',
  metadata: { name },
  value,
  preemptionPolicy,
})
const clusterRole = (name: string, rules: readonly unknown[]): Manifest => ({
  apiVersion: RBAC,
  kind: 'ClusterRole',
  metadata: { name },
  rules,
})
const clusterBinding = (
  role: string,
  subject: { readonly kind: string; readonly name: string },
): Manifest => ({
  apiVersion: RBAC,
  kind: 'ClusterRoleBinding',
  metadata: { name: role },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
  subjects: [{ ...subject, apiGroup: 'rbac.authorization.k8s.io' }],
})
const rule = (group: string, resources: string, verbs: string, names?: readonly string[]): unknown => ({
  apiGroups: [group],
  resources: resources.split(' '),
  verbs: verbs.split(' '),
  ...(names === undefined ? {} : { resourceNames: names }),
})

const CONTROL_PLANE: readonly Manifest[] = [
  ...['default', 'kube-system', 'kube-public', 'kube-node-lease'].map(namespace),
  priorityClass('system-cluster-critical', 2_000_000_000, 'PreemptLowerPriority'),
  priorityClass('system-node-critical', 2_000_001_000, 'PreemptLowerPriority'),
  clusterRole('cluster-admin', [
    { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
    { nonResourceURLs: ['*'], verbs: ['*'] },
  ]),
  clusterRole('view', [rule('', 'configmaps pods services serviceaccounts', 'get list watch')]),
  clusterBinding('cluster-admin', { kind: 'Group', name: 'system:masters' }),
]

/**
 * What our GitOps repository installs on every workload cluster (design: tenancy §8). The two
 * admission policies live in `policies.ts`; their bindings switch them on.
 */
export function platformManifests(provisioner: string): readonly Manifest[] {
  const all = 'get list create patch delete'
  return [
    namespace('energent-ingress'),
    namespace('velero'),
    ...Object.entries({ basic: 100, standard: 200, premium: 300, enterprise: 400 }).map(([tier, value]) =>
      priorityClass(`energent-tenant-${tier}`, value, 'Never'),
    ),
    priorityClass('energent-platform', 1_000_000, 'PreemptLowerPriority'),
    {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'filestore-multishare-rwx' },
      provisioner: 'filestore.csi.storage.gke.io',
      parameters: { tier: 'enterprise', multishare: 'true' },
      reclaimPolicy: 'Delete',
      allowVolumeExpansion: true,
      volumeBindingMode: 'WaitForFirstConsumer',
    },
    clusterRole('energent-tenant-runtime', [rule('', 'configmaps pods', 'get list watch')]),
    clusterRole('energent-tenant-provisioner', [
      rule(
        '',
        'namespaces resourcequotas limitranges serviceaccounts persistentvolumeclaims configmaps',
        all,
      ),
      rule('', 'pods', 'get list delete'),
      rule('networking.k8s.io', 'networkpolicies', all),
      rule('policy', 'poddisruptionbudgets', all),
      rule('autoscaling', 'horizontalpodautoscalers', all),
      rule('rbac.authorization.k8s.io', 'rolebindings', all),
      rule('rbac.authorization.k8s.io', 'clusterroles', 'bind', ['energent-tenant-runtime']),
      rule('helm.toolkit.fluxcd.io', 'helmreleases', all),
      // Read alone: to prove that the volumes of a tenant are gone.
      rule('', 'persistentvolumes', 'get list'),
      rule('authorization.k8s.io', 'subjectaccessreviews', 'create'),
    ]),
    clusterBinding('energent-tenant-provisioner', { kind: 'User', name: provisioner }),
    clusterRole('energent-tenant-backup', [
      rule('velero.io', 'schedules', all),
      rule('velero.io', 'backups', 'get list'),
      rule('velero.io', 'deletebackuprequests', 'get list create patch'),
    ]),
    {
      apiVersion: RBAC,
      kind: 'RoleBinding',
      metadata: { name: 'energent-tenant-backup', namespace: 'velero' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'energent-tenant-backup' },
      subjects: [{ kind: 'User', name: provisioner, apiGroup: 'rbac.authorization.k8s.io' }],
    },
    ...['tenant-events-fence', 'tenant-namespace-guard'].map((name) => ({
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name },
      spec: { policyName: name, validationActions: ['Deny'] },
    })),
  ]
}

/** All cluster-wide objects and those of one namespace, or everything: for dumps. */
export function dumpObjects(store: ObjectStore, inNamespace?: string): KubeObject[] {
  if (inNamespace === undefined) return RESOURCES.flatMap((resource) => store.list(resource))
  const own = store.get(resourceOf('namespaces'), '', inNamespace)
  const contents = store.contents(inNamespace).map(({ object }) => object)
  return own === undefined ? contents : [own, ...contents]
}

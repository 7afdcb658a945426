import { CUSTOM_RESOURCES } from './custom-resources.ts'
import { podSpec } from './pod-schema.ts'
import { clusterWide, counted, metadata, type Resource, resource } from './resource.ts'
import { any, atomicStruct, bool, int, intOrText, list, map, quantity, struct, text } from './schema.ts'
import {
  claimSpec,
  limitRangeItem,
  networkPolicyPeer,
  networkPolicyPort,
  rbacRule,
  roleRef,
  selector,
  subjects,
} from './spec-schemas.ts'

const podTemplate = struct({ metadata, spec: podSpec })

export type { Resource }

/** Everything the server knows. A path that is not here is a 404, as on a server without that API. */
export const RESOURCES: readonly Resource[] = [
  resource('v1', 'Namespace', 'namespaces', { spec: struct({ finalizers: list(text) }) }, clusterWide),
  resource('v1', 'ResourceQuota', 'resourcequotas', {
    spec: struct({
      hard: map(quantity),
      scopes: list(text),
      scopeSelector: atomicStruct({
        matchExpressions: list(struct({ scopeName: text, operator: text, values: list(text) })),
      }),
    }),
  }),
  resource('v1', 'LimitRange', 'limitranges', { spec: struct({ limits: list(limitRangeItem) }) }),
  resource('v1', 'ServiceAccount', 'serviceaccounts', {
    automountServiceAccountToken: bool,
    imagePullSecrets: list(struct({ name: text })),
    secrets: list(any, ['name']),
  }),
  resource('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims', { spec: claimSpec }),
  resource(
    'v1',
    'PersistentVolume',
    'persistentvolumes',
    {
      spec: struct({
        accessModes: list(text),
        capacity: map(quantity),
        claimRef: atomicStruct({
          apiVersion: text,
          kind: text,
          namespace: text,
          name: text,
          uid: text,
          resourceVersion: text,
        }),
        csi: any,
        mountOptions: list(text),
        nodeAffinity: any,
        persistentVolumeReclaimPolicy: text,
        storageClassName: text,
        volumeMode: text,
      }),
    },
    clusterWide,
  ),
  resource('v1', 'ConfigMap', 'configmaps', { data: map(text), binaryData: map(text), immutable: bool }),
  resource('v1', 'Secret', 'secrets', {
    data: map(text),
    stringData: map(text),
    type: text,
    immutable: bool,
  }),
  resource('v1', 'Pod', 'pods', { spec: podSpec }),
  resource('v1', 'Service', 'services', {
    spec: struct({
      type: text,
      selector: { type: 'map', of: text, atomic: true },
      ports: list(
        struct({
          name: text,
          port: int,
          targetPort: intOrText,
          protocol: text,
          nodePort: int,
          appProtocol: text,
        }),
        ['port', 'protocol'],
      ),
      externalName: text,
      clusterIP: text,
      clusterIPs: list(text),
      externalIPs: list(text),
      externalTrafficPolicy: text,
      internalTrafficPolicy: text,
      ipFamilies: list(text),
      ipFamilyPolicy: text,
      allocateLoadBalancerNodePorts: bool,
      loadBalancerIP: text,
      loadBalancerClass: text,
      loadBalancerSourceRanges: list(text),
      publishNotReadyAddresses: bool,
      sessionAffinity: text,
      sessionAffinityConfig: any,
      healthCheckNodePort: int,
      trafficDistribution: text,
    }),
  }),
  resource(
    'networking.k8s.io/v1',
    'NetworkPolicy',
    'networkpolicies',
    {
      spec: struct({
        podSelector: selector,
        policyTypes: list(text),
        ingress: list(struct({ from: list(networkPolicyPeer), ports: list(networkPolicyPort) })),
        egress: list(struct({ to: list(networkPolicyPeer), ports: list(networkPolicyPort) })),
      }),
    },
    counted,
  ),
  resource(
    'policy/v1',
    'PodDisruptionBudget',
    'poddisruptionbudgets',
    {
      spec: struct({
        maxUnavailable: intOrText,
        minAvailable: intOrText,
        selector,
        unhealthyPodEvictionPolicy: text,
      }),
    },
    counted,
  ),
  resource('autoscaling/v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers', {
    spec: struct({
      scaleTargetRef: struct({ apiVersion: text, kind: text, name: text }),
      minReplicas: int,
      maxReplicas: int,
      metrics: list(any),
      behavior: any,
    }),
  }),
  resource('rbac.authorization.k8s.io/v1', 'RoleBinding', 'rolebindings', { roleRef, subjects }),
  resource('rbac.authorization.k8s.io/v1', 'Role', 'roles', { rules: list(rbacRule) }),
  resource(
    'rbac.authorization.k8s.io/v1',
    'ClusterRole',
    'clusterroles',
    { rules: list(rbacRule), aggregationRule: any },
    clusterWide,
  ),
  resource(
    'rbac.authorization.k8s.io/v1',
    'ClusterRoleBinding',
    'clusterrolebindings',
    { roleRef, subjects },
    clusterWide,
  ),
  resource(
    'scheduling.k8s.io/v1',
    'PriorityClass',
    'priorityclasses',
    { value: int, globalDefault: bool, description: text, preemptionPolicy: text },
    clusterWide,
  ),
  resource(
    'storage.k8s.io/v1',
    'StorageClass',
    'storageclasses',
    {
      provisioner: text,
      parameters: map(text),
      reclaimPolicy: text,
      allowVolumeExpansion: bool,
      volumeBindingMode: text,
      mountOptions: list(text),
      allowedTopologies: any,
    },
    clusterWide,
  ),
  resource(
    'admissionregistration.k8s.io/v1',
    'ValidatingAdmissionPolicy',
    'validatingadmissionpolicies',
    { spec: any },
    { clusterWide: true, counted: true },
  ),
  resource(
    'admissionregistration.k8s.io/v1',
    'ValidatingAdmissionPolicyBinding',
    'validatingadmissionpolicybindings',
    { spec: any },
    clusterWide,
  ),
  resource(
    'apps/v1',
    'Deployment',
    'deployments',
    {
      spec: struct({
        replicas: int,
        selector,
        template: podTemplate,
        strategy: any,
        minReadySeconds: int,
        paused: bool,
        progressDeadlineSeconds: int,
        revisionHistoryLimit: int,
      }),
    },
    counted,
  ),
  resource('batch/v1', 'Job', 'jobs', { spec: any }),
  ...CUSTOM_RESOURCES,
]

/** A kind by the parts of its URL. */
export function findResource(group: string, version: string, plural: string): Resource | undefined {
  return RESOURCES.find((one) => one.group === group && one.version === version && one.plural === plural)
}

/** The resource of a name this server is sure to know. */
export function resourceOf(plural: string): Resource {
  const found = RESOURCES.find((one) => one.plural === plural)
  if (found === undefined) throw new Error(`no resource ${plural}`)
  return found
}

/** The `apiVersion` its objects carry. */
export const apiVersionOf = (one: Resource): string =>
  one.group === '' ? one.version : `${one.group}/${one.version}`

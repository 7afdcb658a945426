import {
  at,
  ensureObject,
  isObject,
  type JsonObject,
  type KubeObject,
  listAt,
  objectAt,
  textAt,
} from './json.ts'
import { requestsFromLimits } from './limit-range.ts'
import type { Resource } from './resources.ts'

/** Fills in what the 1.30 server fills in, kind by kind, so that an unchanged re-apply changes nothing. */
export function applyDefaults(resource: Resource, object: KubeObject): void {
  const fill = DEFAULTS[resource.plural]
  if (fill !== undefined) fill(object)
}

const DEFAULTS: Readonly<Record<string, (object: KubeObject) => void>> = {
  namespaces: (object) => {
    // Spelled by the server, always: network policies may select on it.
    object.metadata.labels = {
      ...object.metadata.labels,
      'kubernetes.io/metadata.name': object.metadata.name,
    }
    ensureObject(object, 'spec')['finalizers'] ??= ['kubernetes']
    ensureObject(object, 'status')['phase'] ??= 'Active'
  },
  networkpolicies: (object) => {
    const spec = ensureObject(object, 'spec')
    const directions = at(spec, 'egress') === undefined ? ['Ingress'] : ['Ingress', 'Egress']
    spec['policyTypes'] ??= directions
    for (const rule of [...listAt(spec, 'ingress'), ...listAt(spec, 'egress')]) {
      for (const port of listAt(rule, 'ports').filter(isObject)) port['protocol'] ??= 'TCP'
    }
  },
  limitranges: (object) => {
    for (const item of listAt(object, 'spec', 'limits').filter(isObject)) defaultLimitItem(item)
  },
  persistentvolumeclaims: (object) => {
    ensureObject(object, 'spec')['volumeMode'] ??= 'Filesystem'
    ensureObject(object, 'status')['phase'] ??= 'Pending'
  },
  rolebindings: defaultSubjects,
  clusterrolebindings: defaultSubjects,
  services: (object) => {
    const spec = ensureObject(object, 'spec')
    spec['type'] ??= 'ClusterIP'
    spec['sessionAffinity'] ??= 'None'
    if (spec['type'] !== 'ExternalName') spec['internalTrafficPolicy'] ??= 'Cluster'
    for (const port of listAt(spec, 'ports').filter(isObject)) {
      port['protocol'] ??= 'TCP'
      port['targetPort'] ??= port['port']
    }
  },
  horizontalpodautoscalers: (object) => {
    ensureObject(object, 'spec')['minReplicas'] ??= 1
  },
  deployments: (object) => {
    ensureObject(object, 'spec')['replicas'] ??= 1
  },
  pods: (object) => {
    const spec = ensureObject(object, 'spec')
    spec['restartPolicy'] ??= 'Always'
    spec['dnsPolicy'] ??= 'ClusterFirst'
    spec['schedulerName'] ??= 'default-scheduler'
    spec['terminationGracePeriodSeconds'] ??= 30
    spec['securityContext'] ??= {}
    requestsFromLimits(object)
    ensureObject(object, 'status')['phase'] ??= 'Pending'
  },
}

/** A missing default is the maximum, a missing default request the default, else the minimum. */
function defaultLimitItem(item: JsonObject): void {
  if (textAt(item, 'type') !== 'Container') return
  const limits = ensureObject(item, 'default')
  for (const [name, value] of Object.entries(objectAt(item, 'max'))) limits[name] ??= value
  const requests = ensureObject(item, 'defaultRequest')
  for (const [name, value] of Object.entries(limits)) requests[name] ??= value
  for (const [name, value] of Object.entries(objectAt(item, 'min'))) requests[name] ??= value
}

function defaultSubjects(binding: KubeObject): void {
  ensureObject(binding, 'roleRef')['apiGroup'] ??= 'rbac.authorization.k8s.io'
  for (const subject of listAt(binding, 'subjects').filter(isObject)) {
    if (subject['kind'] !== 'ServiceAccount') subject['apiGroup'] ??= 'rbac.authorization.k8s.io'
  }
}

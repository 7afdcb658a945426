import { networkPolicies } from './kubernetes-network.ts'
import {
  type ClusterObject,
  type ClusterSpec,
  identityObjects,
  namespaceObject,
  quotaObjects,
} from './kubernetes-objects.ts'
import {
  backupSchedule,
  claimObject,
  configObject,
  releaseObject,
  scalingObjects,
  type TenantConfig,
} from './kubernetes-workloads.ts'

/** What keeps a tenant apart and within its tier: network policies first, then quotas and limits. */
export function guardrailObjects(spec: ClusterSpec): ClusterObject[] {
  return [...networkPolicies(spec), ...quotaObjects(spec)]
}

/** What is handed over to Flux, after what bounds it. */
export function workloadObjects(spec: ClusterSpec): ClusterObject[] {
  return [...scalingObjects(spec), releaseObject(spec)]
}

/** Everything a tenant has in a cluster, in the order in which it is applied. */
export function tenantObjects(spec: ClusterSpec, config: TenantConfig): ClusterObject[] {
  return [
    namespaceObject(spec),
    ...guardrailObjects(spec),
    ...identityObjects(spec),
    claimObject(spec),
    configObject(spec, config),
    ...workloadObjects(spec),
    backupSchedule(spec),
  ]
}

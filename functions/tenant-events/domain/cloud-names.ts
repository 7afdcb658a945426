import { createHash } from 'node:crypto'
import { namespaceOf } from '#shared/contracts/events/tenant-fact.ts'
import type { TenantId } from '#shared/ids.ts'

/** GKE's limit for the name of a cluster; a membership may have 63. */
const MOST_CLUSTER_NAME = 40
const HASH_DIGITS = 8
/** `t-`, the id's beginning, a hyphen and the hash fill the limit exactly. */
const KEPT = MOST_CLUSTER_NAME - 3 - HASH_DIGITS

/**
 * The name of a tenant's own cluster, or of its membership in the fleet.
 *
 * The name follows from the tenant's id, so that a creation whose answer was lost is found again. Ids too
 * long for the limit keep their beginning and a hash of the whole: those names are 40 characters, the
 * others at most 31, so that no tenant's name is another's.
 */
export function tenantClusterName(tenantId: TenantId): string {
  if (tenantId.length <= KEPT) return `t-${tenantId}`
  const hash = createHash('sha256').update(tenantId).digest('hex').slice(0, HASH_DIGITS)
  return `t-${tenantId.slice(0, KEPT)}-${hash}`
}

/** The secret that every tenant has: where operators and the tenant's own tools put what its workloads read. */
export function workloadSecretId(tenantId: TenantId): string {
  return `tenant-${tenantId}-workload`
}

/**
 * The tenant's workload as IAM knows it: a Kubernetes account of the project's workload identity pool
 * (guide "Workload Identity Federation for GKE"). One name of namespace and account is one identity in
 * all clusters of the project, which is why no two tenants may ever share a namespace's name.
 */
export function workloadMember(
  project: { readonly id: string; readonly number: string },
  tenantId: TenantId,
): string {
  const pool = `projects/${project.number}/locations/global/workloadIdentityPools/${project.id}.svc.id.goog`
  return `principal://iam.googleapis.com/${pool}/subject/ns/${namespaceOf(tenantId)}/sa/tenant-workload`
}

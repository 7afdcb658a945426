import { namespaceOf } from '#shared/contracts/events/tenant-fact.ts'
import { tenantClusterName } from '../../domain/cloud-names.ts'
import type { Step } from './step.ts'

/**
 * P02: decides where the tenant's workloads run; true with the commit that records it.
 *
 * Multi-tenant: the shared cluster. Dedicated: a cluster of the tenant's own, which P04 makes. Hybrid: the
 * customer's cluster, which P04 finds in the fleet. Names follow from the tenant's id, so that nobody
 * else's cluster can be meant; once placed, a tenant is never moved by a change of settings.
 */
export const allocatePlacement: Step = {
  run: async ({ tenant, operation, defaultCluster }) => {
    const shared = operation.desired.deploymentModel === 'multi_tenant'
    const placement = tenant.placement ?? {
      cluster: shared ? defaultCluster : tenantClusterName(tenant.tenantId),
      namespace: namespaceOf(tenant.tenantId),
    }
    return {
      kind: 'done',
      evidence: { ...placement },
      change: (current) => ({ ...current, placement }),
    }
  },
  undo: async () => ({ kind: 'done', change: (tenant) => ({ ...tenant, placement: null }) }),
}

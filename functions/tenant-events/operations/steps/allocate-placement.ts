import { namespaceOf } from '#shared/contracts/events/tenant-fact.ts'
import type { Step } from './step.ts'

/**
 * P02: decides where the tenant's workloads run; true with the commit that records it.
 *
 * A dedicated or hybrid tenant is never put on the shared cluster instead of its own: until P04 builds
 * clusters, their provisioning is refused and taken back.
 */
export const allocatePlacement: Step = {
  run: async ({ tenant, operation, defaultCluster }) => {
    if (operation.desired.deploymentModel !== 'multi_tenant') {
      const text = `no cluster for the deployment model ${operation.desired.deploymentModel}`
      return { kind: 'failed', failure: { kind: 'refused', code: 'placement.no_cluster', text } }
    }
    const placement = tenant.placement ?? {
      cluster: defaultCluster,
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

import { tenantFactType } from '#shared/contracts/events/tenant-fact.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import type { TenantId } from '#shared/ids.ts'

/** The fact that a tenant is active, as tenant-events publishes it. */
export function tenantFact(tenantId: string, nowMs: number) {
  return newEvent({
    id: `fact.${tenantId}.2`,
    source: '//energent.ai/tenant-events',
    type: tenantFactType('activated'),
    tenantId: tenantId as TenantId,
    nowMs,
    sequence: 2n,
    data: {
      tenantId,
      state: 'ACTIVE',
      tier: 'standard',
      deploymentModel: 'multi_tenant',
      cluster: 'energent-shared',
      namespace: `tenant-${tenantId}`,
      revision: 2,
      at: new Date(nowMs).toISOString(),
    },
  })
}

import { configObject, type TenantConfig } from '../../domain/kubernetes-workloads.ts'
import type { CloudAnswer } from '../../ports/cloud.ts'
import { applyObjects, clusterSpecOf, deleteObject, kindOf } from './apply-objects.ts'
import type { Step, StepWork } from './step.ts'

/** P09: what the workloads have to know, by name alone; the values of secrets stay in Secret Manager. */
export const seedConfig: Step = {
  run: async (work) => {
    const config = await tenantConfig(work)
    if (!config.ok) return { kind: 'failed', failure: config.failure }
    return applyObjects(work, [configObject(clusterSpecOf(work), config.value)])
  },
  undo: async (work) => {
    const config = configObject(clusterSpecOf(work), NOTHING)

    const deleted = await deleteObject(work, kindOf(config), config.metadata.name)
    if (!deleted.ok) return { kind: 'failed', failure: deleted.failure }
    return deleted.value === 'gone' ? { kind: 'done' } : { kind: 'waiting', waitingFor: 'cluster' }
  },
}

const NOTHING: TenantConfig = { cluster: '', region: '', deploymentModel: '', keyName: null, secrets: [] }

/** What the tenant's configuration follows from, its secrets as Secret Manager names them now. */
export async function tenantConfig(work: StepWork): Promise<CloudAnswer<TenantConfig>> {
  const { tenant, defaultCluster } = work
  const secrets = await work.world.secrets.list(tenant.tenantId, work.signal)
  if (!secrets.ok) return secrets
  const { deploymentModel, region } = tenant.desired
  return {
    ok: true,
    value: {
      cluster: tenant.placement?.cluster ?? defaultCluster,
      region,
      deploymentModel,
      keyName: tenant.keyName,
      secrets: secrets.value.map(({ name }) => name),
    },
  }
}

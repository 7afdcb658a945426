import { tenantClusterName } from '../../domain/cloud-names.ts'
import type { StepOutcome } from '../../domain/saga.ts'
import { nothingToUndo, type Step, type StepWork } from './step.ts'

const CLOUD = { kind: 'waiting', waitingFor: 'cloud' } as const satisfies StepOutcome
const GONE: StepOutcome = { kind: 'done', evidence: { left: '0' } }

/**
 * G11: a dedicated tenant's cluster goes; a hybrid tenant's leaves the fleet, and with it our way to it.
 *
 * A cluster without the tenant's label is somebody else's and stays.
 */
export const deleteCluster: Step = {
  run: (work) => {
    const model = work.operation.desired.deploymentModel
    if (model === 'multi_tenant') return Promise.resolve(GONE)
    return model === 'hybrid' ? leaveFleet(work) : takeClusterDown(work)
  },
  undo: nothingToUndo,
}

/** Gone is what was read to be gone; until then deletion is waited for, or asked for again. */
export async function takeClusterDown(work: StepWork): Promise<StepOutcome> {
  const { operation, signal, tenant, world } = work
  const name = tenantClusterName(tenant.tenantId)
  const { region } = operation.desired
  const found = await world.clusters.find(name, region, signal)
  if (!found.ok) return { kind: 'failed', failure: found.failure }
  if (found.value === undefined) return GONE
  if (found.value.tenantId !== tenant.tenantId) return foreign(name)
  // A cluster on its way cannot be turned back, and one that goes needs no second order.
  if (found.value.state === 'provisioning' || found.value.state === 'stopping') return CLOUD
  const deleted = await world.clusters.delete(name, region, signal)
  if (!deleted.ok) return { kind: 'failed', failure: deleted.failure }
  return deleted.value === null ? CLOUD : { ...CLOUD, evidence: { deletion: deleted.value.operation } }
}

async function leaveFleet(work: StepWork): Promise<StepOutcome> {
  const { signal, tenant, world } = work
  const name = tenantClusterName(tenant.tenantId)
  const found = await world.memberships.find(name, signal)
  if (!found.ok) return { kind: 'failed', failure: found.failure }
  if (found.value === undefined) return GONE
  if (found.value.tenantId !== tenant.tenantId) return foreign(name)
  if (found.value.state === 'stopping') return CLOUD
  const deleted = await world.memberships.delete(name, signal)
  return deleted.ok ? CLOUD : { kind: 'failed', failure: deleted.failure }
}

function foreign(name: string): StepOutcome {
  return { kind: 'done', evidence: { foreign: name } }
}

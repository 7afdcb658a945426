import { namespaceOf } from '#shared/contracts/events/tenant-fact.ts'
import { tenantClusterName } from '../../domain/cloud-names.ts'
import { type Failure, stepOf } from '../../domain/operation.ts'
import type { StepOutcome } from '../../domain/saga.ts'
import type { CloudCluster } from '../../ports/cloud.ts'
import { takeClusterDown } from './delete-cluster.ts'
import type { Step, StepWork } from './step.ts'

/** A cluster that cannot be made is tried this often: each try takes a quarter of an hour. */
const MOST_BUILDS = 3

const CLOUD = { kind: 'waiting', waitingFor: 'cloud' } as const satisfies StepOutcome

/**
 * P04: the cluster of a dedicated tenant is there and ours; that of a hybrid one is in the fleet.
 *
 * The name follows from the tenant's id, so that a lost answer is found again; one that is there is
 * adopted only with the tenant's label. Nobody waits for it: its operation is asked for by name, and
 * where that name was lost, the cluster itself tells.
 */
export const ensureCluster: Step = {
  run: (work) =>
    work.operation.desired.deploymentModel === 'hybrid' ? findMembership(work) : buildCluster(work),
  /** A customer's own cluster was not made here and is left as it is. */
  undo: async (work) =>
    work.operation.desired.deploymentModel === 'hybrid' ? { kind: 'done' } : takeClusterDown(work),
}

async function buildCluster(work: StepWork): Promise<StepOutcome> {
  const { operation, signal, tenant, world } = work
  const { region } = operation.desired
  const name = tenantClusterName(tenant.tenantId)
  const { evidence } = stepOf(operation, 'ensure-cluster')
  if (evidence['operation'] !== undefined) {
    const under = await world.clusters.operation(evidence['operation'], region, signal)
    if (!under.ok) return { kind: 'failed', failure: under.failure }
    if (under.value?.done === false) return CLOUD
  }
  const found = await world.clusters.find(name, region, signal)
  if (!found.ok) return { kind: 'failed', failure: found.failure }
  const cluster = found.value
  if (cluster === undefined) return order(work, name)
  if (cluster.tenantId !== tenant.tenantId) return refused(foreign(name))
  if (cluster.state === 'error') return rebuild(work, name)
  return cluster.state === 'running' ? whenReady(work, cluster) : CLOUD
}

async function order(work: StepWork, name: string): Promise<StepOutcome> {
  const { operation, signal, tenant, world } = work
  const builds = Number(stepOf(operation, 'ensure-cluster').evidence['builds'] ?? 0)
  if (builds >= MOST_BUILDS) {
    return refused({
      kind: 'refused',
      code: 'placement.cluster_failed',
      text: `${name} could not be made in ${builds} tries`,
    })
  }
  const location = operation.desired.region
  const created = await world.clusters.create({ tenantId: tenant.tenantId, name, location }, signal)
  if (!created.ok) return { kind: 'failed', failure: created.failure }
  return {
    ...CLOUD,
    evidence: { cluster: name, operation: created.value.operation, builds: `${builds + 1}` },
  }
}

/** What could not be made is in the way of its successor. */
async function rebuild({ operation, signal, world }: StepWork, name: string): Promise<StepOutcome> {
  const deleted = await world.clusters.delete(name, operation.desired.region, signal)
  if (!deleted.ok) return { kind: 'failed', failure: deleted.failure }
  return deleted.value === null ? CLOUD : { ...CLOUD, evidence: { operation: deleted.value.operation } }
}

async function findMembership(work: StepWork): Promise<StepOutcome> {
  const { signal, tenant, world } = work
  const name = tenantClusterName(tenant.tenantId)
  const found = await world.memberships.find(name, signal)
  if (!found.ok) return { kind: 'failed', failure: found.failure }
  const membership = found.value
  if (membership === undefined) {
    const text = `register the customer's cluster in the fleet as ${name}, with the label tenant-id=${tenant.tenantId}`
    return { kind: 'failed', failure: { kind: 'wait', code: 'placement.membership_missing', text } }
  }
  if (membership.tenantId !== tenant.tenantId) return refused(foreign(name))
  return membership.state === 'running' ? whenReady(work, membership) : CLOUD
}

/**
 * An API server that answers is not enough: until GitOps has put the platform's own objects there, our
 * account may do nothing. A namespace cannot be looked for before its role is bound.
 */
async function whenReady(work: StepWork, { address, name }: CloudCluster): Promise<StepOutcome> {
  if (address === null) return CLOUD
  const namespace = namespaceOf(work.tenant.tenantId)
  const seen = await work.cluster.find({ apiVersion: 'v1', kind: 'Namespace' }, namespace, work.signal)
  if (seen.ok) return { kind: 'done', evidence: { cluster: name, address: address.url } }
  const notYet = seen.failure.code === 'cluster.forbidden' || seen.failure.code === 'cluster.unauthorized'
  return notYet ? { kind: 'waiting', waitingFor: 'cluster' } : { kind: 'failed', failure: seen.failure }
}

function foreign(name: string): Failure {
  const text = `${name} exists and does not carry the tenant's label`
  return { kind: 'refused', code: 'placement.cluster_foreign', text }
}

function refused(failure: Failure): StepOutcome {
  return { kind: 'failed', failure }
}

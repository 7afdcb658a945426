import type { Operation } from '../../../../functions/tenant-events/domain/operation.ts'
import { NO_ANSWERS } from '../../../../functions/tenant-events/domain/operation.ts'
import type { Tenant } from '../../../../functions/tenant-events/domain/tenant.ts'
import { NEW_TENANT } from '../../../../functions/tenant-events/domain/tenant.ts'
import { applyGuardrails } from '../../../../functions/tenant-events/operations/steps/apply-guardrails.ts'
import { applyIdentity } from '../../../../functions/tenant-events/operations/steps/apply-identity.ts'
import { applyNamespace } from '../../../../functions/tenant-events/operations/steps/apply-namespace.ts'
import { applyStorage } from '../../../../functions/tenant-events/operations/steps/apply-storage.ts'
import { registerBackup } from '../../../../functions/tenant-events/operations/steps/register-backup.ts'
import { releaseWorkloads } from '../../../../functions/tenant-events/operations/steps/release-workloads.ts'
import { seedConfig } from '../../../../functions/tenant-events/operations/steps/seed-config.ts'
import type { Step, StepWork } from '../../../../functions/tenant-events/operations/steps/step.ts'
import { verifyIsolation } from '../../../../functions/tenant-events/operations/steps/verify-isolation.ts'
import type { Cluster } from '../../../../functions/tenant-events/ports/cluster.ts'
import { memoryCloud } from '../../memory-cloud.ts'
import { ACME, contextOf, LOG, TRACE } from '../../world.ts'

const NOW = Date.parse('2026-11-23T09:00:00Z')
const ORDER = {
  tier: 'standard',
  deploymentModel: 'multi_tenant',
  region: 'us-central1',
  trialEndsAt: null,
  suspension: null,
} as const

export const aTenant = (fields: Partial<Tenant> = {}): Tenant => ({
  tenantId: ACME,
  displayName: 'Acme',
  state: 'ACTIVE',
  revision: 1,
  factSequence: 1,
  specRevision: 1,
  desired: ORDER,
  observed: { tier: 'standard', subscriptionId: null, planId: null, suspension: null },
  placement: { cluster: 'energent-shared', namespace: 'tenant-acme' },
  namespaceUid: null,
  createdAtMs: NOW,
  ...NEW_TENANT,
  ...fields,
})

const anOperation = (fields: Partial<Operation>): Operation => ({
  operationId: 'op-1',
  tenantId: ACME,
  kind: 'provision',
  desired: ORDER,
  request: {},
  from: { tier: null, state: 'REQUESTED' },
  status: 'running',
  steps: {},
  answers: NO_ANSWERS,
  failure: null,
  resumeAtMs: null,
  startedAtMs: NOW,
  patientSinceMs: NOW,
  stuckAtMs: null,
  endedAtMs: null,
  ...fields,
})

/** What a step of an operation on the tenant `acme` sees, in the cluster given. */
export function stepWork(
  cluster: Cluster,
  fields: { readonly tenant?: Partial<Tenant>; readonly operation?: Partial<Operation> } = {},
): StepWork {
  const world = memoryCloud(() => NOW)
  return {
    tenant: aTenant(fields.tenant),
    operation: anOperation(fields.operation ?? {}),
    ctx: contextOf(ACME),
    cluster,
    // Steps of the cluster look at the cloud alone.
    world: world as unknown as StepWork['world'],
    defaultCluster: 'energent-shared',
    nowMs: NOW,
    trace: TRACE,
    signal: AbortSignal.timeout(60_000),
    log: LOG,
  }
}

/** P05 to P12, the part of them that is in the cluster. */
export const PROVISIONING: readonly Step[] = [
  applyNamespace,
  applyGuardrails,
  applyIdentity,
  applyStorage,
  seedConfig,
  releaseWorkloads,
  verifyIsolation,
  registerBackup,
]

/** Runs steps one after another, each until it is done; answers what the last one showed. */
export async function runSteps(steps: readonly Step[], work: StepWork): Promise<Record<string, string>> {
  let evidence: Record<string, string> = {}
  for (const step of steps) evidence = await runStep(step, work)
  return evidence
}

/** Runs a step until it is done, as often as it says that it waits. */
export async function runStep(step: Step, work: StepWork): Promise<Record<string, string>> {
  for (let turn = 0; turn < 20; turn += 1) {
    const outcome = await step.run(work)
    if (outcome.kind === 'done') return { ...outcome.evidence }
    if (outcome.kind === 'failed') throw new Error(`${outcome.failure.code}: ${outcome.failure.text}`)
  }
  throw new Error('the step is never done')
}

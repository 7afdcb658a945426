import type { StepKey } from '#shared/catalogue/operation-steps.ts'
import type { TenantId } from '#shared/ids.ts'
import { silentLogger } from '#shared/log.ts'
import { newOperation, withStep } from '../../../../functions/tenant-events/domain/operation.ts'
import type { OperationKind } from '../../../../functions/tenant-events/domain/plans.ts'
import type { StepOutcome } from '../../../../functions/tenant-events/domain/saga.ts'
import { requestTenant, type Tenant } from '../../../../functions/tenant-events/domain/tenant.ts'
import type { Step, StepWork } from '../../../../functions/tenant-events/operations/steps/step.ts'
import type { CloudPorts } from '../../../../functions/tenant-events/ports/cloud.ts'
import type { World } from '../../../../functions/tenant-events/ports.ts'
import { type MemoryCloud, memoryCloud } from '../../memory-cloud.ts'
import { memoryCluster } from '../../memory-cluster.ts'
import { ACME, aRequest, contextOf, NO_DEADLINE, TRACE } from '../../world.ts'

type Model = 'multi_tenant' | 'dedicated' | 'hybrid'

/** One step of one operation, run as the saga would run it: what an outcome says is kept for the next try. */
export type Bench = {
  readonly cloud: MemoryCloud
  readonly cluster: ReturnType<typeof memoryCluster>
  /** Milliseconds since 1970; waiting moves it. */
  nowMs: number
  tenant: Tenant
  readonly evidence: () => Readonly<Record<string, string>>
  /** One try. */
  once(step: Step, key: StepKey, verb?: 'run' | 'undo', ports?: CloudPorts): Promise<StepOutcome>
  /** Tries, waits and tries again until the step is done or refused. */
  toEnd(step: Step, key: StepKey, verb?: 'run' | 'undo', ports?: CloudPorts): Promise<StepOutcome>
}

const START_MS = Date.parse('2026-11-23T09:00:00Z')
const MOST_TRIES = 200

export function aBench(model: Model = 'multi_tenant', kind: OperationKind = 'provision'): Bench {
  const requested = requestTenant(
    aRequest({ deploymentModel: model }),
    { exists: false, tombstone: false },
    START_MS,
  )
  if (!requested.ok) throw new Error(requested.code)
  const tenant = requested.value
  const inputs = { kind, desired: tenant.desired, request: {}, from: { tier: null, state: tenant.state } }
  let operation = newOperation({ ...inputs, operationId: 'op1', tenantId: ACME }, START_MS)
  let current: StepKey = 'activate'
  const bench: Bench = {
    cloud: memoryCloud(() => bench.nowMs),
    cluster: memoryCluster(),
    nowMs: START_MS,
    tenant,
    evidence: () => operation.steps[current]?.evidence ?? {},
    once: async (step, key, verb = 'run', ports = bench.cloud) => {
      current = key
      const outcome = await step[verb](workOf(bench, operation, ports))
      if (outcome.kind === 'failed') return outcome
      const evidence = { ...operation.steps[key]?.evidence, ...outcome.evidence }
      operation = withStep(operation, key, { evidence })
      bench.tenant = outcome.change?.(bench.tenant) ?? bench.tenant
      return outcome
    },
    toEnd: async (step, key, verb, ports) => {
      for (let tries = 0; tries < MOST_TRIES; tries += 1) {
        const outcome = await bench.once(step, key, verb, ports)
        const refused = outcome.kind === 'failed' && outcome.failure.kind === 'refused'
        if (outcome.kind === 'done' || refused) return outcome
        const dueAtMs = outcome.kind === 'waiting' ? outcome.dueAtMs : undefined
        bench.nowMs = dueAtMs ?? bench.nowMs + 60_000
      }
      throw new Error(`${key} does not end`)
    },
  }
  return bench
}

function workOf(bench: Bench, operation: StepWork['operation'], ports: CloudPorts): StepWork {
  return {
    tenant: bench.tenant,
    operation,
    ctx: contextOf(ACME),
    cluster: bench.cluster,
    world: ports as World,
    defaultCluster: 'energent-shared',
    nowMs: bench.nowMs,
    trace: TRACE,
    signal: NO_DEADLINE,
    log: silentLogger,
  }
}

const LOST = { kind: 'transient', code: 'cloud.unreachable', text: 'no answer' } as const

/** The ports with their `at`-th call going wrong: it has no effect, or its answer is lost. */
export function failingAt(cloud: MemoryCloud, at: number, mode: 'before' | 'after') {
  let calls = 0
  const wrap = <T extends object>(port: T): T =>
    Object.fromEntries(
      Object.entries(port).map(([name, call]) => [
        name,
        async (...args: unknown[]) => {
          calls += 1
          if (calls !== at) return call(...args)
          if (mode === 'after') await call(...args)
          return { ok: false, failure: LOST }
        },
      ]),
    ) as T
  const ports: CloudPorts = {
    kms: wrap(cloud.kms),
    iam: wrap(cloud.iam),
    secrets: wrap(cloud.secrets),
    clusters: wrap(cloud.clusters),
    memberships: wrap(cloud.memberships),
  }
  return { ports, reached: () => calls >= at }
}

export const ANOTHER = 'globex' as TenantId

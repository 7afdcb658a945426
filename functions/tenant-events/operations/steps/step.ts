import type { Logger } from '#shared/log.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import type { Operation } from '../../domain/operation.ts'
import type { StepOutcome } from '../../domain/saga.ts'
import type { Tenant } from '../../domain/tenant.ts'
import type { Cluster } from '../../ports/cluster.ts'
import type { World } from '../../ports.ts'

/** What a step sees: the documents as its intent was committed, and the world through ports. */
export type StepWork = {
  readonly tenant: Tenant
  readonly operation: Operation
  /** Of the tenant, for the store's ports that take nothing less. */
  readonly ctx: TenantContext
  readonly cluster: Cluster
  /** What is outside Kubernetes and the two documents. */
  readonly world: World
  readonly defaultCluster: string
  readonly nowMs: number
  readonly trace: Trace
  /** Ends the step before its lease does. */
  readonly signal: AbortSignal
  readonly log: Logger
}

/**
 * One step of a saga. Both functions may run any number of times, after a crash at any point: they
 * look at the world before they change it and find work that is already done.
 */
export type Step = {
  /** Brings the effect about and verifies it by reading it back. */
  readonly run: (work: StepWork) => Promise<StepOutcome>
  /** Takes the effect back, as far as the world still shows it. */
  readonly undo: (work: StepWork) => Promise<StepOutcome>
}

/** For steps whose effect goes with another step's. */
export const nothingToUndo: Step['undo'] = async () => ({ kind: 'done' })

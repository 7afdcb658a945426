import { stepContinue } from '#shared/contracts/events/step-continue.ts'
import type { TenantFactKind } from '#shared/contracts/events/tenant-fact.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { backoffMs } from './backoff.ts'
import type { Burial } from './burial.ts'
import { announce, type Occasion, type OutgoingEvent, SOURCE } from './facts.ts'
import { held, parked } from './lease.ts'
import { type Evidence, type Failure, nextStep, type Operation, stepOf, withStep } from './operation.ts'
import { PLANS, type PlannedStep, type StepKey } from './plans.ts'
import type { RunningOperation, Tenant } from './tenant.ts'
import type { Work } from './work.ts'

/** What a step can wait for; nobody waits in a function. */
export type Awaited = 'billing' | 'auth' | 'slots' | 'cluster' | 'cloud' | 'volume' | 'key'

/** How a step's try ended. `change` and `facts` become true in the commit that records it. */
export type StepOutcome =
  | {
      readonly kind: 'done'
      readonly evidence?: Evidence
      readonly change?: (tenant: Tenant) => Tenant
      readonly facts?: readonly TenantFactKind[]
      readonly events?: readonly OutgoingEvent[]
      /** With the last step of a purge alone. */
      readonly burial?: Burial
    }
  | {
      readonly kind: 'waiting'
      readonly waitingFor: Awaited
      /** When it is worth looking again; the usual back-off unless given. An answer wakes it before. */
      readonly dueAtMs?: number
      readonly evidence?: Evidence
      readonly events?: readonly OutgoingEvent[]
      readonly change?: (tenant: Tenant) => Tenant
    }
  | { readonly kind: 'failed'; readonly failure: Failure }

/** What becomes true together, and whether the worker goes on with the next step. */
export type Progress = {
  readonly tenant: Tenant
  readonly operation: Operation
  readonly events: readonly OutgoingEvent[]
  readonly next: 'continue' | 'parked' | 'yielded' | 'ended'
}

export type SettleOptions = Occasion & {
  /** Random in [0, 1), for back-off. */
  readonly chance: number
  /** False when the invocation's time is nearly over. */
  readonly mayContinue: boolean
}

/** A permanent refusal is tried this often: roles and policies take seconds to reach the cluster. */
const PERMANENT_TRIES = 3
const STUCK_AFTER_MS = 30 * 60_000

/**
 * Writes down that a step is about to be tried, and what undoing it will be owed, before its effect.
 *
 * The first try of an operation also moves the tenant into the state the operation runs in.
 */
export function intend(work: Work, op: RunningOperation): Pick<Progress, 'tenant' | 'operation'> {
  const step = nextStep(work.operation)
  if (step === undefined) return { tenant: { ...work.tenant, op }, operation: work.operation }
  const record = stepOf(work.operation, step.key)
  const operation =
    work.operation.status === 'compensating'
      ? withStep(work.operation, step.key, { attempts: record.attempts + 1 })
      : withStep(work.operation, step.key, {
          status: 'intended',
          attempts: record.attempts + 1,
          undo: step.owesUndo ? 'owed' : 'none',
        })
  const attempt = op.step === step.key ? op.attempt + 1 : 1
  const { runningState } = PLANS[operation.kind]
  const { tenant } = work
  const moved =
    runningState === null || tenant.state === runningState
      ? tenant
      : { ...tenant, state: runningState, revision: tenant.revision + 1 }
  return { tenant: { ...moved, op: { ...op, step: step.key, attempt } }, operation }
}

/**
 * What follows from how a step's try ended: the next step, a wait, the way back, or the end.
 *
 * Called with the documents as they are now, which may have learnt something while the step ran.
 */
export function settle(
  work: Work,
  op: RunningOperation,
  step: PlannedStep,
  outcome: StepOutcome,
  options: SettleOptions,
): Progress {
  if (outcome.kind === 'done') return advance(completed(work, step, outcome), op, outcome, options)
  if (outcome.kind === 'waiting') return wait(work, op, step, outcome, options)
  const { failure } = outcome
  const record = stepOf(work.operation, step.key)
  const permanent = failure.kind === 'permanent' || failure.kind === 'refused'
  const refusals = record.refusals + (permanent ? 1 : 0)
  const lastError = { code: failure.code, text: failure.text.slice(0, 300), retriable: !permanent }
  const operation = withStep(work.operation, step.key, {
    refusals,
    lastError,
    waitingFor: failure.kind === 'wait' ? 'cluster' : null,
  })
  const turn = operation.status === 'running' && (failure.kind === 'refused' || refusals >= PERMANENT_TRIES)
  if (!turn) return park({ ...work, operation }, op, [], options, failure.retryAfterMs)
  const back: Operation = {
    ...operation,
    status: 'compensating',
    failure: { step: step.key, code: failure.code, blocked: failure.blocked === true },
  }
  return advance({ ...work, operation: back }, { ...op, attempt: 0 }, {}, options)
}

function completed(work: Work, step: PlannedStep, outcome: StepOutcome & { kind: 'done' }): Work {
  const { operation, tenant } = work
  const evidence = { ...stepOf(operation, step.key).evidence, ...outcome.evidence }
  const fields =
    operation.status === 'compensating'
      ? ({ status: 'undone', undo: 'done' } as const)
      : ({ status: 'done' } as const)
  return {
    ...work,
    operation: withStep(operation, step.key, { ...fields, waitingFor: null, lastError: null, evidence }),
    tenant: outcome.change === undefined ? tenant : outcome.change(tenant),
  }
}

/** On to the next step, with its intent in the same commit; or to the end when there is none. */
function advance(
  work: Work,
  op: RunningOperation,
  said: { readonly facts?: readonly TenantFactKind[]; readonly events?: readonly OutgoingEvent[] },
  options: SettleOptions,
): Progress {
  const events = said.events ?? []
  const facts = said.facts ?? []
  if (nextStep(work.operation) === undefined) return end(work, facts, events, options)
  const announced = announce(work.tenant, facts, options)
  const now = { ...work, tenant: announced.tenant }
  const all = [...events, ...announced.events]
  if (options.mayContinue) {
    const intended = intend(now, held(op, work.readTimeMs, options.nowMs))
    return { ...intended, events: all, next: 'continue' }
  }
  const tenant = { ...now.tenant, op: parked(op, options.nowMs) }
  return {
    tenant,
    operation: work.operation,
    events: [...all, continuation(tenant, op, `${op.fence}`, options)],
    next: 'yielded',
  }
}

function end(
  work: Work,
  facts: readonly TenantFactKind[],
  events: readonly OutgoingEvent[],
  options: SettleOptions,
): Progress {
  const { operation } = work
  const failed = operation.status === 'compensating'
  const ended: Tenant = {
    ...work.tenant,
    op: null,
    ...(failed ? { state: 'PROVISION_FAILED' as const } : {}),
  }
  const announced = announce(ended, failed ? [...facts, 'provision-failed'] : facts, options)
  return {
    tenant: announced.tenant,
    operation: { ...operation, status: failed ? 'failed' : 'succeeded', endedAtMs: options.nowMs },
    events: [...events, ...announced.events],
    next: 'ended',
  }
}

/** An answer that came while the step ran is not waited for. */
function wait(
  work: Work,
  op: RunningOperation,
  step: PlannedStep,
  outcome: StepOutcome & { kind: 'waiting' },
  options: SettleOptions,
): Progress {
  const answered = outcome.waitingFor === 'billing' && work.operation.answers.subscription !== null
  if (answered) return advance(work, op, {}, options)
  const record = stepOf(work.operation, step.key)
  const operation = withStep(work.operation, step.key, {
    // A step that is being undone keeps the status it is undone from.
    ...(work.operation.status === 'running' ? { status: 'waiting' as const } : {}),
    waitingFor: outcome.waitingFor,
    evidence: { ...record.evidence, ...outcome.evidence },
  })
  return park({ ...work, operation }, op, outcome.events ?? [], options)
}

/** Nobody works on it until it is due; after half an hour that is said, once. */
function park(
  work: Work,
  op: RunningOperation,
  events: readonly OutgoingEvent[],
  options: SettleOptions,
  retryAfterMs = 0,
): Progress {
  const stuck =
    work.operation.stuckAtMs === null && options.nowMs - work.operation.startedAtMs >= STUCK_AFTER_MS
  const announced = announce(work.tenant, stuck ? ['operation-stuck'] : [], options)
  const dueAtMs = options.nowMs + backoffMs(op.attempt, options.chance, retryAfterMs)
  return {
    tenant: { ...announced.tenant, op: parked(op, dueAtMs) },
    operation: stuck ? { ...work.operation, stuckAtMs: options.nowMs } : work.operation,
    events: [...events, ...announced.events],
    next: 'parked',
  }
}

/**
 * Asks for the operation to be continued. `occasion` makes the id unique among those of the operation
 * and the same each time: continuations are harmless in any number, two events of one id are not.
 */
export function continuation(
  tenant: Tenant,
  op: { readonly operationId: string },
  occasion: string,
  about: Omit<Occasion, 'operationId'>,
): OutgoingEvent {
  return {
    topic: 'tenant-work',
    event: newEvent({
      id: `${op.operationId}.${occasion}`,
      source: SOURCE,
      type: stepContinue.type,
      tenantId: tenant.tenantId,
      nowMs: about.nowMs,
      correlationId: op.operationId,
      ...(about.trace === undefined ? {} : { trace: about.trace }),
      data: { tenantId: tenant.tenantId, operationId: op.operationId },
    }),
  }
}

/** The lease's view of a tenant's next step, for a new operation. */
export function startOf(operation: Operation, firstStep: StepKey, nowMs: number): RunningOperation {
  return {
    operationId: operation.operationId,
    kind: operation.kind,
    step: firstStep,
    attempt: 0,
    fence: 0,
    leaseBy: '',
    leaseUntilMs: 0,
    dueAtMs: nowMs,
  }
}

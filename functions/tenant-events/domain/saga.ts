import { backoffMs } from './backoff.ts'
import { continuation } from './continuation.ts'
import { type Draft, draftOf, enqueue, say, withEvents, withOperation, withTenant } from './draft.ts'
import type { Occasion } from './facts.ts'
import { endOperation, followDesired, freed, stepAside, turnsRound } from './follow-desired.ts'
import { held, parked } from './lease.ts'
import {
  type Answers,
  type Failure,
  NO_ANSWERS,
  nextStep,
  type Operation,
  stepOf,
  withStep,
} from './operation.ts'
import { type OperationKind, PLANS, type PlannedStep } from './plans.ts'
import type { StepOutcome } from './step-outcome.ts'
import type { RunningOperation } from './tenant.ts'
import type { Work } from './work.ts'

export type { Awaited, StepOutcome } from './step-outcome.ts'

/** What becomes true together, and whether the worker goes on with the next step. */
export type Progress = {
  readonly draft: Draft
  readonly next: 'continue' | 'parked' | 'yielded' | 'ended'
}

export type SettleOptions = Occasion & {
  /** The store's time of the read. */
  readonly readTimeMs: number
  /** Random in [0, 1), for back-off. */
  readonly chance: number
  /** False when the invocation's time is nearly over. */
  readonly mayContinue: boolean
}

/** A permanent refusal is tried this often: roles and policies take seconds to reach the cluster. */
const PERMANENT_TRIES = 3
const STUCK_AFTER_MS = 30 * 60_000
/** How long an operation that cannot turn round leaves what refused it alone. */
const REFUSED_PAUSE_MS = 20 * 60_000

/** The failure of an operation that made way for another. */
export const SUPERSEDED = 'operation.superseded'

/** Goes on with an operation that a worker has just taken over: with its next step, or with another. */
export function goOn(work: Work, op: RunningOperation, options: SettleOptions): Progress {
  return atBoundary(draftOfWork(work), work.operation, op, options)
}

/**
 * What follows from how a step's try ended: the next step, a wait, the way back, or the end.
 *
 * Called with the documents as they are now, which may have learnt something while the step ran; `seen`
 * is what others had answered when it began.
 */
export function settle(
  work: Work,
  op: RunningOperation,
  step: PlannedStep,
  outcome: StepOutcome,
  options: SettleOptions & { readonly seen: Answers },
): Progress {
  const draft = draftOfWork(work)
  if (outcome.kind === 'done') return afterDone(draft, work.operation, op, step, outcome, options)
  if (outcome.kind === 'waiting') return afterWaiting(draft, work.operation, op, step, outcome, options)
  return afterFailure(draft, work.operation, op, step, outcome.failure, options)
}

function draftOfWork({ tenant, operation, waiting }: Work): Draft {
  return draftOf(tenant, [operation, ...waiting])
}

function afterDone(
  draft: Draft,
  operation: Operation,
  op: RunningOperation,
  step: PlannedStep,
  outcome: StepOutcome & { kind: 'done' },
  options: SettleOptions,
): Progress {
  const { change, events = [], facts = [], burial = null, scheduleAtMs = 0 } = outcome
  const undoing = operation.status === 'compensating'
  const evidence = { ...stepOf(operation, step.key).evidence, ...outcome.evidence }
  const recorded = withStep(operation, step.key, {
    ...(undoing ? ({ status: 'undone', undo: 'done' } as const) : ({ status: 'done' } as const)),
    waitingFor: null,
    lastError: null,
    evidence,
  })
  const tenant = change === undefined ? draft.tenant : change(draft.tenant)
  const done = withEvents(withOperation({ ...draft, tenant, burial }, recorded), events)
  const said = say(done, facts, operation.operationId, options)
  const later = !undoing && scheduleAtMs > options.nowMs && nextStep(recorded) !== undefined
  if (!later) return atBoundary(said, recorded, op, options)
  // Whatever takes over does so now: put off, this operation would be there beside its successor.
  const turned = turnRound(said, recorded, op, options)
  return turned ?? { draft: schedule(said, recorded, scheduleAtMs, options), next: 'ended' }
}

/** The operation leaves the tenant until its day; what waits for the tenant may go first. */
function schedule(draft: Draft, operation: Operation, atMs: number, options: SettleOptions): Draft {
  const { operationId, tenantId } = operation
  const { tenant } = draft
  // Only a change of tier has a day, and it runs in a tenant that is active.
  const state = tenant.state === PLANS[operation.kind].runningState ? 'ACTIVE' : tenant.state
  const scheduled: Operation = { ...operation, status: 'scheduled', resumeAtMs: atMs }
  const timer = { tenantId, operationId, kind: 'operation-due' as const, dueAtMs: atMs }
  const free = withTenant(draft, { ...freed(tenant), state, revision: tenant.revision + 1 })
  const waiting = enqueue({ ...free, timers: [...free.timers, timer] }, scheduled, atMs)
  return followDesired(waiting, options)
}

/** Between two steps: another operation may take over; otherwise the next step's intent is written. */
function atBoundary(
  draft: Draft,
  operation: Operation,
  op: RunningOperation,
  options: SettleOptions,
): Progress {
  const turned = turnRound(draft, operation, op, options)
  if (turned !== undefined) return turned
  return proceed(draft, operation, op, options)
}

function proceed(draft: Draft, operation: Operation, op: RunningOperation, options: SettleOptions): Progress {
  if (nextStep(operation) === undefined) {
    return { draft: endOperation(draft, operation, endOf(operation), options), next: 'ended' }
  }
  if (options.mayContinue) {
    const lease = held(op, options.readTimeMs, options.nowMs)
    return { draft: intend(draft, operation, lease), next: 'continue' }
  }
  const left = withTenant(withOperation(draft, operation), { op: parked(op, options.nowMs) })
  const event = continuation(draft.tenant, op, `${op.fence}`, options)
  return { draft: withEvents(left, [event]), next: 'yielded' }
}

function endOf({ status, failure }: Operation): 'succeeded' | 'failed' | 'superseded' {
  if (status !== 'compensating') return 'succeeded'
  return failure?.code === SUPERSEDED ? 'superseded' : 'failed'
}

/**
 * Writes down that a step is about to be tried, and what undoing it will be owed, before its effect.
 *
 * The first try of a provisioning also moves the tenant into the state it runs in.
 */
function intend(draft: Draft, operation: Operation, op: RunningOperation): Draft {
  const step = nextStep(operation)
  if (step === undefined) return draft
  const attempts = stepOf(operation, step.key).attempts + 1
  const intended =
    operation.status === 'compensating'
      ? withStep(operation, step.key, { attempts })
      : withStep(operation, step.key, {
          status: 'intended',
          attempts,
          undo: step.owesUndo ? 'owed' : 'none',
        })
  const attempt = op.step === step.key ? op.attempt + 1 : 1
  const { runningState } = PLANS[operation.kind]
  const { tenant } = draft
  const moves = runningState !== null && tenant.state !== runningState
  return withTenant(withOperation(draft, intended), {
    op: { ...op, step: step.key, attempt },
    ...(moves ? { state: runningState, revision: tenant.revision + 1 } : {}),
  })
}

/**
 * Makes way for what takes over from the running operation, if anything does.
 *
 * What must not be left half done is undone first. A purge undoes everything by itself, and needs
 * nothing undone but what was never known to anybody: the making of the tenant.
 */
function turnRound(
  draft: Draft,
  operation: Operation,
  op: RunningOperation,
  options: SettleOptions,
): Progress | undefined {
  const other = turnsRound(draft.tenant, operation, options.nowMs)
  if (other === undefined) return undefined
  const plan = PLANS[operation.kind]
  const known = withOperation(draft, operation)
  if (plan.runningState === null) return { draft: stepAside(known, options), next: 'ended' }
  if (!mustUndo(operation.kind, other.kind)) {
    return { draft: endOperation(known, operation, 'superseded', options), next: 'ended' }
  }
  if (operation.status === 'compensating') return undefined
  return turnBack(draft, operation, op, { code: SUPERSEDED, blocked: false }, options)
}

function mustUndo(kind: OperationKind, other: OperationKind): boolean {
  return kind === 'provision' || (kind === 'tier-change' && other === 'tier-change')
}

/**
 * From now on what was done is undone, the last first. The objects get a higher number for it, so that a
 * worker that is late with what is being undone is refused by the cluster.
 */
function turnBack(
  draft: Draft,
  operation: Operation,
  op: RunningOperation,
  why: { readonly code: string; readonly blocked: boolean },
  options: SettleOptions,
): Progress {
  const failure = { step: op.step, code: why.code, blocked: why.blocked }
  const back: Operation = { ...operation, status: 'compensating', failure }
  const fenced = withTenant(draft, { specRevision: draft.tenant.specRevision + 1 })
  return proceed(fenced, back, { ...op, attempt: 0 }, options)
}

function afterFailure(
  draft: Draft,
  before: Operation,
  op: RunningOperation,
  step: PlannedStep,
  failure: Failure,
  options: SettleOptions,
): Progress {
  const permanent = failure.kind === 'permanent' || failure.kind === 'refused'
  const refusals = stepOf(before, step.key).refusals + (permanent ? 1 : 0)
  const lastError = { code: failure.code, text: failure.text.slice(0, 300), retriable: !permanent }
  const waitingFor = failure.kind === 'wait' ? 'cluster' : null
  const operation = withStep(before, step.key, { refusals, lastError, waitingFor })
  const { onRefusal } = PLANS[operation.kind]
  const final = operation.status === 'running' && (failure.kind === 'refused' || refusals >= PERMANENT_TRIES)
  const why = { code: failure.code, blocked: failure.blocked === true }
  if (final && onRefusal === 'compensate') return turnBack(draft, operation, op, why, options)
  if (final && onRefusal === 'fail') {
    const failed = { ...operation, failure: { step: step.key, ...why } }
    return { draft: endOperation(draft, failed, 'failed', options), next: 'ended' }
  }
  const pauseMs = final ? REFUSED_PAUSE_MS : (failure.retryAfterMs ?? 0)
  return park(draft, operation, op, options, { pauseMs, stuck: final })
}

/** An answer that came while the step ran is not waited for, and nothing is where the step has more to do. */
function afterWaiting(
  draft: Draft,
  before: Operation,
  op: RunningOperation,
  step: PlannedStep,
  outcome: StepOutcome & { kind: 'waiting' },
  options: SettleOptions & { readonly seen: Answers },
): Progress {
  const { again = false, waitingFor, dueAtMs, change, events = [], facts = [] } = outcome
  const operation = withStep(before, step.key, {
    // A step that is being undone keeps the status it is undone from.
    ...(before.status === 'running' ? { status: 'waiting' as const } : {}),
    waitingFor,
    evidence: { ...stepOf(before, step.key).evidence, ...outcome.evidence },
  })
  const tenant = change === undefined ? draft.tenant : change(draft.tenant)
  const known = withEvents(withOperation({ ...draft, tenant }, operation), events)
  const waiting = say(known, facts, operation.operationId, options)
  if (again || hasAnswered(operation.answers, options.seen))
    return atBoundary(waiting, operation, op, options)
  return park(waiting, operation, op, options, dueAtMs === undefined ? {} : { dueAtMs })
}

function hasAnswered(now: Answers, seen: Answers): boolean {
  const kinds = Object.keys(NO_ANSWERS) as (keyof Answers)[]
  return kinds.some((kind) => now[kind] !== null && seen[kind] === null)
}

/**
 * Nobody works on it until it is due; after half an hour that is said, once, unless it is known how long
 * it takes.
 */
function park(
  draft: Draft,
  operation: Operation,
  op: RunningOperation,
  options: SettleOptions,
  wait: { readonly pauseMs?: number; readonly stuck?: boolean; readonly dueAtMs?: number },
): Progress {
  const turned = turnRound(draft, operation, op, options)
  if (turned !== undefined) return turned
  const { pauseMs = 0, dueAtMs, stuck = false } = wait
  const patient = dueAtMs !== undefined && dueAtMs > options.nowMs
  const late = !patient && options.nowMs - operation.patientSinceMs >= STUCK_AFTER_MS
  const tell = operation.stuckAtMs === null && (stuck || late)
  const parkedUntilMs = patient ? dueAtMs : options.nowMs + backoffMs(op.attempt, options.chance, pauseMs)
  const left = withTenant(
    withOperation(draft, tell ? { ...operation, stuckAtMs: options.nowMs } : operation),
    { op: parked(op, parkedUntilMs) },
  )
  return {
    draft: say(left, tell ? ['operation-stuck'] : [], operation.operationId, options),
    next: 'parked',
  }
}

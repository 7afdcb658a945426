import { type Refusal, refuse } from '#shared/result.ts'
import type { Command, CommandName, CommandOrigin } from './command.ts'
import { continuation } from './continuation.ts'
import {
  type Draft,
  enqueue,
  type Moment,
  runningIn,
  waitingIn,
  withEvents,
  withOperation,
  withTenant,
} from './draft.ts'
import { endOperation, enter, followDesired, turnsRound } from './follow-desired.ts'
import { parked } from './lease.ts'
import { newOperation, type Operation, type OperationRequest } from './operation.ts'
import { type OperationKind, PLANS } from './plans.ts'
import { mayStart, type Verdict } from './state-table.ts'
import type { Tenant } from './tenant.ts'

/** A command that was taken: what it changes, and the operation that answers it. */
export type Accepted = {
  readonly draft: Draft
  /** Null for what has none: a legal hold, a first approval, an event that changes nothing. */
  readonly operationId: string | null
}

export type AcceptOptions = Moment & {
  readonly origin: CommandOrigin
  /** For the operation, if the command makes one. */
  readonly operationId: string
}

/** A command, and what the state table says to it. */
export type Asked<Name extends CommandName> = {
  readonly draft: Draft
  readonly command: Extract<Command, { name: Name }>
  readonly verdict: Exclude<Verdict, 'reject'>
  readonly options: AcceptOptions
}

/** Takes the operation that a command asks for. */
export function order(
  draft: Draft,
  kind: OperationKind,
  request: OperationRequest,
  options: AcceptOptions,
): Accepted {
  const queued = { ...operationOf(draft.tenant, kind, request, options), status: 'queued' as const }
  return { draft: place(draft, queued, options), operationId: queued.operationId }
}

/**
 * Gives a new operation its place: it waits instead of an earlier one of its kind, starts at once if
 * nothing stands in its way, and whoever must make way for it is told.
 */
export function place(draft: Draft, queued: Operation, moment: Moment): Draft {
  const earlier = waitingIn(draft, queued.kind)
  const waiting = enqueue(revised(draft), queued)
  const alone = earlier === undefined ? waiting : endOperation(waiting, earlier, 'superseded', moment)
  const entered = entersNow(alone, queued) ? enter(alone, queued, moment) : alone
  return wake(followDesired(entered, moment), `for.${queued.operationId}`, moment)
}

/** Behind an operation that leaves the state alone, the next one's state begins with its acceptance. */
function entersNow(draft: Draft, { kind }: Operation): boolean {
  const running = runningIn(draft)
  if (running === undefined || PLANS[running.kind].runningState !== null) return false
  return PLANS[kind].runningState !== null && mayStart(draft.tenant.state, kind)
}

/**
 * Answers a command that changes nothing, or no more than the draft has: with the operation that does what
 * it asks, or with one that is done. To an event nobody waits for such an answer.
 */
export function answer(
  draft: Draft,
  operation: Operation | undefined,
  kind: OperationKind,
  request: OperationRequest,
  options: AcceptOptions,
): Accepted {
  if (operation !== undefined) return { draft, operationId: operation.operationId }
  if (options.origin.by !== 'operator') return { draft, operationId: null }
  const { operationId, nowMs } = options
  const done: Operation = {
    ...operationOf(draft.tenant, kind, request, options),
    status: 'succeeded',
    endedAtMs: nowMs,
  }
  const answered = withOperation(draft, done)
  return { draft: { ...answered, ended: [...answered.ended, done] }, operationId }
}

/** Takes back what waits, if it does. */
export function drop(draft: Draft, kind: OperationKind, options: AcceptOptions): Draft {
  const waiting = waitingIn(draft, kind)
  return waiting === undefined ? draft : endOperation(draft, waiting, 'superseded', options)
}

/** Lets the running operation look up, if it sleeps and must make way; a worker looks by itself. */
export function wake(draft: Draft, occasion: string, options: Moment): Draft {
  const { op } = draft.tenant
  const running = runningIn(draft)
  if (op === null || running === undefined || op.leaseUntilMs !== 0) return draft
  if (turnsRound(draft.tenant, running, options.nowMs) === undefined) return draft
  return awake(draft, occasion, options)
}

/** The running operation is due now, and somebody is told. */
export function awake(draft: Draft, occasion: string, options: Moment): Draft {
  const { op } = draft.tenant
  if (op === null || op.leaseUntilMs !== 0) return draft
  const due = withTenant(draft, { op: parked(op, Math.min(op.dueAtMs, options.nowMs)) })
  return withEvents(due, [continuation(draft.tenant, op, occasion, options)])
}

/** The draft with another revision: whoever has seen the tenant has not seen this. */
export function revised(draft: Draft): Draft {
  return withTenant(draft, { revision: draft.tenant.revision + 1 })
}

function operationOf(
  { tenantId, desired, observed, state }: Tenant,
  kind: OperationKind,
  request: OperationRequest,
  { operationId, nowMs }: AcceptOptions,
): Operation {
  const from = { tier: observed.tier, state }
  return newOperation({ operationId, tenantId, kind, desired, request, from }, nowMs)
}

/** Told to the caller: in which state the tenant is, and what leads out of it. */
export function refusedIn(state: Tenant['state'], command: CommandName, why?: string): Refusal {
  const hint = why ?? `The tenant is ${state}. ${REMEDIES[state] ?? 'Wait until its operation is over.'}`
  return refuse('tenant.state_conflict', `${command} in ${state}`, hint)
}

const REMEDIES: Readonly<Partial<Record<Tenant['state'], string>>> = {
  REQUESTED: 'Wait until it is ACTIVE.',
  PROVISIONING: 'Wait until it is ACTIVE.',
  PROVISION_FAILED: 'Retry the operation that failed, or offboard the tenant.',
  REJECTED: 'Create a tenant with another id.',
  OFFBOARDING: 'Cancel the offboarding first.',
  GRACE: 'Cancel the offboarding first.',
  PURGING: 'Nothing leads back from there.',
  PURGED: 'Nothing leads back from there.',
}

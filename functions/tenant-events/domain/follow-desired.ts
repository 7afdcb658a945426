import { continuation, startOf } from './continuation.ts'
import {
  type Draft,
  enqueue,
  type Moment,
  runningIn,
  say,
  withEvents,
  withOperation,
  withTenant,
} from './draft.ts'
import { type End, endingOf } from './endings.ts'
import { hasBegun, nextStep, type Operation } from './operation.ts'
import { type OperationKind, PLANS } from './plans.ts'
import { commandOf, mayStart, STATE_TABLE } from './state-table.ts'
import { holdsAsHard } from './suspension.ts'
import type { Desired, Tenant, WaitingOperation } from './tenant.ts'

/** What waits starts in this order. A purge leaves nothing for the others to do. */
const PRECEDENCE: readonly OperationKind[] = [
  'purge',
  'provision',
  'suspend',
  'resume',
  'offboard-cancel',
  'offboard',
  'tier-change',
  'export',
  'reconcile',
]

/**
 * Starts what waits and may start, once nothing runs, and ends what has become pointless or impossible.
 *
 * This is all that drives a tenant from one operation to the next: whatever the order in which commands
 * came, the tenant goes on until nothing that waits may start.
 */
export function followDesired(draft: Draft, moment: Moment): Draft {
  const pruned = prune(draft, moment)
  if (pruned.tenant.op !== null) return pruned
  const next = nextInQueue(pruned.tenant, moment.nowMs)
  const operation = next === undefined ? undefined : pruned.operations.get(next.operationId)
  if (operation === undefined) return pruned
  if (isSo(pruned.tenant, operation)) {
    return followDesired(settleWaiting(pruned, operation, 'succeeded', moment), moment)
  }
  // The state that it brings may have no place for what else waits.
  return prune(start(pruned, operation, moment), moment)
}

/**
 * Begins an operation: the tenant enters its state, the first continuation leaves with the commit, and the
 * objects of the cluster get a number by which whoever still works for an earlier operation is refused.
 */
export function start(draft: Draft, operation: Operation, moment: Moment): Draft {
  const { operationId, kind } = operation
  const entered = enter(dequeue(draft, operationId), operation, moment)
  const { tenant } = entered
  const started: Operation = {
    ...(draft.operations.get(operationId) ?? operation),
    ...(hasBegun(operation) ? {} : inputsOf(draft.tenant, operation)),
    status: 'running',
    resumeAtMs: null,
    patientSinceMs: moment.nowMs,
  }
  const first = nextStep(started)
  const revision = tenant.revision + 1
  const fenced = changesObjects(kind) ? tenant.specRevision + 1 : tenant.specRevision
  const running = withTenant(withOperation(entered, started), {
    revision,
    specRevision: fenced,
    op: startOf(started, first?.key, moment.nowMs, tenant.fence),
  })
  if (first === undefined) return endOperation(running, started, 'succeeded', moment)
  return withEvents(running, [continuation(running.tenant, started, `start.${revision}`, moment)])
}

/** An export only reads, and a reconciliation applies what has been applied before. */
function changesObjects(kind: OperationKind): boolean {
  return PLANS[kind].runningState !== null
}

/**
 * Brings the tenant into the state that the operation runs in, and says so. That may be before it starts:
 * a suspension is in force from the commit that accepts it, though an export still finishes its step.
 */
export function enter(draft: Draft, operation: Operation, moment: Moment): Draft {
  const { runningState, startFact } = PLANS[operation.kind]
  const { tenant } = draft
  if (runningState === null || tenant.state === runningState) return draft
  const before =
    operation.kind === 'offboard' ? (tenant.state === 'SUSPENDED' ? 'SUSPENDED' : 'ACTIVE') : tenant.before
  const moved = withTenant(draft, { state: runningState, before })
  return say(moved, startFact === null ? [] : [startFact], operation.operationId, moment)
}

/** What an operation that begins now is to bring about, and from where. */
function inputsOf(tenant: Tenant, operation: Operation): Pick<Operation, 'desired' | 'from'> {
  const { runningState } = PLANS[operation.kind]
  const from =
    tenant.state === runningState && operation.status === 'queued'
      ? operation.from
      : { tier: tenant.observed.tier, state: tenant.state }
  return { desired: desiredFor(tenant, operation), from }
}

function desiredFor({ desired, observed }: Tenant, { kind, request }: Operation): Desired {
  if (kind === 'provision') return desired
  // A tier that is ordered for later is not what today's objects follow from.
  const tier = kind === 'tier-change' ? request.toTier : observed.tier
  return { ...desired, tier: tier ?? desired.tier }
}

/** Ends the operation that runs, or one that waits, and goes on with what follows from it. */
export function endOperation(draft: Draft, operation: Operation, end: End, moment: Moment): Draft {
  const { fields, facts } = endingOf(draft.tenant, operation, end, moment.nowMs)
  const running = draft.tenant.op?.operationId === operation.operationId
  const stuck = facts.includes('operation-stuck') ? { stuckAtMs: moment.nowMs } : {}
  const ended: Operation = { ...operation, ...stuck, status: end, endedAtMs: moment.nowMs }
  const over = withTenant(dequeue(withOperation(draft, ended), operation.operationId), {
    ...fields,
    ...(running ? freed(draft.tenant) : {}),
    // Facts bring their own revision.
    ...(facts.length === 0 && Object.keys(fields).length > 0 ? { revision: draft.tenant.revision + 1 } : {}),
  })
  const said = say(over, facts, operation.operationId, moment)
  const { graceEndsAtMs, tenantId } = said.tenant
  const timer =
    operation.kind === 'offboard' && end === 'succeeded' && graceEndsAtMs !== null
      ? [{ tenantId, operationId: operation.operationId, kind: 'grace-end' as const, dueAtMs: graceEndsAtMs }]
      : []
  const settled = { ...said, ended: [...said.ended, ended], timers: [...said.timers, ...timer] }
  return running ? followDesired(settled, moment) : settled
}

/** Ends an operation that waits as done or taken back, without what its end would otherwise mean. */
export function settleWaiting(draft: Draft, operation: Operation, end: End, moment: Moment): Draft {
  if (end !== 'succeeded') return endOperation(draft, operation, end, moment)
  const ended: Operation = { ...operation, status: end, endedAtMs: moment.nowMs }
  const settled = dequeue(withOperation(draft, ended), operation.operationId)
  // Another tier change that has not begun brought the tenant into this state; this one leads back.
  const entered = operation.kind === 'tier-change' && settled.tenant.state === 'TIER_CHANGING'
  return { ...(entered ? withTenant(settled, { state: 'ACTIVE' }) : settled), ended: [...draft.ended, ended] }
}

/** The waiting operation for which the running one must make way at its next step boundary. */
export function turnsRound(tenant: Tenant, running: Operation, nowMs: number): WaitingOperation | undefined {
  return inPrecedence(tenant.queue).find(({ kind, notBeforeMs }) => {
    if (kind === 'provision' || (notBeforeMs !== null && notBeforeMs > nowMs)) return false
    const { runningState } = PLANS[kind]
    const lets = PLANS[running.kind].runningState === null && runningState !== null
    if (lets) return mayBegin(tenant, kind)
    return STATE_TABLE[tenant.state][commandOf(kind)] === 'turn'
  })
}

/** The tenant without a running operation. */
export function freed({ op, fence }: Tenant): Pick<Tenant, 'op' | 'fence'> {
  return { op: null, fence: Math.max(fence, op?.fence ?? 0) }
}

/** An export or a reconciliation steps aside and goes on later from where it was. */
export function stepAside(draft: Draft, moment: Moment): Draft {
  const running = runningIn(draft)
  if (running === undefined) return draft
  const aside = enqueue(withTenant(draft, freed(draft.tenant)), { ...running, status: 'queued' })
  return followDesired(aside, moment)
}

function prune(draft: Draft, moment: Moment): Draft {
  return draft.tenant.queue.reduce((left, { operationId }) => {
    const operation = left.operations.get(operationId)
    if (operation === undefined) return dequeue(left, operationId)
    const end = endInState(left.tenant, operation.kind)
    return end === undefined ? left : settleWaiting(left, operation, end, moment)
  }, draft)
}

/** How waiting ends in a state that does not have it; undefined goes on waiting. */
function endInState({ state }: Tenant, kind: OperationKind): End | undefined {
  if (state === 'REJECTED' || state === 'PURGED') return 'cancelled'
  if (kind === 'provision') return undefined
  if (state === 'PURGING') return kind === 'purge' ? undefined : 'cancelled'
  const verdict = STATE_TABLE[state][commandOf(kind)]
  if (verdict === 'reject') return 'cancelled'
  return verdict === 'desired' ? 'superseded' : undefined
}

function nextInQueue(tenant: Tenant, nowMs: number): WaitingOperation | undefined {
  return inPrecedence(tenant.queue).find(
    ({ kind, notBeforeMs }) => (notBeforeMs === null || notBeforeMs <= nowMs) && mayBegin(tenant, kind),
  )
}

/** By the table, or because the tenant has entered its state already. */
function mayBegin({ state }: Tenant, kind: OperationKind): boolean {
  return mayStart(state, kind) || state === PLANS[kind].runningState
}

function inPrecedence(queue: readonly WaitingOperation[]): readonly WaitingOperation[] {
  return queue.toSorted((left, right) => PRECEDENCE.indexOf(left.kind) - PRECEDENCE.indexOf(right.kind))
}

/** Whether the tenant is already as the operation, not begun yet, would have it. */
function isSo({ state, observed }: Tenant, operation: Operation): boolean {
  if (hasBegun(operation)) return false
  const { kind, request } = operation
  if (kind === 'tier-change') return observed.tier === request.toTier
  if (kind !== 'suspend' || state !== 'SUSPENDED') return false
  return holdsAsHard(observed.suspension, { mode: request.mode ?? 'soft' })
}

function dequeue(draft: Draft, operationId: string): Draft {
  const queue = draft.tenant.queue.filter((entry) => entry.operationId !== operationId)
  return queue.length === draft.tenant.queue.length ? draft : withTenant(draft, { queue })
}

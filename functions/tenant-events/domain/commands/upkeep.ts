import type { StepKey } from '#shared/catalogue/operation-steps.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { type Accepted, type Asked, answer, awake, order, refusedIn, revised } from '../accepting.ts'
import { type Draft, runningIn, waitingIn, withOperation, withTenant } from '../draft.ts'
import { type Operation, stepOf, withStep } from '../operation.ts'

/** Delivers the tenant's data. The same export again is the one that runs or waits. */
export function exportData({ draft, command, options }: Asked<'export'>): Result<Accepted> {
  const request = { scope: command.scope }
  const pending = pendingOf(draft, 'export')
  if (pending === undefined) return ok(order(draft, 'export', request, options))
  if (pending.request.scope === command.scope) return ok(answer(draft, pending, 'export', request, options))
  return refusedIn(draft.tenant.state, 'export', 'Another export runs or waits. Ask again when it is over.')
}

/** Compares the tenant's objects with what they should be, and puts them right. */
export function reconcile({ draft, command, verdict, options }: Asked<'reconcile'>): Result<Accepted> {
  const request = { scope: command.scope }
  const pending = pendingOf(draft, 'reconcile')
  if (pending !== undefined || verdict === 'no-op') {
    return ok(answer(draft, pending, 'reconcile', request, options))
  }
  return ok(order(draft, 'reconcile', request, options))
}

/**
 * Tries again: an operation that is stuck now and with fresh patience; one that failed by another of its
 * kind, ordered as it was.
 */
export function retry({ draft, command, options }: Asked<'retry'>): Result<Accepted | 'again'> {
  const operation = draft.operations.get(command.operationId)
  if (operation === undefined) return refuse('resource.not_found', `no operation ${command.operationId}`)
  const { state } = draft.tenant
  if (runningIn(draft)?.operationId === operation.operationId) {
    return ok({ draft: tryNow(draft, operation, options.nowMs, options), operationId: operation.operationId })
  }
  // A making that made way for a purge which was then cancelled by law can be taken up again.
  const unmade = operation.kind === 'provision' && operation.status === 'superseded'
  if (operation.status !== 'failed' && !unmade) {
    return refusedIn(state, 'retry', `The operation is ${operation.status}; only a failed one is retried.`)
  }
  if (operation.kind !== 'provision') return ok('again')
  const pending = pendingOf(draft, 'provision')
  if (pending !== undefined) return ok(answer(draft, pending, 'provision', {}, options))
  if (state !== 'PROVISION_FAILED') return refusedIn(state, 'retry')
  return ok(order(draft, 'provision', {}, options))
}

function tryNow(
  draft: Draft,
  operation: Operation,
  nowMs: number,
  options: Asked<'retry'>['options'],
): Draft {
  const keys = Object.keys(operation.steps) as StepKey[]
  const fresh = keys.reduce(
    (left, key) => (stepOf(left, key).status === 'done' ? left : withStep(left, key, { refusals: 0 })),
    operation,
  )
  const tried = withOperation(draft, { ...fresh, patientSinceMs: nowMs, stuckAtMs: null })
  const { op } = draft.tenant
  const eager = withTenant(tried, op === null ? {} : { op: { ...op, attempt: 0 } })
  const next = revised(eager)
  return awake(next, `retry.${next.tenant.revision}`, options)
}

function pendingOf(draft: Draft, kind: Operation['kind']): Operation | undefined {
  const running = runningIn(draft)
  return waitingIn(draft, kind) ?? (running?.kind === kind ? running : undefined)
}

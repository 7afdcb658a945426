import type { RunningOperation } from './tenant.ts'

/** Longer than a step may take with its commits, so that a lease lasts as long as the effect it covers. */
export const LEASE_MS = 90_000

/** Less than the shortest back-off: who asks may run a little ahead of who is asked. */
const CLOCK_SLACK_MS = 2_000

/** Why an operation cannot be taken over now; none of it is a failure. */
export type NotTaken = 'not-running' | 'busy' | 'not-due'

/**
 * Takes an operation over, or says why not.
 *
 * Whether the former worker's lease is over is judged by the store's read time alone: two instances
 * need not agree on the time. A parked operation (`leaseUntilMs` 0) goes on once it is due.
 */
export function takeOver(
  op: RunningOperation | null,
  worker: { readonly operationId: string; readonly leaseBy: string },
  readTimeMs: number,
  nowMs: number,
): RunningOperation | NotTaken {
  if (op === null || op.operationId !== worker.operationId) return 'not-running'
  if (op.leaseUntilMs > readTimeMs) return 'busy'
  if (op.leaseUntilMs === 0 && op.dueAtMs > nowMs + CLOCK_SLACK_MS) return 'not-due'
  return held({ ...op, leaseBy: worker.leaseBy, fence: op.fence + 1 }, readTimeMs, nowMs)
}

/** The operation with its lease counted from now. */
export function held(op: RunningOperation, readTimeMs: number, nowMs: number): RunningOperation {
  return { ...op, leaseUntilMs: readTimeMs + LEASE_MS, dueAtMs: nowMs + LEASE_MS }
}

/** The operation with nobody working on it until `dueAtMs`. */
export function parked(op: RunningOperation, dueAtMs: number): RunningOperation {
  return { ...op, leaseUntilMs: 0, dueAtMs }
}

/** Whether a worker may still write: nobody has taken over since. */
export function holds(
  op: RunningOperation | null,
  worker: { readonly operationId: string; readonly fence: number },
): op is RunningOperation {
  return op !== null && op.operationId === worker.operationId && op.fence === worker.fence
}

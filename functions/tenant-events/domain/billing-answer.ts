import type { Occasion, OutgoingEvent } from './facts.ts'
import { parked } from './lease.ts'
import type { Answers } from './operation.ts'
import { continuation } from './saga.ts'
import type { Work } from './work.ts'

/**
 * Keeps what billing said, whatever step the operation is at, and wakes the operation if it sleeps.
 *
 * The first answer counts. A worker that holds the operation meets the answer at its next commit, so
 * only a parked operation needs a message; an operation that is over keeps the answer as a record.
 */
export function keepBillingAnswer(
  work: Work,
  answer: Partial<Answers>,
  occasion: Occasion,
): Pick<Work, 'tenant' | 'operation'> & { readonly events: readonly OutgoingEvent[] } {
  const { tenant, operation } = work
  const known = Object.entries(answer).every(([kind]) => operation.answers[kind as keyof Answers] !== null)
  if (known) return { tenant, operation, events: [] }
  const answered = { ...operation, answers: { ...operation.answers, ...answer } }
  const { op } = tenant
  const sleeping = op !== null && op.operationId === operation.operationId && op.leaseUntilMs === 0
  if (!sleeping) return { tenant, operation: answered, events: [] }
  return {
    tenant: { ...tenant, op: parked(op, Math.min(op.dueAtMs, occasion.nowMs)) },
    operation: answered,
    events: [continuation(tenant, op, 'billing', occasion)],
  }
}

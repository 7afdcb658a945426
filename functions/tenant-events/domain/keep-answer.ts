import { awake } from './accepting.ts'
import { type Draft, draftOf, type Moment, withOperation } from './draft.ts'
import type { Answers, Operation } from './operation.ts'
import type { Work } from './work.ts'

/** An answer of one kind, or the refusal of whatever the operation asked billing for. */
export type Answer =
  | {
      readonly [Kind in keyof Answers]: { readonly kind: Kind; readonly value: NonNullable<Answers[Kind]> }
    }[keyof Answers]
  | { readonly kind: 'refusal'; readonly reason: string }

/**
 * Keeps what somebody answered to an operation, whatever step it is at, and wakes it if it sleeps.
 *
 * The first answer of each kind counts. A worker that holds the operation meets the answer at its next
 * commit, so only a parked operation needs a message; one that waits or is over keeps it as a record.
 */
export function keepAnswer({ tenant, operation }: Work, answer: Answer, moment: Moment): Draft {
  const draft = draftOf(tenant, [operation])
  const { kind, value } = answer.kind === 'refusal' ? refusalOf(operation, answer.reason) : answer
  if (operation.answers[kind] !== null) return draft
  const answered = withOperation(draft, {
    ...operation,
    answers: { ...operation.answers, [kind]: value },
  })
  return tenant.op?.operationId === operation.operationId ? awake(answered, kind, moment) : answered
}

/** An operation asks billing for one thing alone that can be refused. */
function refusalOf({ kind }: Operation, reason: string): Exclude<Answer, { kind: 'refusal' }> {
  const value = { kind: 'refused' as const, reason }
  return kind === 'tier-change' ? { kind: 'charge', value } : { kind: 'subscription', value }
}

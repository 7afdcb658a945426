import type { StepKey } from '#shared/catalogue/operation-steps.ts'
import { stepContinue } from '#shared/contracts/events/step-continue.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { type Occasion, type OutgoingEvent, SOURCE } from './facts.ts'
import type { Operation } from './operation.ts'
import type { RunningOperation, Tenant } from './tenant.ts'

/**
 * Asks for the operation to be continued. `occasion` makes the id unique among those of the operation
 * and the same each time: continuations are harmless in any number, two events of one id are not.
 */
export function continuation(
  tenant: Pick<Tenant, 'tenantId'>,
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

/** The lease's view of an operation that nobody has taken yet. */
export function startOf(
  operation: Pick<Operation, 'operationId' | 'kind'>,
  firstStep: StepKey | undefined,
  nowMs: number,
  fence = 0,
): RunningOperation {
  return {
    operationId: operation.operationId,
    kind: operation.kind,
    // An operation without steps ends in the commit that starts it, and nobody sees this.
    step: firstStep ?? 'activate',
    attempt: 0,
    fence,
    leaseBy: '',
    leaseUntilMs: 0,
    dueAtMs: nowMs,
  }
}

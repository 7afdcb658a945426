import { newEvent } from '#shared/contracts/new-event.ts'
import { type OutgoingEvent, SOURCE } from '../../domain/facts.ts'
import type { StepWork } from './step.ts'

/**
 * A command of the operation to billing. Its id follows from the operation, so that one operation gives
 * each command once, however often it is committed.
 */
export function billingCommand(
  work: StepWork,
  contract: { readonly type: string },
  name: string,
  data: Readonly<Record<string, unknown>>,
): OutgoingEvent {
  const { operationId, tenantId } = work.operation
  return {
    topic: 'billing-commands',
    event: newEvent({
      id: `${operationId}.${name}`,
      source: SOURCE,
      type: contract.type,
      tenantId,
      nowMs: work.nowMs,
      correlationId: operationId,
      trace: work.trace,
      data: { tenantId, operationId, ...data },
    }),
  }
}

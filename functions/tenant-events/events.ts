import { chargeRefused } from '#shared/contracts/events/charge-refused.ts'
import { stepContinue } from '#shared/contracts/events/step-continue.ts'
import { subscriptionReady } from '#shared/contracts/events/subscription-ready.ts'
import { type AnyEventHandler, on } from '#shared/pubsub/types.ts'
import { continueOperation } from './operations/continue-operation.ts'
import { recordBillingAnswer } from './operations/record-billing-answer.ts'
import type { LifecycleDeps } from './ports.ts'

/** What `tenantEventsHandler` hears. */
export function lifecycleEvents(deps: LifecycleDeps): readonly AnyEventHandler[] {
  return [
    on(stepContinue, ({ event, ctx, trace, signal, log }) =>
      continueOperation(deps, { ctx, operationId: event.data.operationId, trace, signal, log }),
    ),
    on(subscriptionReady, ({ event, ctx, claim, nowMs, trace }) => {
      const { operationId, subscriptionId, planId } = event.data
      const answer = { kind: 'ready' as const, subscriptionId, planId }
      return recordBillingAnswer(deps, { ctx, claim, operationId, answer, nowMs, trace })
    }),
    on(chargeRefused, ({ event, ctx, claim, nowMs, trace }) => {
      const { operationId, reason } = event.data
      const answer = { kind: 'refused' as const, reason }
      return recordBillingAnswer(deps, { ctx, claim, operationId, answer, nowMs, trace })
    }),
    ...NOT_YET.map(keepForLater),
  ]
}

/**
 * Requests our subscriptions carry whose operations are not built yet. Facts are not among them: of those
 * nobody here waits for, such as `erased` while nothing is purged, the edge lets go.
 */
const NOT_YET = ['ai.energent.tenant.suspend-requested.v1', 'ai.energent.tenant.resume-requested.v1'] as const

/**
 * Leaves a message with Pub/Sub: it comes again until there is code for it, and goes to the dead
 * letter topic, whence it can be redriven, if there is none in time. Acknowledged, it would be lost.
 */
function keepForLater(type: string): AnyEventHandler {
  return {
    type,
    receive: async () => {
      throw new Error(`${type} is not handled yet`)
    },
  }
}

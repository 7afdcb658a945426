import type { SubscriptionCancelRequested } from '#shared/contracts/events/subscription-cancel-requested.ts'
import type { ReceivedEvent } from '#shared/pubsub/types.ts'
import type { Result } from '#shared/result.ts'
import { cancelSubscription as decide } from '../domain/subscription.ts'
import type { BillingDeps } from '../ports.ts'
import { orderOf } from './request-subscription.ts'

/**
 * Undoes what an operation's request did. Of an operation that was not heard of yet the cancellation
 * is kept, so that its request, should it come late, does nothing.
 */
export function cancelSubscription(
  deps: Pick<BillingDeps, 'subscriptions'>,
  received: ReceivedEvent<SubscriptionCancelRequested>,
): Promise<Result<unknown>> {
  const { ctx, claim, event, nowMs } = received
  const { operationId } = event.data
  return deps.subscriptions.change(ctx, claim, operationId, (current, answer) => {
    const order = orderOf(event)
    if (answer !== undefined && (answer.outcome === 'cancelled' || BigInt(answer.order) >= order))
      return undefined
    const cancelled = decide(current, operationId, nowMs)
    const audit = cancelled?.status === 'active' ? 'subscription.left' : 'subscription.cancelled'
    return {
      ...(cancelled === undefined ? {} : { subscription: cancelled, audit }),
      answer: { outcome: 'cancelled', round: answer?.round ?? 0, order: order.toString() },
    }
  })
}

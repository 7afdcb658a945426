import { errorWithInfo } from '../error-info.ts'
import { status } from '../rpc-error.ts'
import type { Broker, Subscription } from './broker.ts'

type DeadlineChange = { readonly ackId: string; readonly seconds: number }

/** Acknowledges in one commit; answers the ack ids that mean nothing any more. */
export function applyAcks(broker: Broker, subscription: Subscription, ackIds: readonly string[]): string[] {
  return broker.journal.atomically(() => ackIds.filter((ackId) => !subscription.queue.acknowledge(ackId)))
}

/** Extends or refuses; answers the ack ids that mean nothing any more. */
export function applyDeadlines(
  broker: Broker,
  subscription: Subscription,
  changes: readonly DeadlineChange[],
): string[] {
  return broker.journal.atomically(() =>
    changes
      .filter(({ ackId, seconds }) => !subscription.queue.modifyDeadline(ackId, seconds))
      .map(({ ackId }) => ackId),
  )
}

/** The unary Acknowledge; ids that are out of date are passed over, as Pub/Sub does. */
export function acknowledge(broker: Broker, subscription: Subscription, ackIds: readonly string[]): object {
  return answer(subscription, applyAcks(broker, subscription, ackIds))
}

export function modifyDeadlines(
  broker: Broker,
  subscription: Subscription,
  changes: readonly DeadlineChange[],
): object {
  return answer(subscription, applyDeadlines(broker, subscription, changes))
}

/**
 * Only an exactly-once subscription says which ack ids failed, each by name in the error's info; others
 * answer success, because a late acknowledgement is no mistake there.
 */
function answer(subscription: Subscription, failed: readonly string[]): object {
  if (failed.length === 0 || !subscription.config.enableExactlyOnceDelivery) return {}
  throw errorWithInfo(
    status.FAILED_PRECONDITION,
    'Some acknowledgement ids are invalid: they expired or were never given.',
    'PERMANENT_FAILURE_INVALID_ACK_ID',
    'pubsub.googleapis.com',
    new Map(failed.map((ackId) => [ackId, 'PERMANENT_FAILURE_INVALID_ACK_ID'])),
  )
}

import type { Broker, Subscription } from './broker.ts'
import { parseFilter } from './filter.ts'
import type { Delivery, Message } from './model.ts'
import { createQueue } from './queue.ts'
import { projectOf, shortName } from './rules.ts'
import { durationMs, type SubscriptionConfig } from './wire.ts'

/** A message on its way to one subscription, waiting. */
export function newDelivery(entry: number, message: Message, attempts = 0): Delivery {
  return {
    entry,
    message,
    state: 'ready',
    attempts,
    generation: 0,
    untilMs: 0,
    ackedEarly: false,
    consumer: undefined,
  }
}

/** Ends a delivery that is no longer in any queue. */
export function forgetDelivery(broker: Broker, delivery: Delivery): void {
  broker.journal.deleteDelivery(delivery.entry)
  broker.letGo(delivery.message)
}

/** A subscription in memory, its queue wired to the journal. */
export function newSubscription(broker: Broker, given: SubscriptionConfig): Subscription {
  const filter = parseFilter(given.filter)
  const matches = filter.ok ? filter.matches : () => true
  const queue = createQueue(
    {
      ordered: () => given.enableMessageOrdering,
      exactlyOnce: () => subscription.config.enableExactlyOnceDelivery,
      backoff: () => {
        const policy = subscription.config.retryPolicy
        if (!policy?.minimumBackoff || !policy.maximumBackoff) return undefined
        return { minMs: durationMs(policy.minimumBackoff), maxMs: durationMs(policy.maximumBackoff) }
      },
      maxAttempts: () => subscription.config.deadLetterPolicy?.maxDeliveryAttempts,
      isExpired: ({ message }) => message.storedMs + retentionMs(subscription) <= broker.retentionNow(),
    },
    {
      leased: (batch) => {
        if (subscription.config.deadLetterPolicy === null) return
        broker.journal.atomically(() => {
          for (const { entry, attempts } of batch) broker.journal.updateDelivery(entry, attempts, false)
        })
      },
      acked: (delivery) => onAcked(broker, subscription, delivery),
      expired: (delivery) => forgetDelivery(broker, delivery),
      exhausted: (delivery) => deadLetter(broker, subscription, delivery),
    },
    broker.timers,
  )
  const subscription: Subscription = {
    config: given,
    matches,
    queue,
    retained: new Map(),
    done: new Map(),
    streams: new Set(),
  }
  return subscription
}

/** How long this subscription keeps messages, in milliseconds. */
export function retentionMs(subscription: Subscription): number {
  const duration = subscription.config.messageRetentionDuration
  return duration === null ? 604_800_000 : durationMs(duration)
}

function onAcked(broker: Broker, subscription: Subscription, delivery: Delivery): void {
  remember(subscription, delivery)
  if (!subscription.config.retainAckedMessages) {
    forgetDelivery(broker, delivery)
    return
  }
  subscription.retained.set(delivery.entry, delivery)
  broker.journal.updateDelivery(delivery.entry, delivery.attempts, true)
}

/** Forwards a message that failed too often, with what the dead-letter guide says about where it was. */
function deadLetter(broker: Broker, subscription: Subscription, delivery: Delivery): boolean {
  const policy = subscription.config.deadLetterPolicy
  const topic = policy && broker.topics.get(policy.deadLetterTopic)
  if (!topic) return false
  const { message } = delivery
  broker.journal.atomically(() => {
    broker.publish(topic, [
      {
        data: message.data,
        orderingKey: message.orderingKey,
        attributes: {
          ...message.attributes,
          CloudPubSubDeadLetterSourceDeliveryCount: String(delivery.attempts),
          CloudPubSubDeadLetterSourceDeliveryErrorMessage:
            'the maximum number of delivery attempts was reached',
          CloudPubSubDeadLetterSourceSubscription: shortName(subscription.config.name),
          CloudPubSubDeadLetterSourceSubscriptionProject: projectOf(subscription.config.name),
          CloudPubSubDeadLetterSourceTopicPublishTime: new Date(message.publishMs).toISOString(),
        },
      },
    ])
    forgetDelivery(broker, delivery)
  })
  return true
}

/** How many acknowledged deliveries a subscription remembers for whoever looks on. */
const DONE_KEPT = 1_000

function remember({ done }: Subscription, delivery: Delivery): void {
  done.set(delivery.entry, { ...delivery, state: 'acked' })
  const [oldest] = done.keys()
  if (done.size > DONE_KEPT && oldest !== undefined) done.delete(oldest)
}

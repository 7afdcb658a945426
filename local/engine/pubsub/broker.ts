import type { RpcError } from '../grpc.ts'
import { type AttributeFilter, parseFilter } from './filter.ts'
import type { Journal } from './journal.ts'
import type { Delivery, Message } from './model.ts'
import { createQueue, type Queue } from './queue.ts'
import { notFound, projectOf, shortName } from './rules.ts'
import type { Timers } from './timers.ts'
import {
  durationMs,
  type SnapshotConfig,
  type SubscriptionConfig,
  type TopicConfig,
  type WireMessage,
} from './wire.ts'

export type Topic = {
  config: TopicConfig
  readonly subscriptions: Set<Subscription>
  /** Kept for seeks when the topic has a retention of its own. */
  retained: Message[]
}

export type Subscription = {
  config: SubscriptionConfig
  readonly matches: AttributeFilter
  readonly queue: Queue
  /** Acknowledged deliveries kept for seeks, by entry. */
  readonly retained: Map<number, Delivery>
  /** Ends the streams that are open on it. */
  readonly streams: Set<(reason: RpcError) => void>
}

export type Snapshot = {
  config: SnapshotConfig
  readonly expiresMs: number
  /** Unacknowledged when it was taken, and everything published since. */
  readonly messages: Map<number, Message>
  /** Messages with this number or a higher one were published after it was taken. */
  readonly sinceSeq: number
}

export type BrokerOptions = {
  /** What publish times say; tests may move it. */
  readonly now: () => number
  /** What message retention counts on. */
  readonly retentionNow: () => number
  readonly journal: Journal
  readonly timers: Timers
}

/** The state of the engine and the few changes every RPC is made of. */
export type Broker = BrokerOptions & {
  readonly topics: Map<string, Topic>
  readonly subscriptions: Map<string, Subscription>
  readonly snapshots: Map<string, Snapshot>
  /** The last messages published, so that one already acknowledged can be delivered again. */
  readonly recent: Map<string, Message>
  /** Stores messages and a delivery for every subscription that wants them, all or nothing. */
  publish(topic: Topic, messages: readonly WireMessage[]): string[]
  openTopic(config: TopicConfig): Topic
  openSubscription(config: SubscriptionConfig): Subscription
  /** One more delivery of a message, durable at once. */
  addDelivery(subscription: Subscription, message: Message): Delivery
  /** Puts a delivery read from the journal back where it was. */
  restoreDelivery(subscription: Subscription, delivery: Delivery): void
  /** Drops a delivery for good; it is neither acknowledged nor dead-lettered. */
  dropDelivery(subscription: Subscription, delivery: Delivery): void
  /** Counts one more, or one less, holder of a message; without holders it is forgotten. */
  hold(message: Message): void
  /** Holds a message that may have been forgotten already, and stores it again if so. */
  keep(message: Message): void
  letGo(message: Message): void
  /** Forgets everything; open streams end, ids go on counting. */
  reset(): void
  /** The number the next message will have. */
  nextSeq(): number
  startIdsAt(seq: number, entry: number): void
}

const RECENT_MESSAGES = 2000

export function createBroker(options: BrokerOptions): Broker {
  const { journal, timers } = options
  const holders = new Map<number, number>()
  let nextSeq = 1
  let nextEntry = 1

  const hold = (message: Message): void => {
    holders.set(message.seq, (holders.get(message.seq) ?? 0) + 1)
  }
  const letGo = (message: Message): void => {
    const left = (holders.get(message.seq) ?? 0) - 1
    if (left > 0) {
      holders.set(message.seq, left)
      return
    }
    holders.delete(message.seq)
    journal.deleteMessage(message.seq)
  }
  const remember = (message: Message): void => {
    broker.recent.set(message.messageId, message)
    if (broker.recent.size <= RECENT_MESSAGES) return
    for (const oldest of broker.recent.keys()) {
      broker.recent.delete(oldest)
      return
    }
  }
  const track = (subscription: Subscription, delivery: Delivery): void => {
    hold(delivery.message)
    subscription.queue.add(delivery)
  }
  const addDelivery = (subscription: Subscription, message: Message): Delivery => {
    const delivery = newDelivery(nextEntry++, message)
    journal.addDelivery(delivery.entry, subscription.config.name, message.seq)
    track(subscription, delivery)
    return delivery
  }

  const publish = (topic: Topic, drafts: readonly WireMessage[]): string[] => {
    const messages = drafts.map((draft): Message => {
      const seq = nextSeq++
      return {
        seq,
        messageId: String(seq),
        topic: topic.config.name,
        data: draft.data,
        attributes: draft.attributes,
        orderingKey: draft.orderingKey,
        publishMs: options.now(),
        storedMs: options.retentionNow(),
      }
    })
    journal.atomically(() => {
      for (const message of messages) journal.addMessage(message)
      for (const message of messages) placeMessage(topic, message)
    })
    return messages.map((message) => message.messageId)
  }
  const placeMessage = (topic: Topic, message: Message): void => {
    // Held by the publish itself, so that a message nobody wants is forgotten at the end.
    hold(message)
    for (const subscription of topic.subscriptions) {
      if (subscription.matches(message.attributes)) addDelivery(subscription, message)
    }
    for (const snapshot of broker.snapshots.values()) {
      if (snapshot.config.topic !== topic.config.name) continue
      snapshot.messages.set(message.seq, message)
      hold(message)
    }
    if (topic.config.messageRetentionDuration !== null) {
      topic.retained.push(message)
      hold(message)
    }
    remember(message)
    letGo(message)
  }

  const openSubscription = (config: SubscriptionConfig): Subscription => {
    const subscription = newSubscription(broker, config)
    broker.subscriptions.set(config.name, subscription)
    broker.topics.get(config.topic)?.subscriptions.add(subscription)
    return subscription
  }

  const broker: Broker = {
    ...options,
    topics: new Map(),
    subscriptions: new Map(),
    snapshots: new Map(),
    recent: new Map(),
    timers,
    publish,
    addDelivery,
    restoreDelivery: track,
    hold,
    keep: (message) => {
      if (!holders.has(message.seq)) journal.addMessage(message)
      hold(message)
    },
    letGo,
    reset: () => {
      for (const subscription of broker.subscriptions.values()) {
        subscription.queue.clear()
        for (const end of [...subscription.streams]) end(notFound(subscription.config.name))
      }
      holders.clear()
      for (const state of [broker.topics, broker.subscriptions, broker.snapshots, broker.recent])
        state.clear()
      journal.reset()
    },
    openSubscription,
    openTopic: (config) => {
      const topic: Topic = { config, subscriptions: new Set(), retained: [] }
      broker.topics.set(config.name, topic)
      return topic
    },
    dropDelivery: (subscription, delivery) => {
      journal.atomically(() => {
        subscription.queue.remove(delivery)
        forgetDelivery(broker, delivery)
      })
    },
    nextSeq: () => nextSeq,
    startIdsAt: (seq, entry) => {
      nextSeq = Math.max(nextSeq, seq)
      nextEntry = Math.max(nextEntry, entry)
    },
  }
  return broker
}

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

function newSubscription(broker: Broker, given: SubscriptionConfig): Subscription {
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

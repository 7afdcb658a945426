import type { RpcError } from '../rpc-error.ts'
import type { AttributeFilter } from './filter.ts'
import type { Journal } from './journal.ts'
import type { Delivery, Message } from './model.ts'
import type { Queue } from './queue.ts'
import { notFound } from './rules.ts'
import { forgetDelivery, newDelivery, newSubscription } from './subscription.ts'
import type { Timers } from './timers.ts'
import type { SnapshotConfig, SubscriptionConfig, TopicConfig, WireMessage } from './wire.ts'

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
  /** The latest acknowledged deliveries, in this process alone, to be looked at. */
  readonly done: Map<number, Delivery>
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

type BrokerOptions = {
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

/** An empty broker; `restore` fills it with what the journal kept. */
export function createBroker(options: BrokerOptions): Broker {
  const { journal } = options
  const holders = createHolders(journal)
  const ids = { seq: 1, entry: 1 }
  const track = (subscription: Subscription, delivery: Delivery): void => {
    holders.hold(delivery.message)
    subscription.queue.add(delivery)
  }
  const broker: Broker = {
    ...options,
    ...holders,
    topics: new Map(),
    subscriptions: new Map(),
    snapshots: new Map(),
    recent: new Map(),
    publish: (topic, drafts) => publish(broker, topic, drafts, () => ids.seq++),
    addDelivery: (subscription, message) => {
      const delivery = newDelivery(ids.entry++, message)
      journal.addDelivery(delivery.entry, subscription.config.name, message.seq)
      track(subscription, delivery)
      return delivery
    },
    restoreDelivery: track,
    dropDelivery: (subscription, delivery) => {
      journal.atomically(() => {
        subscription.queue.remove(delivery)
        forgetDelivery(broker, delivery)
      })
    },
    openTopic: (config) => {
      const topic: Topic = { config, subscriptions: new Set(), retained: [] }
      broker.topics.set(config.name, topic)
      return topic
    },
    openSubscription: (config) => {
      const subscription = newSubscription(broker, config)
      broker.subscriptions.set(config.name, subscription)
      if (!config.detached) broker.topics.get(config.topic)?.subscriptions.add(subscription)
      return subscription
    },
    reset: () => {
      reset(broker)
      holders.forgetAll()
    },
    nextSeq: () => ids.seq,
    startIdsAt: (seq, entry) => {
      ids.seq = Math.max(ids.seq, seq)
      ids.entry = Math.max(ids.entry, entry)
    },
  }
  return broker
}

type Holders = Pick<Broker, 'hold' | 'keep' | 'letGo'> & { forgetAll(): void }

/** Counts who still needs each message, so that the journal keeps it exactly as long. */
function createHolders(journal: Journal): Holders {
  const counts = new Map<number, number>()
  const hold = (message: Message): void => {
    counts.set(message.seq, (counts.get(message.seq) ?? 0) + 1)
  }
  return {
    hold,
    keep: (message) => {
      if (!counts.has(message.seq)) journal.addMessage(message)
      hold(message)
    },
    letGo: (message) => {
      const left = (counts.get(message.seq) ?? 0) - 1
      if (left > 0) {
        counts.set(message.seq, left)
        return
      }
      counts.delete(message.seq)
      journal.deleteMessage(message.seq)
    },
    forgetAll: () => counts.clear(),
  }
}

function publish(
  broker: Broker,
  topic: Topic,
  drafts: readonly WireMessage[],
  nextSeq: () => number,
): string[] {
  const messages = drafts.map((draft): Message => {
    const seq = nextSeq()
    return {
      seq,
      messageId: String(seq),
      topic: topic.config.name,
      data: draft.data,
      attributes: draft.attributes,
      orderingKey: draft.orderingKey,
      publishMs: broker.now(),
      storedMs: broker.retentionNow(),
    }
  })
  broker.journal.atomically(() => {
    for (const message of messages) broker.journal.addMessage(message)
    for (const message of messages) place(broker, topic, message)
  })
  return messages.map((message) => message.messageId)
}

function place(broker: Broker, topic: Topic, message: Message): void {
  // Held by the publish itself, so that a message nobody wants is forgotten at the end.
  broker.hold(message)
  for (const subscription of topic.subscriptions) {
    if (subscription.matches(message.attributes)) broker.addDelivery(subscription, message)
  }
  for (const snapshot of broker.snapshots.values()) {
    if (snapshot.config.topic !== topic.config.name) continue
    snapshot.messages.set(message.seq, message)
    broker.hold(message)
  }
  if (topic.config.messageRetentionDuration !== null) {
    topic.retained.push(message)
    broker.hold(message)
  }
  broker.recent.set(message.messageId, message)
  const [oldest] = broker.recent.keys()
  if (broker.recent.size > RECENT_MESSAGES && oldest !== undefined) broker.recent.delete(oldest)
  broker.letGo(message)
}

function reset(broker: Broker): void {
  for (const subscription of broker.subscriptions.values()) {
    subscription.queue.clear()
    for (const end of [...subscription.streams]) end(notFound(subscription.config.name))
  }
  for (const state of [broker.topics, broker.subscriptions, broker.snapshots, broker.recent]) state.clear()
  broker.journal.reset()
}

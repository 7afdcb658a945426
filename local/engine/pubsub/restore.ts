import type { Broker } from './broker.ts'
import type { Message } from './model.ts'
import type { StoredSnapshot } from './seek.ts'
import { newDelivery } from './subscription.ts'
import type { SubscriptionConfig, TopicConfig } from './wire.ts'

/** Brings back what the journal holds; messages that were with a subscriber are due again at once. */
export function restore(broker: Broker): void {
  const stored = broker.journal.load()
  broker.startIdsAt(stored.nextSeq, stored.nextEntry)
  const messages = new Map(stored.messages.map((message) => [message.seq, message]))
  // Held while the others are counted, so that nobody's last reference is mistaken for the last.
  for (const message of messages.values()) broker.hold(message)
  for (const config of stored.topics) restoreTopic(broker, config as TopicConfig, messages)
  for (const config of stored.subscriptions) broker.openSubscription(config as SubscriptionConfig)
  for (const { entry, subscription: name, seq, attempts, acked } of stored.deliveries) {
    const subscription = broker.subscriptions.get(name)
    const message = messages.get(seq)
    if (subscription === undefined || message === undefined) {
      broker.journal.deleteDelivery(entry)
      continue
    }
    const delivery = newDelivery(entry, message, attempts)
    if (!acked) {
      broker.restoreDelivery(subscription, delivery)
      continue
    }
    broker.hold(message)
    subscription.retained.set(entry, { ...delivery, state: 'acked' })
  }
  for (const snapshot of stored.snapshots) restoreSnapshot(broker, snapshot as StoredSnapshot, messages)
  broker.journal.atomically(() => {
    for (const message of messages.values()) broker.letGo(message)
  })
}

function restoreTopic(broker: Broker, config: TopicConfig, messages: ReadonlyMap<number, Message>): void {
  const topic = broker.openTopic(config)
  if (config.messageRetentionDuration === null) return
  for (const message of messages.values()) {
    if (message.topic !== config.name) continue
    topic.retained.push(message)
    broker.hold(message)
  }
}

function restoreSnapshot(
  broker: Broker,
  stored: StoredSnapshot,
  messages: ReadonlyMap<number, Message>,
): void {
  const taken = new Set(stored.seqs)
  const held = [...messages.values()].filter(
    (message) =>
      taken.has(message.seq) || (message.topic === stored.config.topic && message.seq >= stored.sinceSeq),
  )
  for (const message of held) broker.hold(message)
  broker.snapshots.set(stored.config.name, {
    config: stored.config,
    expiresMs: stored.expiresMs,
    sinceSeq: stored.sinceSeq,
    messages: new Map(held.map((message) => [message.seq, message])),
  })
}

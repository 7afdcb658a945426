import { rpcError, status } from '../rpc-error.ts'
import type { Broker, Snapshot, Subscription } from './broker.ts'
import type { Message } from './model.ts'
import { forgetDelivery, retentionMs } from './subscription.ts'
import { durationMs, toTimestamp } from './wire.ts'

const SEVEN_DAYS_MS = 604_800_000

/** Marks what was published before `timeMs` as acknowledged, and what came later as not. */
export function seekToTime(broker: Broker, subscription: Subscription, timeMs: number): void {
  const wanted = [...knownMessages(broker, subscription).values()].filter(
    (message) => message.publishMs >= timeMs,
  )
  replaceBacklog(broker, subscription, wanted)
}

/** Makes the backlog what it was when the snapshot was taken, and everything published since. */
export function seekToSnapshot(broker: Broker, subscription: Subscription, snapshot: Snapshot): void {
  if (snapshot.config.topic !== subscription.config.topic) {
    throw rpcError(status.FAILED_PRECONDITION, 'The snapshot is of another topic than the subscription.')
  }
  const wanted = [...snapshot.messages.values()].filter((message) => subscription.matches(message.attributes))
  replaceBacklog(broker, subscription, wanted)
}

/** Everything this subscription could be given again: its backlog, and what it or its topic retains. */
function knownMessages(broker: Broker, subscription: Subscription): Map<number, Message> {
  const known = new Map<number, Message>()
  for (const delivery of subscription.queue.deliveries.values())
    known.set(delivery.message.seq, delivery.message)
  for (const delivery of subscription.retained.values()) known.set(delivery.message.seq, delivery.message)
  for (const message of broker.topics.get(subscription.config.topic)?.retained ?? []) {
    if (subscription.matches(message.attributes)) known.set(message.seq, message)
  }
  return known
}

function replaceBacklog(broker: Broker, subscription: Subscription, wanted: readonly Message[]): void {
  const wantedSeqs = new Set(wanted.map((message) => message.seq))
  broker.journal.atomically(() => {
    for (const message of wanted) broker.hold(message)
    for (const delivery of [...subscription.queue.deliveries.values()]) {
      subscription.queue.remove(delivery)
      if (subscription.config.retainAckedMessages && !wantedSeqs.has(delivery.message.seq)) {
        subscription.retained.set(delivery.entry, delivery)
        broker.journal.updateDelivery(delivery.entry, delivery.attempts, true)
      } else {
        forgetDelivery(broker, delivery)
      }
    }
    for (const [entry, delivery] of subscription.retained) {
      if (!wantedSeqs.has(delivery.message.seq)) continue
      subscription.retained.delete(entry)
      forgetDelivery(broker, delivery)
    }
    for (const message of [...wanted].sort((a, b) => a.seq - b.seq)) {
      broker.addDelivery(subscription, message)
      broker.letGo(message)
    }
  })
}

/** Remembers a subscription's backlog; it lives seven days, less the age of its oldest message. */
export function takeSnapshot(
  broker: Broker,
  subscription: Subscription,
  name: string,
  labels: Readonly<Record<string, string>>,
): Snapshot {
  const backlog = [...subscription.queue.deliveries.values()].map((delivery) => delivery.message)
  const now = broker.retentionNow()
  const oldest = backlog.reduce((least, message) => Math.min(least, message.storedMs), now)
  const lifeMs = SEVEN_DAYS_MS - (now - oldest)
  if (lifeMs < 3_600_000) {
    throw rpcError(status.FAILED_PRECONDITION, 'The snapshot would expire within the hour.')
  }
  const snapshot: Snapshot = {
    config: {
      name,
      topic: subscription.config.topic,
      expireTime: toTimestamp(broker.now() + lifeMs),
      labels,
    },
    expiresMs: now + lifeMs,
    messages: new Map(backlog.map((message) => [message.seq, message])),
    sinceSeq: broker.nextSeq(),
  }
  for (const message of snapshot.messages.values()) broker.hold(message)
  broker.snapshots.set(name, snapshot)
  saveSnapshot(broker, snapshot)
  return snapshot
}

/** What is written of a snapshot; the messages published after it are found by their numbers. */
export type StoredSnapshot = {
  readonly config: Snapshot['config']
  readonly expiresMs: number
  readonly sinceSeq: number
  readonly seqs: readonly number[]
}

/** Puts a snapshot in the journal. */
export function saveSnapshot(broker: Broker, snapshot: Snapshot): void {
  const stored: StoredSnapshot = {
    config: snapshot.config,
    expiresMs: snapshot.expiresMs,
    sinceSeq: snapshot.sinceSeq,
    seqs: [...snapshot.messages.keys()],
  }
  broker.journal.putResource('snapshots', snapshot.config.name, stored)
}

/** Forgets a snapshot, and the messages only it held. */
export function deleteSnapshot(broker: Broker, snapshot: Snapshot): void {
  broker.journal.atomically(() => {
    broker.snapshots.delete(snapshot.config.name)
    broker.journal.deleteResource('snapshots', snapshot.config.name)
    for (const message of snapshot.messages.values()) broker.letGo(message)
  })
}

/** Forgets what no retention covers any more. Cheap when nothing is retained. */
export function sweepRetained(broker: Broker): void {
  const now = broker.retentionNow()
  for (const snapshot of [...broker.snapshots.values()]) {
    if (snapshot.expiresMs <= now) deleteSnapshot(broker, snapshot)
  }
  for (const subscription of broker.subscriptions.values()) {
    const oldest = now - retentionMs(subscription)
    for (const [entry, delivery] of subscription.retained) {
      if (delivery.message.storedMs > oldest) continue
      subscription.retained.delete(entry)
      forgetDelivery(broker, delivery)
    }
  }
  for (const topic of broker.topics.values()) {
    const retention = topic.config.messageRetentionDuration
    const oldest = retention === null ? now : now - durationMs(retention)
    const kept = topic.retained.filter((message) => message.storedMs > oldest)
    if (kept.length === topic.retained.length) continue
    for (const message of topic.retained) if (message.storedMs <= oldest) broker.letGo(message)
    topic.retained = kept
  }
}

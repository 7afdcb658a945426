import { createHeap } from '../heap.ts'
import { createLanes } from './lanes.ts'
import { type Backoff, type Consumer, type Delivery, type Leased, messageBytes } from './model.ts'
import { realNow, type Timers } from './timers.ts'

/** What the queue asks of its subscription, read afresh each time because it can be updated. */
export type QueueSettings = {
  ordered(): boolean
  exactlyOnce(): boolean
  backoff(): Backoff | undefined
  maxAttempts(): number | undefined
  /** Older than the subscription retains. */
  isExpired(delivery: Delivery): boolean
}

/** What the queue tells its subscription; each call happens before a consumer can see the effect. */
export type QueueEvents = {
  leased(batch: readonly Delivery[]): void
  acked(delivery: Delivery): void
  expired(delivery: Delivery): void
  /** Forwards to the dead-letter topic; false when that cannot be done and the message stays. */
  exhausted(delivery: Delivery): boolean
}

export type Queue = {
  add(delivery: Delivery): void
  /** Starts giving messages to a consumer; the answer stops it. Leases it holds run on. */
  attach(consumer: Consumer): () => void
  /** False: the ack id is not a valid one, or not any more. */
  acknowledge(ackId: string): boolean
  /** Moves the end of a lease to `seconds` from now; 0 refuses the message. */
  modifyDeadline(ackId: string, seconds: number): boolean
  /** Ends a back-off at once. */
  deliverNow(delivery: Delivery): void
  remove(delivery: Delivery): void
  /** Gives what is ready to whoever has room, now rather than at the end of the turn. */
  pump(): void
  readonly deliveries: ReadonlyMap<number, Delivery>
  readonly consumers: ReadonlySet<Consumer>
  clear(): void
}

/** How many messages one consumer gets before the next one has its turn. */
const TURN = 100

/**
 * One subscription's messages: who has which, until when, and what becomes of the refused.
 *
 * Ack ids carry the entry and the lease's generation. Without exactly-once and ordering a late
 * acknowledgement still counts, as it does in Pub/Sub, even one from before a restart.
 */
export function createQueue(settings: QueueSettings, events: QueueEvents, timers: Timers): Queue {
  const epoch = Math.random().toString(36).slice(2, 10)
  const deliveries = new Map<number, Delivery>()
  const ready = createHeap<Delivery>((a, b) => a.entry < b.entry)
  const lanes = createLanes()
  const consumers = new Set<Consumer>()
  let pumpScheduled = false

  const isOrdered = (delivery: Delivery): boolean => settings.ordered() && delivery.message.orderingKey !== ''
  const ackIdOf = (delivery: Delivery): string => `${delivery.entry}-${delivery.generation}-${epoch}`

  const schedulePump = (): void => {
    if (pumpScheduled || consumers.size === 0) return
    pumpScheduled = true
    queueMicrotask(() => {
      pumpScheduled = false
      pump()
    })
  }
  const makeReady = (delivery: Delivery): void => {
    delivery.state = 'ready'
    delivery.generation += 1
    if (isOrdered(delivery)) lanes.ready(delivery)
    else ready.push(delivery)
    schedulePump()
  }
  const release = (delivery: Delivery): void => {
    const { consumer } = delivery
    delivery.consumer = undefined
    consumer?.released?.(delivery.message, ackIdOf(delivery))
    schedulePump()
  }
  const forget = (delivery: Delivery): void => {
    release(delivery)
    delivery.state = 'acked'
    delivery.generation += 1
    deliveries.delete(delivery.entry)
  }

  const settle = (settled: readonly Delivery[]): void => {
    for (const delivery of settled) {
      forget(delivery)
      events.acked(delivery)
    }
  }
  const remove = (delivery: Delivery): void => {
    forget(delivery)
    if (isOrdered(delivery)) settle(lanes.remove(delivery))
  }

  const nextFor = (consumer: Consumer): Delivery | undefined => {
    for (let head = ready.peek(); head !== undefined && head.state !== 'ready'; head = ready.peek())
      ready.pop()
    const unordered = ready.peek()
    const ordered = lanes.next(consumer)
    if (unordered === undefined || (ordered !== undefined && ordered.entry < unordered.entry)) return ordered
    return unordered
  }

  const lease = (delivery: Delivery, consumer: Consumer): void => {
    if (delivery === ready.peek()) ready.pop()
    delivery.state = 'leased'
    delivery.generation += 1
    delivery.attempts += 1
    delivery.consumer = consumer
    if (isOrdered(delivery)) lanes.handOut(delivery, consumer)
    holdUntil(delivery, consumer.ackDeadlineMs)
  }

  const take = (consumer: Consumer): Delivery[] => {
    const room = consumer.room()
    let bytes = room.bytes
    const batch: Delivery[] = []
    while (batch.length < Math.min(room.messages, TURN) && bytes > 0) {
      const delivery = nextFor(consumer)
      if (delivery === undefined) break
      if (settings.isExpired(delivery)) {
        remove(delivery)
        events.expired(delivery)
        continue
      }
      lease(delivery, consumer)
      bytes -= messageBytes(delivery.message)
      batch.push(delivery)
    }
    return batch
  }

  const pump = (): void => {
    for (let progressed = true; progressed; ) {
      progressed = false
      for (const consumer of [...consumers]) {
        if (!consumers.has(consumer)) continue
        const batch = take(consumer)
        if (batch.length === 0) continue
        progressed = true
        events.leased(batch)
        consumer.deliver(batch.map(toLeased))
      }
    }
  }
  const toLeased = (delivery: Delivery): Leased => ({
    ackId: ackIdOf(delivery),
    message: delivery.message,
    attempt: delivery.attempts,
  })

  const holdUntil = (delivery: Delivery, forMs: number): void => {
    const { generation } = delivery
    const until = realNow() + forMs
    delivery.untilMs = until
    timers.at(until, () => {
      // An extension moves untilMs and sets a timer of its own.
      if (delivery.generation === generation && delivery.untilMs === until) onHoldOver(delivery)
    })
  }
  const onHoldOver = (delivery: Delivery): void => {
    if (delivery.state === 'delayed') makeReady(delivery)
    else if (delivery.state === 'leased') redeliver(delivery)
  }

  const redeliver = (delivery: Delivery): void => {
    if (isOrdered(delivery)) {
      for (const later of lanes.takeBack(delivery)) {
        release(later)
        // It was not this message's fault, so the attempt does not count against it.
        later.attempts -= 1
        later.ackedEarly = false
        makeReady(later)
      }
    }
    release(delivery)
    const maxAttempts = settings.maxAttempts()
    if (maxAttempts !== undefined && delivery.attempts >= maxAttempts && events.exhausted(delivery)) {
      remove(delivery)
      return
    }
    const delayMs = backoffMs(settings.backoff(), delivery.attempts)
    if (delayMs === 0) {
      makeReady(delivery)
      return
    }
    delivery.state = 'delayed'
    delivery.generation += 1
    if (isOrdered(delivery)) lanes.ready(delivery)
    holdUntil(delivery, delayMs)
  }

  /** The delivery an ack id speaks of, if it may still say anything about it. */
  const find = (ackId: string, strict: boolean): Delivery | undefined => {
    const [entry, generation, ackEpoch] = ackId.split('-')
    const delivery = deliveries.get(Number(entry))
    if (delivery === undefined || delivery.state === 'acked') return undefined
    const current =
      ackEpoch === epoch && Number(generation) === delivery.generation && delivery.state === 'leased'
    return current || !strict ? delivery : undefined
  }

  return {
    deliveries,
    consumers,
    pump,
    remove,
    add: (delivery) => {
      deliveries.set(delivery.entry, delivery)
      if (isOrdered(delivery)) lanes.add(delivery)
      else ready.push(delivery)
      schedulePump()
    },
    attach: (consumer) => {
      consumers.add(consumer)
      schedulePump()
      return () => void consumers.delete(consumer)
    },
    acknowledge: (ackId) => {
      const named = deliveries.get(Number(ackId.split('-')[0]))
      const strict = settings.exactlyOnce() || (named !== undefined && isOrdered(named))
      const delivery = find(ackId, strict)
      if (delivery === undefined) return false
      if (!isOrdered(delivery)) {
        forget(delivery)
        events.acked(delivery)
        return true
      }
      release(delivery)
      delivery.state = 'acked'
      settle(lanes.settle(delivery))
      return true
    },
    modifyDeadline: (ackId, seconds) => {
      const delivery = find(ackId, true)
      if (delivery === undefined) return false
      if (seconds === 0) redeliver(delivery)
      else holdUntil(delivery, seconds * 1000)
      return true
    },
    deliverNow: (delivery) => {
      if (delivery.state === 'delayed') makeReady(delivery)
    },
    clear: () => {
      for (const delivery of [...deliveries.values()]) forget(delivery)
      lanes.clear()
    },
  }
}

/** Exponential from the policy's minimum: the first failure waits `minMs`, each further one twice as long. */
export function backoffMs(backoff: Backoff | undefined, failures: number): number {
  if (backoff === undefined) return 0
  return Math.min(backoff.maxMs, backoff.minMs * 2 ** Math.max(0, failures - 1))
}

import { createHeap, type Heap } from '../heap.ts'
import { createLanes, type Lanes } from './lanes.ts'
import { type Backoff, type Consumer, type Delivery, type Leased, messageBytes } from './model.ts'
import { realNow, type Timers } from './timers.ts'

/** What the queue asks of its subscription, read afresh each time because it can be updated. */
type QueueSettings = {
  ordered(): boolean
  exactlyOnce(): boolean
  backoff(): Backoff | undefined
  maxAttempts(): number | undefined
  /** Older than the subscription retains. */
  isExpired(delivery: Delivery): boolean
}

/** What the queue tells its subscription; each call happens before a consumer can see the effect. */
type QueueEvents = {
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

type State = {
  readonly settings: QueueSettings
  readonly events: QueueEvents
  readonly timers: Timers
  /** Tells this queue's ack ids from those of an earlier process. */
  readonly epoch: string
  readonly deliveries: Map<number, Delivery>
  readonly ready: Heap<Delivery>
  readonly lanes: Lanes
  readonly consumers: Set<Consumer>
  pumpScheduled: boolean
}

/**
 * One subscription's messages: who has which, until when, and what becomes of the refused.
 *
 * Ack ids carry the entry and the lease's generation. Without exactly-once and ordering a late
 * acknowledgement still counts, as it does in Pub/Sub, even one from before a restart.
 */
export function createQueue(settings: QueueSettings, events: QueueEvents, timers: Timers): Queue {
  const state: State = {
    settings,
    events,
    timers,
    epoch: Math.random().toString(36).slice(2, 10),
    deliveries: new Map(),
    ready: createHeap((a, b) => a.entry < b.entry),
    lanes: createLanes(),
    consumers: new Set(),
    pumpScheduled: false,
  }
  return {
    deliveries: state.deliveries,
    consumers: state.consumers,
    pump: () => pump(state),
    remove: (delivery) => remove(state, delivery),
    add: (delivery) => {
      state.deliveries.set(delivery.entry, delivery)
      if (isOrdered(state, delivery)) state.lanes.add(delivery)
      else state.ready.push(delivery)
      schedulePump(state)
    },
    attach: (consumer) => {
      state.consumers.add(consumer)
      schedulePump(state)
      return () => void state.consumers.delete(consumer)
    },
    acknowledge: (ackId) => acknowledge(state, ackId),
    modifyDeadline: (ackId, seconds) => {
      const delivery = find(state, ackId, true)
      if (delivery === undefined) return false
      if (seconds === 0) redeliver(state, delivery)
      else holdFor(state, delivery, seconds * 1000)
      return true
    },
    deliverNow: (delivery) => {
      if (delivery.state === 'delayed') makeReady(state, delivery)
    },
    clear: () => {
      for (const delivery of [...state.deliveries.values()]) forget(state, delivery)
      state.lanes.clear()
    },
  }
}

const isOrdered = (state: State, delivery: Delivery): boolean =>
  state.settings.ordered() && delivery.message.orderingKey !== ''

const ackIdOf = (state: State, delivery: Delivery): string =>
  `${delivery.entry}-${delivery.generation}-${state.epoch}`

function schedulePump(state: State): void {
  if (state.pumpScheduled || state.consumers.size === 0) return
  state.pumpScheduled = true
  queueMicrotask(() => {
    state.pumpScheduled = false
    pump(state)
  })
}

function pump(state: State): void {
  for (let progressed = true; progressed; ) {
    progressed = false
    for (const consumer of [...state.consumers]) {
      if (!state.consumers.has(consumer)) continue
      const batch = take(state, consumer)
      if (batch.length === 0) continue
      progressed = true
      state.events.leased(batch)
      consumer.deliver(batch.map((delivery) => toLeased(state, delivery)))
    }
  }
}

const toLeased = (state: State, delivery: Delivery): Leased => ({
  ackId: ackIdOf(state, delivery),
  message: delivery.message,
  attempt: delivery.attempts,
})

function take(state: State, consumer: Consumer): Delivery[] {
  const room = consumer.room()
  let { bytes } = room
  const batch: Delivery[] = []
  while (batch.length < Math.min(room.messages, TURN) && bytes > 0) {
    const delivery = nextFor(state, consumer)
    if (delivery === undefined) break
    if (state.settings.isExpired(delivery)) {
      remove(state, delivery)
      state.events.expired(delivery)
      continue
    }
    lease(state, delivery, consumer)
    bytes -= messageBytes(delivery.message)
    batch.push(delivery)
  }
  return batch
}

/** The oldest message this consumer may have, with or without a key. */
function nextFor({ ready, lanes }: State, consumer: Consumer): Delivery | undefined {
  for (let head = ready.peek(); head !== undefined && head.state !== 'ready'; head = ready.peek()) ready.pop()
  const unordered = ready.peek()
  const ordered = lanes.next(consumer)
  if (unordered === undefined || (ordered !== undefined && ordered.entry < unordered.entry)) return ordered
  return unordered
}

function lease(state: State, delivery: Delivery, consumer: Consumer): void {
  if (delivery === state.ready.peek()) state.ready.pop()
  delivery.state = 'leased'
  delivery.generation += 1
  delivery.attempts += 1
  delivery.consumer = consumer
  if (isOrdered(state, delivery)) state.lanes.handOut(delivery, consumer)
  holdFor(state, delivery, consumer.ackDeadlineMs)
}

/** Leaves a lease or a back-off as it is for so long; then it ends, unless it has been changed. */
function holdFor(state: State, delivery: Delivery, forMs: number): void {
  const { generation } = delivery
  const until = realNow() + forMs
  delivery.untilMs = until
  state.timers.at(until, () => {
    // An extension moves untilMs and sets a timer of its own.
    if (delivery.generation !== generation || delivery.untilMs !== until) return
    if (delivery.state === 'delayed') makeReady(state, delivery)
    else if (delivery.state === 'leased') redeliver(state, delivery)
  })
}

function makeReady(state: State, delivery: Delivery): void {
  delivery.state = 'ready'
  delivery.generation += 1
  if (isOrdered(state, delivery)) state.lanes.ready(delivery)
  else state.ready.push(delivery)
  schedulePump(state)
}

function redeliver(state: State, delivery: Delivery): void {
  if (isOrdered(state, delivery)) takeBackLater(state, delivery)
  release(state, delivery)
  const maxAttempts = state.settings.maxAttempts()
  if (maxAttempts !== undefined && delivery.attempts >= maxAttempts && state.events.exhausted(delivery)) {
    remove(state, delivery)
    return
  }
  const delayMs = backoffMs(state.settings.backoff(), delivery.attempts)
  if (delayMs === 0) {
    makeReady(state, delivery)
    return
  }
  delivery.state = 'delayed'
  delivery.generation += 1
  if (isOrdered(state, delivery)) state.lanes.ready(delivery)
  holdFor(state, delivery, delayMs)
}

function takeBackLater(state: State, delivery: Delivery): void {
  for (const later of state.lanes.takeBack(delivery)) {
    release(state, later)
    // It was not this message's fault, so the attempt does not count against it.
    later.attempts -= 1
    later.ackedEarly = false
    makeReady(state, later)
  }
}

function acknowledge(state: State, ackId: string): boolean {
  const named = state.deliveries.get(Number(ackId.split('-')[0]))
  const strict = state.settings.exactlyOnce() || (named !== undefined && isOrdered(state, named))
  const delivery = find(state, ackId, strict)
  if (delivery === undefined) return false
  if (!isOrdered(state, delivery)) {
    settle(state, [delivery])
    return true
  }
  release(state, delivery)
  delivery.state = 'acked'
  settle(state, state.lanes.settle(delivery))
  return true
}

/** The delivery an ack id speaks of, if it may still say anything about it. */
function find(state: State, ackId: string, strict: boolean): Delivery | undefined {
  const [entry, generation, epoch] = ackId.split('-')
  const delivery = state.deliveries.get(Number(entry))
  if (delivery === undefined || delivery.state === 'acked') return undefined
  const current =
    epoch === state.epoch && Number(generation) === delivery.generation && delivery.state === 'leased'
  return current || !strict ? delivery : undefined
}

function settle(state: State, settled: readonly Delivery[]): void {
  for (const delivery of settled) {
    forget(state, delivery)
    state.events.acked(delivery)
  }
}

function remove(state: State, delivery: Delivery): void {
  forget(state, delivery)
  if (isOrdered(state, delivery)) settle(state, state.lanes.remove(delivery))
}

function forget(state: State, delivery: Delivery): void {
  release(state, delivery)
  delivery.state = 'acked'
  delivery.generation += 1
  state.deliveries.delete(delivery.entry)
}

function release(state: State, delivery: Delivery): void {
  const { consumer } = delivery
  delivery.consumer = undefined
  consumer?.released?.(delivery.message, ackIdOf(state, delivery))
  schedulePump(state)
}

/** Exponential from the policy's minimum: the first failure waits `minMs`, each further one twice as long. */
export function backoffMs(backoff: Backoff | undefined, failures: number): number {
  if (backoff === undefined) return 0
  return Math.min(backoff.maxMs, backoff.minMs * 2 ** Math.max(0, failures - 1))
}

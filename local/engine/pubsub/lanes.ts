import type { Consumer, Delivery } from './model.ts'

/** The undelivered and unacknowledged messages of one ordering key, in the order of publishing. */
type Lane = {
  readonly key: string
  readonly items: Delivery[]
  /** How many items at the head are with a subscriber or acknowledged out of turn. */
  handedOut: number
  /** While messages of a key are out, the rest of the key goes to the same consumer. */
  owner: Consumer | undefined
}

export type Lanes = {
  add(delivery: Delivery): void
  /** The next message this consumer may have, left in place. */
  next(consumer: Consumer): Delivery | undefined
  /** Hands out what `next` answered. */
  handOut(delivery: Delivery, consumer: Consumer): void
  /** Settles an acknowledgement; what it answers is gone for good, in order. */
  settle(delivery: Delivery): readonly Delivery[]
  /** Takes a message back for redelivery; answers the later ones of its key, which follow it. */
  takeBack(delivery: Delivery): readonly Delivery[]
  /** Drops a message; answers the acknowledged ones that only waited for it. */
  remove(delivery: Delivery): readonly Delivery[]
  /** Tells that a delivery became ready again. */
  ready(delivery: Delivery): void
  clear(): void
}

type State = { readonly byKey: Map<string, Lane>; readonly active: Set<Lane> }

/**
 * Keeps the order of each key.
 *
 * A message is handed out only when every earlier one of its key is out with the same consumer or
 * acknowledged, and an acknowledgement counts only once those of all earlier messages do: so taking
 * one back takes back everything after it, as Pub/Sub promises.
 */
export function createLanes(): Lanes {
  const state: State = { byKey: new Map(), active: new Set() }
  return {
    add: (delivery) => {
      const lane = laneOf(state, delivery)
      lane.items.push(delivery)
      refresh(state, lane)
    },
    next: (consumer) => nextFor(state, consumer),
    handOut: (delivery, consumer) => {
      const lane = laneOf(state, delivery)
      lane.owner = consumer
      lane.handedOut += 1
      // To the back of the queue: a busy key must not starve the others.
      state.active.delete(lane)
      refresh(state, lane)
    },
    settle: (delivery) => {
      delivery.ackedEarly = true
      return cutSettled(state, laneOf(state, delivery))
    },
    takeBack: (delivery) => {
      const lane = laneOf(state, delivery)
      const index = lane.items.indexOf(delivery)
      if (index === -1) return []
      const later = lane.items.slice(index + 1, Math.max(lane.handedOut, index + 1))
      lane.handedOut = Math.min(lane.handedOut, index)
      refresh(state, lane)
      return later
    },
    remove: (delivery) => {
      const lane = laneOf(state, delivery)
      const index = lane.items.indexOf(delivery)
      if (index !== -1) cut(state, lane, index, 1)
      return cutSettled(state, lane)
    },
    ready: (delivery) => refresh(state, laneOf(state, delivery)),
    clear: () => {
      state.byKey.clear()
      state.active.clear()
    },
  }
}

function laneOf({ byKey }: State, delivery: Delivery): Lane {
  const key = delivery.message.orderingKey
  const known = byKey.get(key)
  if (known !== undefined) return known
  const lane: Lane = { key, items: [], handedOut: 0, owner: undefined }
  byKey.set(key, lane)
  return lane
}

function nextFor({ active }: State, consumer: Consumer): Delivery | undefined {
  for (const lane of active) {
    if (lane.owner !== undefined && lane.owner !== consumer) continue
    if (consumer.oneAtATimePerKey && lane.handedOut > 0) continue
    return lane.items[lane.handedOut]
  }
  return undefined
}

/** Keeps a lane among the active ones exactly while it has something to give. */
function refresh({ byKey, active }: State, lane: Lane): void {
  if (lane.handedOut === 0) lane.owner = undefined
  if (lane.items.length === 0) byKey.delete(lane.key)
  if (lane.items[lane.handedOut]?.state === 'ready') active.add(lane)
  else active.delete(lane)
}

function cut(state: State, lane: Lane, from: number, count: number): Delivery[] {
  const gone = lane.items.splice(from, count)
  if (from < lane.handedOut) lane.handedOut = Math.max(from, lane.handedOut - gone.length)
  refresh(state, lane)
  return gone
}

/** Ends the acknowledged messages at the head, which no earlier one holds back any more. */
function cutSettled(state: State, lane: Lane): Delivery[] {
  const open = lane.items.findIndex((item) => !item.ackedEarly)
  return cut(state, lane, 0, open === -1 ? lane.items.length : open)
}

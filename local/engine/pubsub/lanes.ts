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

/**
 * Keeps the order of each key.
 *
 * A message is handed out only when every earlier one of its key is out with the same consumer or
 * acknowledged, and an acknowledgement counts only once those of all earlier messages do: so taking
 * one back takes back everything after it, as Pub/Sub promises.
 */
export function createLanes(): Lanes {
  const lanes = new Map<string, Lane>()
  const active = new Set<Lane>()

  const laneOf = (delivery: Delivery): Lane => {
    const key = delivery.message.orderingKey
    const known = lanes.get(key)
    if (known !== undefined) return known
    const lane: Lane = { key, items: [], handedOut: 0, owner: undefined }
    lanes.set(key, lane)
    return lane
  }
  const refresh = (lane: Lane): void => {
    if (lane.handedOut === 0) lane.owner = undefined
    if (lane.items.length === 0) lanes.delete(lane.key)
    if (lane.items[lane.handedOut]?.state === 'ready') active.add(lane)
    else active.delete(lane)
  }
  const cut = (lane: Lane, from: number, count: number): Delivery[] => {
    const gone = lane.items.splice(from, count)
    if (from < lane.handedOut) lane.handedOut = Math.max(from, lane.handedOut - gone.length)
    refresh(lane)
    return gone
  }
  const cutSettled = (lane: Lane): Delivery[] => {
    const open = lane.items.findIndex((item) => !item.ackedEarly)
    return cut(lane, 0, open === -1 ? lane.items.length : open)
  }
  return {
    add: (delivery) => {
      const lane = laneOf(delivery)
      lane.items.push(delivery)
      refresh(lane)
    },
    next: (consumer) => {
      for (const lane of active) {
        if (lane.owner !== undefined && lane.owner !== consumer) continue
        if (consumer.oneAtATimePerKey && lane.handedOut > 0) continue
        return lane.items[lane.handedOut]
      }
      return undefined
    },
    handOut: (delivery, consumer) => {
      const lane = laneOf(delivery)
      lane.owner = consumer
      lane.handedOut += 1
      // To the back of the queue: a busy key must not starve the others.
      active.delete(lane)
      refresh(lane)
    },
    settle: (delivery) => {
      const lane = laneOf(delivery)
      delivery.ackedEarly = true
      return cutSettled(lane)
    },
    takeBack: (delivery) => {
      const lane = laneOf(delivery)
      const index = lane.items.indexOf(delivery)
      if (index === -1) return []
      const later = lane.items.slice(index + 1, Math.max(lane.handedOut, index + 1))
      lane.handedOut = Math.min(lane.handedOut, index)
      refresh(lane)
      return later
    },
    remove: (delivery) => {
      const lane = laneOf(delivery)
      const index = lane.items.indexOf(delivery)
      if (index !== -1) cut(lane, index, 1)
      else refresh(lane)
      return cutSettled(lane)
    },
    ready: (delivery) => refresh(laneOf(delivery)),
    clear: () => {
      lanes.clear()
      active.clear()
    },
  }
}

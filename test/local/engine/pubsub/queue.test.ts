import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Consumer, Delivery, Leased, Message } from '#local/engine/pubsub/model.ts'
import { backoffMs, createQueue } from '#local/engine/pubsub/queue.ts'
import { newDelivery } from '#local/engine/pubsub/subscription.ts'

type Step =
  | { kind: 'publish'; key: string }
  | { kind: 'pull'; consumer: number; count: number }
  | { kind: 'ack' | 'nack'; which: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('publish' as const), key: fc.constantFrom('a', 'b', '') }),
  fc.record({
    kind: fc.constant('pull' as const),
    consumer: fc.nat({ max: 1 }),
    count: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({ kind: fc.constantFrom('ack' as const, 'nack' as const), which: fc.nat({ max: 9 }) }),
)

type Out = Leased & { readonly consumer: number }

/** A queue with two consumers that take only when told, and what they hold. */
function openQueue(oneAtATimePerKey: boolean) {
  const out = new Map<string, Out>()
  const acked: Delivery[] = []
  const wants = [0, 0]
  const queue = createQueue(
    {
      ordered: () => true,
      exactlyOnce: () => true,
      backoff: () => undefined,
      maxAttempts: () => undefined,
      isExpired: () => false,
    },
    {
      leased: () => undefined,
      acked: (delivery) => acked.push(delivery),
      expired: () => undefined,
      exhausted: () => false,
    },
    { at: () => undefined, close: () => undefined },
  )
  const delivered: Out[] = []
  for (const consumer of [0, 1]) {
    const taker: Consumer = {
      room: () => ({ messages: wants[consumer] ?? 0, bytes: 1e9 }),
      deliver: (batch) => {
        for (const leased of batch) {
          wants[consumer] = (wants[consumer] ?? 0) - 1
          out.set(leased.ackId, { ...leased, consumer })
          delivered.push({ ...leased, consumer })
          checkOrder(leased.message, consumer)
        }
      },
      released: (_message, ackId) => out.delete(ackId),
      ackDeadlineMs: 10_000,
      oneAtATimePerKey,
    }
    queue.attach(taker)
  }
  /** Every earlier message of the key is done for good, acknowledged in waiting, or out with this consumer. */
  const checkOrder = (message: Message, consumer: number): void => {
    if (message.orderingKey === '') return
    for (const { message: other, state } of queue.deliveries.values()) {
      if (other.orderingKey !== message.orderingKey || other.seq >= message.seq || state === 'acked') continue
      const holder = [...out.values()].find((held) => held.message.seq === other.seq)
      if (oneAtATimePerKey || holder?.consumer !== consumer) {
        throw new Error(`${message.seq} overtook ${other.seq}, which is ${state}`)
      }
    }
  }
  return { queue, out, acked, wants }
}

function aMessage(seq: number, orderingKey: string): Message {
  const fixed = { topic: 't', data: Buffer.alloc(1), attributes: {}, publishMs: 0, storedMs: 0 }
  return { ...fixed, seq, messageId: String(seq), orderingKey }
}

test.each([false, true])(
  'no message of a key overtakes an earlier one, and none is lost (one at a time: %s)',
  (oneAtATime) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { queue, out, acked, wants } = openQueue(oneAtATime)
        let published = 0
        const take = (consumer: number, count: number): void => {
          wants[consumer] = count
          queue.pump()
          wants[consumer] = 0
        }
        for (const { kind, ...rest } of steps as (Step & Record<string, unknown>)[]) {
          if (kind === 'publish') {
            published += 1
            queue.add(newDelivery(published, aMessage(published, String((rest as { key: string }).key))))
          } else if (kind === 'pull') {
            const { consumer, count } = rest as { consumer: number; count: number }
            take(consumer, count)
          } else {
            const held = [...out.keys()]
            const ackId = held[(rest as { which: number }).which % Math.max(1, held.length)]
            if (ackId === undefined) continue
            expect(kind === 'ack' ? queue.acknowledge(ackId) : queue.modifyDeadline(ackId, 0)).toBe(true)
          }
        }
        for (let round = 0; round < 3 * published + 3; round += 1) {
          for (const ackId of [...out.keys()]) if (out.has(ackId)) queue.acknowledge(ackId)
          take(0, 100)
        }
        expect(acked.map((delivery) => delivery.entry).sort((a, b) => a - b)).toEqual(
          Array.from({ length: published }, (_unused, index) => index + 1),
        )
        expect(queue.deliveries.size).toBe(0)
        expect(out.size).toBe(0)
      }),
      { numRuns: 1000 },
    )
  },
)

// A consumer may acknowledge out of turn; what came after a refused message is delivered again all the same.
test('an acknowledgement counts only once those of the earlier messages of its key do', () => {
  const { queue, out, acked, wants } = openQueue(false)
  for (const seq of [1, 2, 3]) queue.add(newDelivery(seq, aMessage(seq, 'k')))
  const pull = (): string[] => {
    wants[0] = 3
    queue.pump()
    wants[0] = 0
    return [...out.keys()]
  }
  const [first = '', second = '', third = ''] = pull()
  queue.acknowledge(second)
  queue.acknowledge(third)
  expect(acked).toEqual([])

  queue.modifyDeadline(first, 0)
  const again = pull()
  expect(again.map((ackId) => out.get(ackId)?.message.seq)).toEqual([1, 2, 3])

  for (const ackId of [...again].reverse()) queue.acknowledge(ackId)
  expect(acked.map((delivery) => delivery.entry)).toEqual([1, 2, 3])
})

test('dropping a message settles the acknowledged ones that waited for it', () => {
  const { queue, out, acked, wants } = openQueue(false)
  for (const seq of [1, 2]) queue.add(newDelivery(seq, aMessage(seq, 'k')))
  wants[0] = 2
  queue.pump()
  const [, second = ''] = [...out.keys()]
  queue.acknowledge(second)
  const dropped = queue.deliveries.get(1)
  if (dropped === undefined) throw new Error('the first message is gone')
  queue.remove(dropped)
  expect(acked.map((delivery) => delivery.entry)).toEqual([2])
  expect(queue.deliveries.size).toBe(0)
})

test.each([
  [1, 100],
  [2, 200],
  [3, 400],
  [10, 1000],
  [5000, 1000],
])('after %i failures the back-off is %i ms', (failures, expected) => {
  expect(backoffMs({ minMs: 100, maxMs: 1000 }, failures)).toBe(expected)
})

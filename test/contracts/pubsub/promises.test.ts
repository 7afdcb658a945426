import { describe, expect, test } from 'vitest'
import { differs } from './differences.ts'
import {
  collect,
  enginesWithClients,
  openClient,
  openPair,
  pullNow,
  pullUntil,
  subscriberOf,
} from './engines.ts'

describe.each(await enginesWithClients())(
  'order, retries, dead letters, seeks on $name',
  ({ engine, client }) => {
    test('messages of a key arrive in the order of publishing', async () => {
      const { topic, subscription } = await openPair(client, { enableMessageOrdering: true })
      const ordered = client.topic(topic.name, { messageOrdering: true })
      const collector = collect(subscription, (message) => message.ack())
      for (let index = 0; index < 50; index += 1) {
        void ordered.publishMessage({ data: Buffer.from(`${index}`), orderingKey: `key-${index % 2}` })
      }
      await collector.waitFor(50)
      for (const key of ['key-0', 'key-1']) {
        const seen = collector.messages.filter((message) => message.orderingKey === key)
        const numbers = seen.map((message) => Number(message.data.toString()))
        expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
      }
      await subscription.close()
    })

    test('after a refusal, later messages of the key follow the refused one', async () => {
      const { topic, subscription } = await openPair(client, { enableMessageOrdering: true })
      const ordered = client.topic(topic.name, { messageOrdering: true })
      for (const text of ['0', '1', '2']) {
        await ordered.publishMessage({ data: Buffer.from(text), orderingKey: 'k' })
      }
      let refusals = 0
      const seen: string[] = []
      collect(subscription, (message) => {
        const text = message.data.toString()
        seen.push(text)
        const refused = text === '1' && refusals < 2
        if (refused) refusals += 1
        if (refused) message.nack()
        else message.ack()
      })
      if (differs(engine.name, 'ordering.later_overtake_after_nack')) {
        await expect.poll(() => seen.join(), { timeout: 8000 }).toContain('0,1,2')
      } else {
        // What follows a refused message is delivered after it, every time.
        await expect.poll(() => seen.join(''), { timeout: 8000 }).toMatch(/^01(2?1)(2?1)2$/)
      }
      await subscription.close()
    })

    test('a retry policy makes a refused message wait', async () => {
      const { topic, subscription } = await openPair(client, {
        retryPolicy: { minimumBackoff: { seconds: 2 }, maximumBackoff: { seconds: 10 } },
      })
      await topic.publishMessage({ data: Buffer.from('x') })
      const times: number[] = []
      const collector = collect(subscription, (message) => {
        times.push(performance.now())
        if (times.length === 1) message.nack()
        else message.ack()
      })
      await collector.waitFor(2)
      const waitedMs = (times[1] ?? 0) - (times[0] ?? 0)
      if (differs(engine.name, 'retry_policy.ignored_on_nack')) expect(waitedMs).toBeLessThan(1900)
      else expect(waitedMs).toBeGreaterThanOrEqual(1900)
      await subscription.close()
    })

    test('a message refused too often goes to the dead-letter topic and says where it was', async () => {
      const [deadTopic] = await client.createTopic('dead-letters')
      const [deadSubscription] = await deadTopic.createSubscription('dead-letters')
      const { topic, subscription } = await openPair(client, {
        deadLetterPolicy: { deadLetterTopic: deadTopic.name, maxDeliveryAttempts: 5 },
      })
      await topic.publishMessage({ data: Buffer.from('poison'), attributes: { mine: 'kept' } })
      const collector = collect(subscription, (message) => message.nack())
      const [dead] = await pullUntil(client, deadSubscription, 1, 15_000)
      expect(collector.messages.map((message) => message.deliveryAttempt)).toEqual([1, 2, 3, 4, 5])
      expect(dead?.text).toBe('poison')
      expect(dead?.attributes).toMatchObject({
        mine: 'kept',
        CloudPubSubDeadLetterSourceDeliveryCount: '5',
        CloudPubSubDeadLetterSourceSubscription: subscription.name.split('/').at(-1),
        CloudPubSubDeadLetterSourceSubscriptionProject: client.projectId,
      })
      expect(Object.keys(dead?.attributes ?? {}).sort()).toEqual([
        'CloudPubSubDeadLetterSourceDeliveryCount',
        ...(differs(engine.name, 'dead_letter.no_error_message')
          ? []
          : ['CloudPubSubDeadLetterSourceDeliveryErrorMessage']),
        'CloudPubSubDeadLetterSourceSubscription',
        'CloudPubSubDeadLetterSourceSubscriptionProject',
        'CloudPubSubDeadLetterSourceTopicPublishTime',
        'mine',
      ])
      await subscription.close()
      expect(await pullNow(client, subscription)).toEqual([])
    })

    test('a seek to the future acknowledges the backlog', async () => {
      const { topic, subscription } = await openPair(client)
      await topic.publishMessage({ data: Buffer.from('skipped') })
      await subscription.seek(new Date(Date.now() + 60_000))
      expect(await pullNow(client, subscription)).toEqual([])
    })

    test('a seek to the past replays retained messages', async () => {
      const before = new Date(Date.now() - 60_000)
      const { topic, subscription } = await openPair(client, { retainAckedMessages: true })
      await topic.publishMessage({ data: Buffer.from('replayed') })
      const [received] = await pullUntil(client, subscription, 1)
      const subscriber = await subscriberOf(client)
      await subscriber.acknowledge({ subscription: subscription.name, ackIds: [received?.ackId ?? ''] })
      expect(await pullNow(client, subscription)).toEqual([])
      await subscription.seek(before)
      expect(await pullUntil(client, subscription, 1)).toMatchObject([{ text: 'replayed' }])
    })

    test('a snapshot brings back its backlog and what came after it', async () => {
      const { topic, subscription } = await openPair(client)
      await topic.publishMessage({ data: Buffer.from('before') })
      await subscription.createSnapshot('snapshot-a')
      await topic.publishMessage({ data: Buffer.from('after') })
      const received = await pullUntil(client, subscription, 2)
      const subscriber = await subscriberOf(client)
      const ackIds = received.map((message) => message.ackId)
      await subscriber.acknowledge({ subscription: subscription.name, ackIds })
      expect(await pullNow(client, subscription)).toEqual([])
      await subscription.seek('snapshot-a')
      const again = await pullUntil(client, subscription, 2)
      expect(again.map((message) => message.text).sort()).toEqual(['after', 'before'])
    })

    test('snapshots are listed and deleted', async () => {
      const other = await openClient(engine)
      const { subscription } = await openPair(other)
      await subscription.createSnapshot('snapshot-b')
      const [listed] = await other.getSnapshots()
      expect(listed.map((snapshot) => snapshot.name.split('/').at(-1))).toEqual(['snapshot-b'])
      await other.snapshot('snapshot-b').delete()
      expect((await other.getSnapshots())[0]).toEqual([])
      await other.close()
    })
  },
)

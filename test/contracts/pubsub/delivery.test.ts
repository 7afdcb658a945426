import { status } from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import { codeOf } from '../../support/code-of.ts'
import { until } from '../../support/until.ts'
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

const { INVALID_ARGUMENT } = status

describe.each(await enginesWithClients())('publishing and delivery on $name', ({ engine, client }) => {
  const acked = (message: { ack(): void }): void => message.ack()

  test('a message arrives with its bytes, attributes, id and time', async () => {
    const { topic, subscription } = await openPair(client)
    const data = Buffer.from([0, 255, 10, 13, 128])
    const messageId = await topic.publishMessage({ data, attributes: { a: '1', ä: 'ö' } })
    const [message] = await collect(subscription, acked).waitFor(1)
    expect(message?.id).toBe(messageId)
    expect(message?.data).toEqual(data)
    expect(message?.attributes).toEqual({ a: '1', ä: 'ö' })
    expect(Math.abs(Date.now() - (message?.publishTime.getTime() ?? 0))).toBeLessThan(60_000)
    await subscription.close()
  })

  test('every subscription of a topic gets every message', async () => {
    const { topic, subscription } = await openPair(client)
    const [second] = await topic.createSubscription('second-listener')
    await topic.publishMessage({ data: Buffer.from('both') })
    expect(await pullUntil(client, subscription, 1)).toMatchObject([{ text: 'both' }])
    expect(await pullUntil(client, second, 1)).toMatchObject([{ text: 'both' }])
  })

  test('a subscription gets nothing from before it existed', async () => {
    const [topic] = await client.createTopic('early')
    await topic.publishMessage({ data: Buffer.from('before') })
    const [subscription] = await topic.createSubscription('late')
    await topic.publishMessage({ data: Buffer.from('after') })
    expect(await pullUntil(client, subscription, 1)).toMatchObject([{ text: 'after' }])
  })

  test('a thousand messages arrive, each once', async () => {
    const { topic, subscription } = await openPair(client)
    const collector = collect(subscription, acked)
    const ids = await Promise.all(
      Array.from({ length: 1000 }, (_unused, index) =>
        topic.publishMessage({ data: Buffer.from(`${index}`) }),
      ),
    )
    await collector.waitFor(1000)
    expect(new Set(collector.messages.map((message) => message.id))).toEqual(new Set(ids))
    expect(collector.messages).toHaveLength(1000)
    await subscription.close()
  })

  test('messages of one topic wait for their subscriber', async () => {
    const { topic, subscription } = await openPair(client)
    await topic.publishMessage({ data: Buffer.from('waiting') })
    expect(await collect(subscription, acked).waitFor(1)).toHaveLength(1)
    await subscription.close()
  })

  test('an acknowledged message is not delivered again', async () => {
    const { topic, subscription } = await openPair(client)
    await topic.publishMessage({ data: Buffer.from('once') })
    const [received] = await pullUntil(client, subscription, 1)
    const subscriber = await subscriberOf(client)
    await subscriber.acknowledge({ subscription: subscription.name, ackIds: [received?.ackId ?? ''] })
    expect(await pullNow(client, subscription)).toEqual([])
  })

  test('a refused message comes again, with the same id', async () => {
    const { topic, subscription } = await openPair(client)
    const messageId = await topic.publishMessage({ data: Buffer.from('again') })
    const collector = collect(subscription, (message) =>
      collector.messages.length === 1 ? message.nack() : message.ack(),
    )
    await collector.waitFor(2)
    expect(collector.messages.map((message) => message.id)).toEqual([messageId, messageId])
    await subscription.close()
  })

  test('a message whose deadline passes comes again', async () => {
    const { topic, subscription } = await openPair(client)
    await topic.publishMessage({ data: Buffer.from('expired') })
    const [first] = await pullUntil(client, subscription, 1)
    const subscriber = await subscriberOf(client)
    const change = { subscription: subscription.name, ackIds: [first?.ackId ?? ''], ackDeadlineSeconds: 1 }
    await subscriber.modifyAckDeadline(change)
    expect(await pullNow(client, subscription)).toEqual([])
    const [second] = await pullUntil(client, subscription, 1)
    expect(second?.messageId).toBe(first?.messageId)
  })

  test('a longer deadline keeps a message from coming again', async () => {
    const { topic, subscription } = await openPair(client)
    await topic.publishMessage({ data: Buffer.from('kept') })
    const [first] = await pullUntil(client, subscription, 1)
    const subscriber = await subscriberOf(client)
    const change = { subscription: subscription.name, ackIds: [first?.ackId ?? ''] }
    await subscriber.modifyAckDeadline({ ...change, ackDeadlineSeconds: 1 })
    await subscriber.modifyAckDeadline({ ...change, ackDeadlineSeconds: 60 })
    const since = performance.now()
    await until(() => performance.now() - since > 1300)
    expect(await pullNow(client, subscription)).toEqual([])
  })

  test('two streams share the messages of a subscription', async () => {
    const { topic, subscription } = await openPair(client)
    const other = await openClient(engine)
    const twin = other.subscription(subscription.name)
    const one = collect(subscription, acked)
    const two = collect(twin, acked)
    const total = 400
    await Promise.all(
      Array.from({ length: total }, (_unused, index) =>
        topic.publishMessage({ data: Buffer.from(`${index}`) }),
      ),
    )
    await until(() => one.messages.length + two.messages.length >= total)
    expect(new Set([...one.texts(), ...two.texts()]).size).toBe(total)
    await Promise.all([subscription.close(), twin.close()])
    await other.close()
  })

  test('flow control holds back what the client has no room for', async () => {
    const { topic, subscription } = await openPair(client)
    const limited = client.subscription(subscription.name, { flowControl: { maxMessages: 3 } })
    const collector = collect(limited, () => undefined)
    await Promise.all(
      Array.from({ length: 20 }, (_unused, index) => topic.publishMessage({ data: Buffer.from(`${index}`) })),
    )
    await collector.waitFor(3)
    if (differs(engine.name, 'flow_control.ignored_by_server')) {
      await collector.waitFor(20)
      await limited.close()
      return
    }
    expect(collector.messages.length).toBe(3)
    for (let done = 0; done < 20; done += 1) {
      await collector.waitFor(done + 1)
      collector.messages[done]?.ack()
    }
    expect(new Set(collector.texts()).size).toBe(20)
    await limited.close()
  })

  test('an empty message is refused', async () => {
    const { topic } = await openPair(client)
    expect(await codeOf(topic.publishMessage({ data: Buffer.alloc(0) }))).toBe(INVALID_ARGUMENT)
  })

  test('a message of attributes alone is delivered', async () => {
    const { topic, subscription } = await openPair(client)
    await topic.publishMessage({ attributes: { only: 'this' } })
    expect(await pullUntil(client, subscription, 1)).toMatchObject([
      { text: '', attributes: { only: 'this' } },
    ])
  })

  test('more than 10 MB are refused', async () => {
    const { topic } = await openPair(client)
    const code = await codeOf(topic.publishMessage({ data: Buffer.alloc(10_000_001) }))
    expect(code).toBe(differs(engine.name, 'publish.oversize_accepted') ? 'ok' : INVALID_ARGUMENT)
  })

  test('an exactly-once subscription confirms an acknowledgement', async () => {
    const { topic, subscription } = await openPair(client, { enableExactlyOnceDelivery: true })
    await topic.publishMessage({ data: Buffer.from('sure') })
    const answers: Promise<string>[] = []
    await collect(subscription, (message) => answers.push(message.ackWithResponse())).waitFor(1)
    expect(await Promise.all(answers)).toEqual(['SUCCESS'])
    await subscription.close()
  })

  test('a filter lets through what it names and nothing else', async () => {
    const { topic, subscription } = await openPair(client, {
      filter: 'attributes:kind AND NOT attributes.kind = "noise"',
    })
    await topic.publishMessage({ data: Buffer.from('noise'), attributes: { kind: 'noise' } })
    await topic.publishMessage({ data: Buffer.from('none') })
    await topic.publishMessage({ data: Buffer.from('signal'), attributes: { kind: 'signal' } })
    const expected = differs(engine.name, 'filter.ignored') ? ['noise', 'none', 'signal'] : ['signal']
    const texts = (await pullUntil(client, subscription, expected.length)).map((message) => message.text)
    expect(texts.sort()).toEqual(expected)
  })

  test('the attempt is told only where a dead-letter policy counts it', async () => {
    const { topic, subscription } = await openPair(client)
    await topic.publishMessage({ data: Buffer.from('x') })
    expect(await pullUntil(client, subscription, 1)).toMatchObject([{ deliveryAttempt: 0 }])
  })

  test('an unknown ack id is no error without exactly-once', async () => {
    const { topic, subscription } = await openPair(client)
    await topic.publishMessage({ data: Buffer.from('x') })
    const [received] = await pullUntil(client, subscription, 1)
    const subscriber = await subscriberOf(client)
    const request = { subscription: subscription.name, ackIds: [received?.ackId ?? ''] }
    await subscriber.acknowledge(request)
    expect(await codeOf(subscriber.acknowledge(request))).toBe('ok')
  })
})

import { join } from 'node:path'
import { PubSub, type Topic } from '@google-cloud/pubsub'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type PubsubEngine, startPubsubEngine } from '#local/engine/pubsub/index.ts'
import { status } from '#local/engine/rpc-error.ts'
import { manualClock } from '#shared/clock.ts'
import { collect, openPair, pullNow, pullUntil, subscriberOf } from '../../../contracts/pubsub/engines.ts'
import { codeOf } from '../../../support/code-of.ts'
import { startOtherProcess } from '../../../support/other-process.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'

const clock = manualClock(Date.UTC(2026, 0, 1))
let folder: string
let engine: PubsubEngine
let client: PubSub

const open = async (): Promise<void> => {
  engine = await startPubsubEngine({
    file: join(folder, 'pubsub.db'),
    now: clock.now,
    retentionNow: clock.now,
  })
  client = new PubSub({ projectId: 'demo-engine', apiEndpoint: engine.host, emulatorMode: true })
}
const close = async (): Promise<void> => {
  await client.close()
  await engine.close()
}

beforeEach(async () => {
  folder = temporaryFolder()
  await open()
})
afterEach(close)

const publish = (topic: Topic, text: string): Promise<string> =>
  topic.publishMessage({ data: Buffer.from(text) })

describe('what survives', () => {
  test('after a restart everything unacknowledged is due, with its attempts, and nothing acknowledged', async () => {
    await client.createTopic('dead')
    const { topic, subscription } = await openPair(client, {
      deadLetterPolicy: { deadLetterTopic: 'projects/demo-engine/topics/dead', maxDeliveryAttempts: 5 },
    })
    for (const text of ['acked', 'leased', 'waiting']) await publish(topic, text)
    const [acked, leased] = await pullNow(client, subscription, 2)
    const subscriber = await subscriberOf(client)
    await subscriber.acknowledge({ subscription: subscription.name, ackIds: [acked?.ackId ?? ''] })
    await close()
    await open()
    const again = await pullNow(client, client.subscription(subscription.name))
    expect(again.map(({ text, deliveryAttempt }) => [text, deliveryAttempt])).toEqual([
      ['leased', 2],
      ['waiting', 1],
    ])
    expect(again[0]?.messageId).toBe(leased?.messageId)
  })

  test('ids are never used twice, even when all messages are gone', async () => {
    const { topic, subscription } = await openPair(client)
    const first = await publish(topic, 'x')
    const [received] = await pullNow(client, subscription)
    const subscriber = await subscriberOf(client)
    await subscriber.acknowledge({ subscription: subscription.name, ackIds: [received?.ackId ?? ''] })
    await close()
    await open()
    expect(Number(await publish(client.topic(topic.name), 'y'))).toBeGreaterThan(Number(first))
  })

  test('snapshots and retained messages are there after a restart', async () => {
    const { topic, subscription } = await openPair(client, { retainAckedMessages: true })
    await publish(topic, 'kept')
    await subscription.createSnapshot('snapshot-kept')
    const [received] = await pullNow(client, subscription)
    const subscriber = await subscriberOf(client)
    await subscriber.acknowledge({ subscription: subscription.name, ackIds: [received?.ackId ?? ''] })
    await close()
    await open()
    const reopened = client.subscription(subscription.name)
    expect(await pullNow(client, reopened)).toEqual([])
    await reopened.seek('snapshot-kept')
    expect(await pullNow(client, reopened)).toMatchObject([{ text: 'kept' }])
  })

  // The process is killed in the middle of a stream of publishes, as a developer's machine would.
  test('no message answered to its publisher is lost when the process is killed', async () => {
    const file = join(folder, 'killed.db')
    const module = join(import.meta.dirname, '../../../../local/engine/pubsub/index.ts')
    const other = await startOtherProcess(
      `import { startPubsubEngine } from ${JSON.stringify(module)}
       const engine = await startPubsubEngine({ file: ${JSON.stringify(file)} })
       console.log(engine.host)`,
    )
    const { child } = other
    const remote = new PubSub({ projectId: 'demo-engine', apiEndpoint: other.said, emulatorMode: true })
    const { topic, subscription } = await openPair(remote)
    const answered: string[] = []
    for (let index = 0; index < 20_000 && child.exitCode === null && child.signalCode === null; index += 1) {
      void publish(topic, `${index}`).then(
        (id) => answered.push(id),
        () => undefined,
      )
      if (index % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
      if (answered.length > 300) child.kill('SIGKILL')
    }
    await other.kill('SIGKILL')
    const restarted = await startPubsubEngine({ file })
    const stored = new Set(
      restarted.messages({ subscription: subscription.name }).map((each) => each.messageId),
    )
    await restarted.close()
    void remote.close()
    expect(answered.length).toBeGreaterThan(300)
    expect(answered.filter((id) => !stored.has(id))).toEqual([])
  })
})

describe('the control door', () => {
  test('a duplicate of an acknowledged message arrives with the same id', async () => {
    const { topic, subscription } = await openPair(client)
    const messageId = await publish(topic, 'twice')
    const [received] = await pullNow(client, subscription)
    const subscriber = await subscriberOf(client)
    await subscriber.acknowledge({ subscription: subscription.name, ackIds: [received?.ackId ?? ''] })
    expect(engine.messages()).toMatchObject([{ messageId, state: 'acked' }])
    engine.duplicate(messageId)
    expect(await pullNow(client, subscription)).toMatchObject([{ text: 'twice', messageId }])
  })

  test('a dropped message never arrives, and the others do', async () => {
    const { topic, subscription } = await openPair(client)
    const dropped = await publish(topic, 'dropped')
    await publish(topic, 'kept')
    engine.drop(dropped)
    expect(await pullNow(client, subscription)).toMatchObject([{ text: 'kept' }])
  })

  test('deliver ends a back-off', async () => {
    const { topic, subscription } = await openPair(client, {
      retryPolicy: { minimumBackoff: { seconds: 600 }, maximumBackoff: { seconds: 600 } },
    })
    const messageId = await publish(topic, 'late')
    const [received] = await pullNow(client, subscription)
    const subscriber = await subscriberOf(client)
    const refusal = {
      subscription: subscription.name,
      ackIds: [received?.ackId ?? ''],
      ackDeadlineSeconds: 0,
    }
    await subscriber.modifyAckDeadline(refusal)
    expect(await pullNow(client, subscription)).toEqual([])
    expect(engine.messages({ state: 'delayed' })).toMatchObject([{ messageId, attempts: 1 }])
    engine.deliver(messageId)
    expect(await pullNow(client, subscription)).toMatchObject([{ text: 'late' }])
  })

  test('it is quiescent when whoever listens has nothing out or due', async () => {
    const { topic, subscription } = await openPair(client)
    let release = (): void => undefined
    const collector = collect(subscription, (message) => {
      release = () => message.ack()
    })
    await publish(topic, 'x')
    await collector.waitFor(1)
    expect(engine.quiescent()).toBe(false)
    release()
    await expect.poll(() => engine.quiescent()).toBe(true)
    await subscription.close()
  })

  test('a lost answer of a publish leaves a message although the caller saw a failure', async () => {
    const { topic, subscription } = await openPair(client)
    let left = 1
    engine.setFault((rpc) =>
      rpc === 'Publish' && left-- > 0 ? { mode: 'lostAnswer', code: status.INTERNAL } : undefined,
    )
    await codeOf(publish(topic, 'sent'))
    engine.setFault(undefined)
    const texts = (await pullUntil(client, subscription, 1)).map((message) => message.text)
    expect(new Set(texts)).toEqual(new Set(['sent']))
  })

  test('reset forgets everything', async () => {
    const { topic } = await openPair(client)
    await publish(topic, 'x')
    engine.reset()
    expect(engine.messages()).toEqual([])
    expect((await client.getTopics())[0]).toEqual([])
  })

  test('messages older than the retention are not delivered', async () => {
    const { topic, subscription } = await openPair(client, { messageRetentionDuration: { seconds: 600 } })
    await publish(topic, 'old')
    clock.advance(599_000)
    await publish(topic, 'new')
    clock.advance(2_000)
    expect(await pullNow(client, subscription)).toMatchObject([{ text: 'new' }])
    expect(engine.messages()).toHaveLength(1)
  })
})

test('without exactly-once an acknowledgement after the deadline still counts', async () => {
  const { topic, subscription } = await openPair(client)
  await publish(topic, 'late')
  const [received] = await pullNow(client, subscription)
  const subscriber = await subscriberOf(client)
  const named = { subscription: subscription.name, ackIds: [received?.ackId ?? ''] }
  await subscriber.modifyAckDeadline({ ...named, ackDeadlineSeconds: 0 })
  await subscriber.acknowledge(named)
  expect(await pullNow(client, subscription)).toEqual([])
})

test('with exactly-once it is refused by name, and the message comes again', async () => {
  const { topic, subscription } = await openPair(client, { enableExactlyOnceDelivery: true })
  await publish(topic, 'strict')
  const [received] = await pullNow(client, subscription)
  const subscriber = await subscriberOf(client)
  const named = { subscription: subscription.name, ackIds: [received?.ackId ?? ''] }
  await subscriber.modifyAckDeadline({ ...named, ackDeadlineSeconds: 0 })
  const refused: unknown = await subscriber.acknowledge(named).catch((error: unknown) => error)
  expect(refused).toMatchObject({
    code: 9,
    errorInfoMetadata: { [received?.ackId ?? '']: 'PERMANENT_FAILURE_INVALID_ACK_ID' },
  })
  expect(await pullNow(client, subscription)).toMatchObject([{ text: 'strict' }])
})

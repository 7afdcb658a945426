import { type Message, PubSub, type Subscription, type Topic } from '@google-cloud/pubsub'
import { afterAll, inject } from 'vitest'
import { startPubsubEngine } from '#local/engine/pubsub/index.ts'
import { googleEngine, type TestEngine } from '../../support/engines.ts'
import { until } from '../../support/until.ts'

/** The Pub/Sub engines of this run, for `describe.each`. */
function pubsubEngines(): TestEngine[] {
  return inject('engines').map((name) => (name === 'google' ? googleEngine('pubsub') : embedded()))
}

function embedded(): TestEngine {
  let engine: ReturnType<typeof startPubsubEngine> | undefined
  return {
    name: 'embedded',
    host: async () => {
      engine ??= startPubsubEngine()
      return (await engine).host
    },
    close: async () => {
      if (engine !== undefined) await (await engine).close()
    },
  }
}

/** The engines of this run, each with a client for the tests of one file; closed after its last test. */
export async function enginesWithClients() {
  const opened = pubsubEngines().map((engine) => ({ engine, client: openClient(engine) }))
  afterAll(async () => {
    for (const { engine, client } of opened) {
      await (await client).close()
      await engine.close()
    }
  })
  return Promise.all(
    opened.map(async ({ engine, client }) => ({ name: engine.name, engine, client: await client })),
  )
}

let projects = 0

/** A client in a project of its own, so that tests on one emulator never meet. */
export async function openClient(engine: TestEngine): Promise<PubSub> {
  projects += 1
  const projectId = `demo-${process.pid}-${projects}-${Math.random().toString(36).slice(2, 8)}`
  return new PubSub({ projectId, apiEndpoint: await engine.host(), emulatorMode: true })
}

let names = 0

/** A topic with one subscription of the given settings. */
export async function openPair(
  client: PubSub,
  settings: Parameters<Topic['createSubscription']>[1] = {},
): Promise<{ topic: Topic; subscription: Subscription }> {
  names += 1
  const [topic] = await client.createTopic(`topic-${names}`)
  const [subscription] = await topic.createSubscription(`subscription-${names}`, settings)
  return { topic, subscription }
}

type Collector = {
  readonly messages: Message[]
  /** What their data says, in the order of arrival. */
  texts(): string[]
  /** Waits for this many messages; fails with what has come instead. */
  waitFor(count: number, timeoutMs?: number): Promise<Message[]>
}

/** Listens to a subscription; `onMessage` decides what becomes of each message. */
export function collect(subscription: Subscription, onMessage: (message: Message) => void): Collector {
  const messages: Message[] = []
  subscription.on('message', (message: Message) => {
    messages.push(message)
    onMessage(message)
  })
  subscription.on('error', () => undefined)
  const texts = (): string[] => messages.map((message) => message.data.toString())
  return {
    messages,
    texts,
    waitFor: async (count, timeoutMs = 10_000) => {
      await until(
        () => messages.length >= count,
        timeoutMs,
        () => `${count} messages, got ${texts().join()}`,
      )
      return messages
    },
  }
}

/** Pulls what is there without waiting for more. */
export async function pullNow(client: PubSub, subscription: Subscription, maxMessages = 100) {
  const subscriber = await subscriberOf(client)
  const [response] = await subscriber.pull({
    subscription: subscription.name,
    maxMessages,
    returnImmediately: true,
  })
  return (response.receivedMessages ?? []).map((received) => ({
    ackId: received.ackId ?? '',
    text: Buffer.from((received.message?.data ?? '') as Uint8Array).toString(),
    messageId: received.message?.messageId ?? '',
    attributes: received.message?.attributes ?? {},
    deliveryAttempt: received.deliveryAttempt ?? 0,
    publishTime: received.message?.publishTime,
  }))
}

/** Pulls until this many messages have come; the emulator may answer an immediate pull with less. */
export async function pullUntil(
  client: PubSub,
  subscription: Subscription,
  count: number,
  timeoutMs = 8_000,
) {
  const all: Awaited<ReturnType<typeof pullNow>> = []
  await until(
    async () => {
      all.push(...(await pullNow(client, subscription)))
      return all.length >= count
    },
    timeoutMs,
    () => `${count} messages, got ${all.map((message) => message.text).join()}`,
  )
  return all
}

/** The generated client, for calls that the friendly one does not have. */
export async function subscriberOf(client: PubSub) {
  const { v1 } = await import('@google-cloud/pubsub')
  const known = raw.get(client)
  if (known !== undefined) return known
  const { servicePath, port, sslCreds } = client.options
  const subscriber = new v1.SubscriberClient({
    ...(servicePath !== undefined && { servicePath }),
    ...(port !== undefined && { port: Number(port) }),
    ...(sslCreds !== undefined && { sslCreds }),
    projectId: client.projectId,
  })
  raw.set(client, subscriber)
  return subscriber
}

type RawSubscriber = InstanceType<typeof import('@google-cloud/pubsub')['v1']['SubscriberClient']>
const raw = new WeakMap<PubSub, RawSubscriber>()

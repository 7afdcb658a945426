import type { PubSub } from '@google-cloud/pubsub'
import { PubSub as Client } from '@google-cloud/pubsub'
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { type PubsubEngine, startPubsubEngine } from '#local/engine/pubsub/index.ts'
import {
  clientSource,
  createTopology,
  embeddedSource,
  type Pusher,
  type PushSubscription,
  startPusher,
} from '#local/pusher/index.ts'
import { pullUntil } from '../../contracts/pubsub/engines.ts'
import { googleEngine } from '../../support/engines.ts'
import { until } from '../../support/until.ts'
import { type Endpoint, openEndpoint } from './endpoint.ts'

type Stack = {
  readonly client: PubSub
  publish(
    text: string,
    options?: { attributes?: Record<string, string>; orderingKey?: string },
  ): Promise<string>
  push(changes?: Partial<PushSubscription>): Promise<Pusher>
  pusher(changes?: Partial<PushSubscription>): Promise<Pusher>
}

let projects = 0

describe.each(inject('engines').map((name) => ({ name })))('the pusher on $name', ({ name }) => {
  let engine: PubsubEngine | undefined
  let endpoint: Endpoint
  let stack: Stack
  const pushers: Pusher[] = []
  const clients: PubSub[] = []

  beforeEach(async () => {
    projects += 1
    const project = `demo-push-${process.pid}-${projects}`
    engine = name === 'embedded' ? await startPubsubEngine() : undefined
    const pubsubHost = engine?.host ?? (await googleEngine('pubsub').host())
    const client = new Client({ projectId: project, apiEndpoint: pubsubHost, emulatorMode: true })
    clients.push(client)
    const describeSubscription = (changes: Partial<PushSubscription>): PushSubscription => ({
      name: 'orders-to-billing',
      topic: 'orders',
      endpoint: endpoint.url,
      serviceAccountEmail: 'push-billing@demo.iam.gserviceaccount.com',
      audience: 'https://billing.example',
      ackDeadlineSeconds: 10,
      retry: { minMs: 50, maxMs: 200 },
      maxDeliveryAttempts: 5,
      deadLetterTopic: 'orders-dead-letter',
      enableOrdering: false,
      ...changes,
    })
    const start = async (subscription: PushSubscription): Promise<Pusher> => {
      const pusher = await startPusher({
        project,
        subscriptions: [subscription],
        source: engine ? embeddedSource(engine.broker, project) : clientSource({ pubsubHost, project }),
        mintIdToken: async ({ email, audience }) => tokenOf({ email, audience, n: ++minted }),
        now: () => NOW,
      })
      pushers.push(pusher)
      return pusher
    }
    stack = {
      client,
      publish: async (text, options = {}) =>
        client
          .topic('orders', { messageOrdering: options.orderingKey !== undefined })
          .publishMessage({ data: Buffer.from(text), ...options }),
      push: async (changes = {}) => {
        const subscription = describeSubscription(changes)
        const where = engine ? { store: engine.broker } : { pubsubHost }
        const topology = { project, topics: ['orders'], subscriptions: [subscription], ...where }
        await createTopology(topology)
        // A second time, as at every start of the stack.
        await createTopology(topology)
        return start(subscription)
      },
      pusher: (changes = {}) => start(describeSubscription(changes)),
    }
    minted = 0
  })
  afterEach(async () => {
    for (const pusher of pushers.splice(0)) await pusher.close()
    for (const client of clients.splice(0)) await client.close()
    await endpoint.close()
    await engine?.close()
  })

  test('a message arrives as production wraps it, with a token for its audience', async () => {
    endpoint = await openEndpoint(() => 204)
    const pusher = await stack.push()
    const messageId = await stack.publish('hello', { attributes: { type: 't' } })
    await until(() => endpoint.received.length === 1)
    const [push] = endpoint.received
    expect(push?.headers['content-type']).toBe('application/json')
    expect(claimsOf(push?.headers.authorization)).toMatchObject({
      email: 'push-billing@demo.iam.gserviceaccount.com',
      audience: 'https://billing.example',
    })
    expect(push?.body).toEqual({
      message: {
        data: Buffer.from('hello').toString('base64'),
        attributes: { type: 't' },
        messageId,
        message_id: messageId,
        publishTime: push?.body.message['publishTime'],
        publish_time: push?.body.message['publishTime'],
      },
      subscription: `projects/${stack.client.projectId}/subscriptions/orders-to-billing`,
      deliveryAttempt: 1,
    })
    expect(String(push?.body.message['publishTime'])).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    await pusher.idle({ includingRetries: true })
    expect(pusher.attempts()).toMatchObject([{ ok: true, status: 204, attempt: 1, messageId }])
  })

  test('one token serves many messages', async () => {
    endpoint = await openEndpoint(() => 200)
    const pusher = await stack.push()
    for (let index = 0; index < 5; index += 1) await stack.publish(`${index}`)
    await until(() => endpoint.received.length === 5)
    await pusher.idle()
    expect(new Set(endpoint.received.map((push) => push.headers.authorization)).size).toBe(1)
  })

  test.each([200, 201, 202, 204])('%i acknowledges', async (status) => {
    endpoint = await openEndpoint(() => status)
    const pusher = await stack.push()
    await stack.publish('x')
    await until(() => pusher.attempts().length === 1)
    await pusher.idle({ includingRetries: true })
    expect(endpoint.received).toHaveLength(1)
  })

  test.each([302, 400, 404, 409, 500, 503])(
    '%i is a refusal, tried again after the back-off',
    async (status) => {
      endpoint = await openEndpoint((_push, count) => (count <= 2 ? status : 200))
      const pusher = await stack.push()
      await stack.publish('x')
      await until(() => endpoint.received.length === 3)
      await pusher.idle({ includingRetries: true })
      const [first, second, third] = endpoint.received
      expect(endpoint.received.map((push) => push.body.deliveryAttempt)).toEqual([1, 2, 3])
      expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(45)
      expect((third?.atMs ?? 0) - (second?.atMs ?? 0)).toBeGreaterThanOrEqual(95)
    },
  )

  test('after the last attempt a message is in the dead-letter topic, and nowhere else', async () => {
    endpoint = await openEndpoint(() => 500)
    const pusher = await stack.push()
    await stack.publish('poison', { attributes: { mine: 'kept' } })
    const [dead] = await pullUntil(stack.client, stack.client.subscription('orders-dead-letter'), 1)
    expect(dead).toMatchObject({
      text: 'poison',
      attributes: {
        mine: 'kept',
        CloudPubSubDeadLetterSourceDeliveryCount: '5',
        CloudPubSubDeadLetterSourceSubscription: 'orders-to-billing',
      },
    })
    await pusher.idle({ includingRetries: true })
    expect(endpoint.received).toHaveLength(5)
  })

  test('an endpoint that is down gets its messages when it is back', async () => {
    endpoint = await openEndpoint(() => 200)
    const { port } = endpoint
    const pusher = await stack.push({ maxDeliveryAttempts: 100 })
    await endpoint.close()
    await stack.publish('patient')
    await until(() => pusher.attempts().some((attempt) => attempt.error === 'ECONNREFUSED'))
    endpoint = await openEndpoint(() => 200, port)
    await until(() => endpoint.received.length === 1)
    await pusher.idle({ includingRetries: true })
    expect(endpoint.received.map((push) => push.text)).toEqual(['patient'])
  })

  test('messages of a key are pushed one at a time, in order, whatever fails', async () => {
    let failed = false
    endpoint = await openEndpoint((push) => {
      const fails = push.text === 'a1' && !failed
      failed ||= fails
      return { status: fails ? 500 : 200, afterMs: 15 }
    })
    const pusher = await stack.push({ enableOrdering: true })
    for (const text of ['a0', 'a1', 'a2', 'b0', 'b1']) {
      await stack.publish(text, { orderingKey: text.slice(0, 1) })
    }
    await until(() => endpoint.received.length === 6)
    await pusher.idle({ includingRetries: true })
    const textsOf = (key: string) =>
      endpoint.received.map((push) => push.text).filter((text) => text.startsWith(key))
    expect(textsOf('a')).toEqual(['a0', 'a1', 'a1', 'a2'])
    expect(textsOf('b')).toEqual(['b0', 'b1'])
    expect(endpoint.received[0]?.body.message.orderingKey).toBe('a')
  })

  test('a filter keeps messages from the endpoint', async () => {
    endpoint = await openEndpoint(() => 200)
    const pusher = await stack.push({ filter: 'attributes.type = "wanted"' })
    await stack.publish('no', { attributes: { type: 'other' } })
    await stack.publish('yes', { attributes: { type: 'wanted' } })
    await until(() => endpoint.received.length === 1)
    await pusher.idle({ includingRetries: true })
    expect(endpoint.received.map((push) => push.text)).toEqual(['yes'])
  })

  test('no more messages are out at once than the window allows', async () => {
    endpoint = await openEndpoint(() => ({ status: 200, afterMs: 5 }))
    const pusher = await stack.push()
    await Promise.all(Array.from({ length: 300 }, (_unused, index) => stack.publish(`${index}`)))
    await until(() => endpoint.received.length >= 300)
    await pusher.idle({ includingRetries: true })
    expect(endpoint.peak()).toBeLessThanOrEqual(100)
    expect(new Set(endpoint.received.map((push) => push.text)).size).toBe(300)
  })

  test('what a closed pusher had not finished, the next one delivers', async () => {
    let slow = true
    endpoint = await openEndpoint(() => ({ status: 200, afterMs: slow ? 400 : 0 }))
    const first = await stack.push()
    await stack.publish('handed over')
    await until(() => endpoint.received.length === 1)
    await first.close()
    slow = false
    const second = await stack.pusher()
    await until(() => second.attempts().some((attempt) => attempt.ok), 15_000)
    expect(endpoint.received.at(-1)?.text).toBe('handed over')
  })
})

const NOW = Date.UTC(2026, 0, 1)
let minted = 0

function tokenOf(claims: object): string {
  const payload = Buffer.from(JSON.stringify({ ...claims, exp: NOW / 1000 + 3600 })).toString('base64url')
  return `e30.${payload}.sig`
}

function claimsOf(authorization: string | undefined): unknown {
  return JSON.parse(Buffer.from(authorization?.split('.')[1] ?? '', 'base64url').toString())
}

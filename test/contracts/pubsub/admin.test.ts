import { status } from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import { codeOf } from '../../support/code-of.ts'
import { differs } from './differences.ts'
import { enginesWithClients, openClient, openPair, subscriberOf } from './engines.ts'

const { ALREADY_EXISTS, FAILED_PRECONDITION, INVALID_ARGUMENT, NOT_FOUND, OUT_OF_RANGE, UNIMPLEMENTED } =
  status

describe.each(await enginesWithClients())('topics and subscriptions on $name', ({ engine, client }) => {
  test('a created topic is found, and a second one of its name is refused', async () => {
    await client.createTopic('orders')
    expect(await client.topic('orders').exists()).toEqual([true])
    expect(await codeOf(client.createTopic('orders'))).toBe(ALREADY_EXISTS)
  })

  test('a topic nobody created is not found', async () => {
    expect(await codeOf(client.topic('absent').getMetadata())).toBe(NOT_FOUND)
    expect(await codeOf(client.topic('absent').delete())).toBe(NOT_FOUND)
    expect(await codeOf(client.topic('absent').publishMessage({ data: Buffer.from('x') }))).toBe(NOT_FOUND)
  })

  test.each(['ab', '1st', 'goog-topic', 'with space'])('the topic name %j is refused', async (name) => {
    expect(await codeOf(client.createTopic(name))).toBe(INVALID_ARGUMENT)
  })

  test('topics are listed page by page, each once', async () => {
    const other = await openClient(engine)
    for (const name of ['t-aa', 't-bb', 't-cc']) await other.createTopic(name)
    const names: string[] = []
    let pageToken: string | undefined
    do {
      const query = { pageSize: 2, autoPaginate: false, ...(pageToken && { pageToken }) }
      const [topics, next] = await other.getTopics(query)
      names.push(...topics.map((topic) => topic.name.split('/').at(-1) ?? ''))
      pageToken = (next as { pageToken?: string } | null)?.pageToken
    } while (pageToken)
    expect(names.sort()).toEqual(['t-aa', 't-bb', 't-cc'])
    await other.close()
  })

  test('labels of a topic are what the last update said', async () => {
    const [topic] = await client.createTopic({ name: 'labelled', labels: { a: '1' } })
    const code = await codeOf(topic.setMetadata({ labels: { b: '2' } }))
    if (differs(engine.name, 'topic.labels_not_updatable')) {
      expect(code).toBe(INVALID_ARGUMENT)
      return
    }
    expect((await topic.getMetadata())[0].labels).toEqual({ b: '2' })
  })

  test('a subscription has the documented defaults', async () => {
    const { subscription } = await openPair(client)
    const [metadata] = await subscription.getMetadata()
    expect(metadata).toMatchObject({
      ackDeadlineSeconds: 10,
      messageRetentionDuration: { seconds: '604800' },
      enableMessageOrdering: false,
      filter: '',
    })
  })

  test('a second subscription of one name is refused', async () => {
    const { topic, subscription } = await openPair(client)
    const name = subscription.name.split('/').at(-1) ?? ''
    expect(await codeOf(topic.createSubscription(name))).toBe(ALREADY_EXISTS)
  })

  test('a subscription of a missing topic is refused', async () => {
    expect(await codeOf(client.topic('absent').createSubscription('lonely'))).toBe(NOT_FOUND)
  })

  test.each([5, 601])('an ack deadline of %i s is refused', async (ackDeadlineSeconds) => {
    const { topic } = await openPair(client)
    const code = await codeOf(
      topic.createSubscription(`deadline-${ackDeadlineSeconds}`, { ackDeadlineSeconds }),
    )
    const accepted =
      ackDeadlineSeconds === 5 && differs(engine.name, 'subscription.short_ack_deadline_accepted')
    expect(code).toBe(accepted ? 'ok' : INVALID_ARGUMENT)
  })

  test('a field mask changes the named field and no other', async () => {
    const { subscription } = await openPair(client, { ackDeadlineSeconds: 20, labels: { keep: 'me' } })
    await subscription.setMetadata({ ackDeadlineSeconds: 60 })
    const [metadata] = await subscription.getMetadata()
    expect(metadata).toMatchObject({ ackDeadlineSeconds: 60, labels: { keep: 'me' } })
  })

  test('an update without a mask is refused', async () => {
    const { subscription } = await openPair(client)
    const subscriber = await subscriberOf(client)
    const update = { subscription: { name: subscription.name, topic: 'x' }, updateMask: { paths: [] } }
    expect(await codeOf(subscriber.updateSubscription(update))).toBe(INVALID_ARGUMENT)
  })

  test('retry and dead-letter policies are stored as given', async () => {
    const [dead] = await client.createTopic('dead-policies')
    const { subscription } = await openPair(client, {
      retryPolicy: { minimumBackoff: { seconds: 5 }, maximumBackoff: { seconds: 50 } },
      deadLetterPolicy: { deadLetterTopic: dead.name, maxDeliveryAttempts: 7 },
    })
    const [metadata] = await subscription.getMetadata()
    expect(metadata.retryPolicy).toMatchObject({
      minimumBackoff: { seconds: '5' },
      maximumBackoff: { seconds: '50' },
    })
    expect(metadata.deadLetterPolicy).toEqual({ deadLetterTopic: dead.name, maxDeliveryAttempts: 7 })
  })

  test('fewer than five delivery attempts before the dead letter are refused', async () => {
    const [dead] = await client.createTopic('dead-few')
    const { topic } = await openPair(client)
    const settings = { deadLetterPolicy: { deadLetterTopic: dead.name, maxDeliveryAttempts: 4 } }
    const differing = differs(engine.name, 'subscription.few_attempts_out_of_range')
    expect(await codeOf(topic.createSubscription('few', settings))).toBe(
      differing ? OUT_OF_RANGE : INVALID_ARGUMENT,
    )
  })

  test('an invalid filter is refused', async () => {
    const { topic } = await openPair(client)
    const code = await codeOf(topic.createSubscription('bad-filter', { filter: 'attributes.a = ' }))
    expect(code).toBe(differs(engine.name, 'filter.invalid_accepted') ? 'ok' : INVALID_ARGUMENT)
  })

  test('a topic lists its subscriptions', async () => {
    const { topic, subscription } = await openPair(client)
    const [listed] = await topic.getSubscriptions()
    expect(listed.map((each) => each.name)).toEqual([subscription.name])
  })

  test('a deleted subscription is gone', async () => {
    const { subscription } = await openPair(client)
    await subscription.delete()
    expect(await subscription.exists()).toEqual([false])
    expect(await codeOf(subscription.delete())).toBe(NOT_FOUND)
  })

  test('a subscription of a deleted topic says so and stays', async () => {
    const { topic, subscription } = await openPair(client)
    await topic.delete()
    expect((await subscription.getMetadata())[0].topic).toBe('_deleted-topic_')
  })

  test('a detached subscription cannot be pulled', async () => {
    const { subscription } = await openPair(client)
    const detached = await codeOf(client.detachSubscription(subscription.name.split('/').at(-1) ?? ''))
    if (differs(engine.name, 'subscription.detach_unimplemented')) {
      expect(detached).toBe(UNIMPLEMENTED)
      return
    }
    expect(detached).toBe('ok')
    const subscriber = await subscriberOf(client)
    const pulled = codeOf(subscriber.pull({ subscription: subscription.name, maxMessages: 1 }))
    expect(await pulled).toBe(FAILED_PRECONDITION)
  })

  test('schemas are refused where they are not served', async () => {
    const created = await codeOf(
      client.createSchema(
        'schema',
        'AVRO',
        '{"type":"record","name":"R","fields":[{"name":"a","type":"string"}]}',
      ),
    )
    expect(created).toBe(differs(engine.name, 'schema.unimplemented') ? UNIMPLEMENTED : 'ok')
  })
})

import { join } from 'node:path'
import { PubSub } from '@google-cloud/pubsub'
import { expect, test } from 'vitest'
import { startOtherProcess } from '../../support/other-process.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { until } from '../../support/until.ts'
import { openEndpoint } from './endpoint.ts'

const root = join(import.meta.dirname, '../../..')

/** A process with the engine and the pusher, as the local stack runs them. */
const stackProgram = (file: string, endpoint: string): string => `
  import { startPubsubEngine } from ${JSON.stringify(join(root, 'local/engine/pubsub/index.ts'))}
  import { createTopology, embeddedSource, startPusher } from ${JSON.stringify(join(root, 'local/pusher/index.ts'))}
  const engine = await startPubsubEngine({ file: ${JSON.stringify(file)} })
  const subscription = {
    name: 'orders-to-billing', topic: 'orders', endpoint: ${JSON.stringify(endpoint)},
    serviceAccountEmail: 'push@demo', audience: 'billing', ackDeadlineSeconds: 10,
    retry: { minMs: 20, maxMs: 100 }, maxDeliveryAttempts: 100,
    deadLetterTopic: 'orders-dead-letter', enableOrdering: false,
  }
  const project = 'demo-killed'
  await createTopology({ store: engine.broker, project, topics: ['orders'], subscriptions: [subscription] })
  await startPusher({
    project, subscriptions: [subscription], source: embeddedSource(engine.broker, project),
    mintIdToken: async () => 'token', now: () => 0,
  })
  console.log(engine.host)
`

// Engine, pusher and endpoint are all interrupted; what counts is that every message gets its success.
test('every published message is acknowledged in the end, although all are killed on the way', async () => {
  const done = new Set<string>()
  let endpoint = await openEndpoint(({ text }, count) => {
    if (count % 3 === 0) return 500
    done.add(text)
    return { status: 204, afterMs: 2 }
  })
  const program = stackProgram(join(temporaryFolder(), 'pubsub.db'), endpoint.url)

  const first = await startOtherProcess(program)
  const client = new PubSub({ projectId: 'demo-killed', apiEndpoint: first.said, emulatorMode: true })
  const topic = client.topic('orders')
  const total = 200
  const texts = Array.from({ length: total }, (_unused, index) => `${index}`)
  await Promise.all(texts.map((text) => topic.publishMessage({ data: Buffer.from(text) })))
  await until(() => done.size > 20)
  await first.kill('SIGKILL')
  await client.close()
  const doneBefore = done.size

  const { port } = endpoint
  await endpoint.close()
  const second = await startOtherProcess(program)
  endpoint = await openEndpoint(({ text }) => {
    done.add(text)
    return 204
  }, port)
  await until(
    () => done.size === total,
    15_000,
    () => `${total} messages, got ${done.size}`,
  )
  expect(doneBefore).toBeLessThan(total)
  expect([...done].sort()).toEqual([...texts].sort())

  await second.kill('SIGKILL')
  await endpoint.close()
})

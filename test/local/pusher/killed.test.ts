import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PubSub } from '@google-cloud/pubsub'
import { expect, test } from 'vitest'
import { until } from '../../contracts/pubsub/engines.ts'
import { openEndpoint } from './endpoint.ts'

const root = join(import.meta.dirname, '../../..')

/** A process with the engine and the pusher, as the local stack runs them. */
const stackScript = (file: string, endpoint: string): string => `
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

async function start(script: string): Promise<{ child: ChildProcess; host: string }> {
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk)
    if (text.includes('\n')) break
  }
  return { child, host: text.trim() }
}

// Engine, pusher and endpoint are all interrupted; what counts is that every message gets its success.
test('every published message is acknowledged in the end, although all are killed on the way', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'killed-'))
  const done = new Set<string>()
  let endpoint = await openEndpoint(({ text }, count) => {
    if (count % 3 === 0) return 500
    done.add(text)
    return { status: 204, afterMs: 2 }
  })
  const script = join(folder, 'stack.ts')
  await writeFile(script, stackScript(join(folder, 'pubsub.db'), endpoint.url))

  const first = await start(script)
  const client = new PubSub({ projectId: 'demo-killed', apiEndpoint: first.host, emulatorMode: true })
  const topic = client.topic('orders')
  const total = 200
  const texts = Array.from({ length: total }, (_unused, index) => `${index}`)
  await Promise.all(texts.map((text) => topic.publishMessage({ data: Buffer.from(text) })))
  await until(() => done.size > 20)
  first.child.kill('SIGKILL')
  await once(first.child, 'exit')
  await client.close()
  const doneBefore = done.size

  const { port } = endpoint
  await endpoint.close()
  const second = await start(script)
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

  second.child.kill('SIGKILL')
  await once(second.child, 'exit')
  await endpoint.close()
  await rm(folder, { recursive: true })
})

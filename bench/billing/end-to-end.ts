import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FieldValue, Firestore } from '@google-cloud/firestore'
import { parseOptions } from '#local/stack/options.ts'
import { type Stack, startStack } from '#local/stack/stack.ts'
import { createUsageClient, httpTransport, type UsageEvent } from '../../clients/usage/index.ts'
import { benchEvent, whole } from './events.ts'

const SIZE = 100
const IN_FLIGHT = 8

/**
 * Events a second from the gateway through Pub/Sub into the ledger, on a whole local stack, beside the rate
 * at which the official client alone writes the same documents to the same engine.
 */
export async function benchEndToEnd(count: number): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'energent-bench-'))
  const options = parseOptions(['--port', '0', '--data', dataDir], process.env)
  if (options === 'help') return
  const stack = await startStack(options, { print: () => undefined })
  try {
    const raw = await rawWrites(stack, count)
    const ours = await throughGateway(stack, count)
    console.log(`end to end: ${whole(count)} events, ${SIZE} a message, on one machine with everything on it`)
    console.log(`  the engine's own batched writes           ${whole(raw).padStart(12)} events/s`)
    console.log(
      `  gateway -> Pub/Sub -> ledger              ${whole(ours).padStart(12)} events/s, ${(ours / raw).toFixed(2)} x`,
    )
  } finally {
    await stack.close()
    await rm(dataDir, { recursive: true, force: true })
  }
}

/** Documents as the ledger's, with the increments beside them, by nothing but the client. */
async function rawWrites(stack: Stack, count: number): Promise<number> {
  const { project, firestoreHost } = stack.info()
  const client = new Firestore({
    projectId: project,
    host: firestoreHost,
    ssl: false,
    customHeaders: { Authorization: 'Bearer owner' },
  })
  const payload = Buffer.alloc(3_000, 7)
  const write = async (at: number): Promise<void> => {
    const batch = client.batch()
    batch.create(client.doc(`raw/${at}`), { at, payload, hours: ['2026112300'] })
    batch.set(client.doc(`live/${at % 4}`), { h: { n: FieldValue.increment(1) } }, { merge: true })
    await batch.commit()
  }
  await write(-1)
  const startedMs = performance.now()
  await someAtATime(count / SIZE, write)
  const seconds = (performance.now() - startedMs) / 1_000
  await client.terminate()
  return count / seconds
}

async function throughGateway(stack: Stack, count: number): Promise<number> {
  const { gatewayUrl, tenants } = stack.info()
  const tenant = tenants.find(({ tier }) => tier === 'enterprise')
  const engine = stack.parts().engines.firestore
  if (tenant === undefined || engine === undefined) throw new Error('the embedded stack has no such tenant')
  const token = await stack.api().token(tenant)
  let stored = 0
  const arrived = Promise.withResolvers<void>()
  const stop = engine.onCommit(({ changes }) => {
    for (const { path } of changes) {
      if (path.includes('/billing_usageBatches/')) stored += SIZE
    }
    if (stored >= count) arrived.resolve()
  })
  const client = createUsageClient({
    transport: httpTransport({ url: gatewayUrl, token: async () => token }),
    onRejected: ({ code, detail }) => arrived.reject(new Error(`${code}: ${detail}`)),
    maxEvents: SIZE,
    maxInFlight: IN_FLIGHT,
    firstRetryMs: 20,
  })
  const hourMs = stack.parts().now() - 3_600_000
  const startedMs = performance.now()
  for (let at = 0; at < count; at += 1) {
    await client.record(benchEvent(tenant.tenantId, at, hourMs + (at % 3_000)) as UsageEvent)
  }
  await Promise.all([client.flush(), arrived.promise])
  const seconds = (performance.now() - startedMs) / 1_000
  stop()
  return count / seconds
}

async function someAtATime(count: number, act: (at: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    for (let at = next++; at < count; at = next++) await act(at)
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
}

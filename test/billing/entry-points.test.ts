import type { AddressInfo } from 'node:net'
import { getTestServer } from '@google-cloud/functions-framework/testing'
import { expect, test, vi } from 'vitest'
import { startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { startPubsubEngine } from '#local/engine/pubsub/index.ts'
import { aTenantFact } from './support/world.ts'

test('both entry points are registered under the names of the catalogue and answer', async () => {
  const engine = await startFirestoreEngine({ now: () => Date.parse('2026-11-23T09:30:00Z') })
  const pubsub = await startPubsubEngine({ now: () => Date.parse('2026-11-23T09:30:00Z') })
  vi.stubEnv('GOOGLE_CLOUD_PROJECT', 'demo-test')
  vi.stubEnv('FUNCTION_TARGET', 'billingApiHandler')
  vi.stubEnv('FUNCTION_URI', 'http://127.0.0.1:1')
  vi.stubEnv('PUBLIC_BASE_URL', 'http://127.0.0.1:1')
  vi.stubEnv('CALLER_CHECK', 'direct')
  vi.stubEnv('FIRESTORE_EMULATOR_HOST', engine.host)
  vi.stubEnv('PUBSUB_EMULATOR_HOST', pubsub.host)
  await import('../../functions/billing/index.ts')
  const servers = ['billingApiHandler', 'billingHandler'].map((name) => getTestServer(name))
  try {
    const [api, events] = await Promise.all(
      servers.map(
        (server) =>
          new Promise<string>((resolve) => {
            server.listen(0, '127.0.0.1', () => {
              resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
            })
          }),
      ),
    )
    expect((await fetch(`${api}/health/billing`)).status).toBe(200)
    expect((await fetch(`${api}/v1/usage`, { method: 'POST', body: '{}' })).status).not.toBe(202)
    const data = Buffer.from(JSON.stringify(aTenantFact({}))).toString('base64')
    const pushed = await fetch(`${events}/events/tenant-facts-to-billing`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        message: { data, messageId: '1' },
        subscription: 'projects/demo-test/subscriptions/tenant-facts-to-billing',
      }),
    })
    expect(pushed.status).toBe(204)
    expect(engine.dump('tenants/acme/billing_tenant')).toHaveLength(1)
  } finally {
    vi.unstubAllEnvs()
    for (const server of servers) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
    await Promise.all([engine.close(), pubsub.close()])
  }
})

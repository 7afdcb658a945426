import { join } from 'node:path'
import { Stripe } from 'stripe'
import { expect, test, vi } from 'vitest'
import { serveLoopback } from '#local/loopback.ts'
import { startStripe } from '#local/stripe/index.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { API_KEY, aClient, aCustomer, anAccount, SECRET } from './account.ts'

async function anEndpoint(statuses: number[] = []) {
  const bodies: Stripe.Event[] = []
  const server = await serveLoopback(0, async ({ headers, body }) => {
    const signature = String(headers['stripe-signature'])
    // The stack's clock stands still in these tests, so the tolerance is taken off.
    bodies.push(new Stripe(API_KEY).webhooks.constructEvent(body, signature, SECRET, 1e9))
    return { status: statuses.shift() ?? 200, body: '' }
  })
  closeAfterTest(server.close)
  return { bodies, url: `${server.url}/hook` }
}

test('webhooks are signed as the SDK checks it, and come in copies and any order on request', async () => {
  const endpoint = await anEndpoint()
  const { stripe, standIn } = await anAccount({ webhookUrl: endpoint.url })
  const customer = await aCustomer(stripe)
  await stripe.customers.update(customer.id, { name: 'Acme' })
  expect(endpoint.bodies).toEqual([])

  const report = await standIn.deliverWebhooks({ copies: 2, order: (events) => [...events].reverse() })

  expect(report).toEqual({ delivered: 2, failed: 0 })
  expect(endpoint.bodies.map(({ type }) => type)).toEqual([
    'customer.updated',
    'customer.created',
    'customer.updated',
    'customer.created',
  ])
  expect(endpoint.bodies[0]?.data).toMatchObject({ previous_attributes: { name: null } })
  expect(standIn.pendingWebhooks()).toEqual([])
})

test('an event an endpoint refuses is delivered again until it is taken', async () => {
  const endpoint = await anEndpoint([500, 503])
  const { stripe, standIn } = await anAccount({ webhookUrl: endpoint.url, automaticWebhooks: true })
  await aCustomer(stripe)

  await vi.waitFor(() => expect(standIn.pendingWebhooks()).toEqual([]), { timeout: 10_000 })

  expect(endpoint.bodies.length).toBeGreaterThanOrEqual(3)
  expect(new Set(endpoint.bodies.map(({ id }) => id)).size).toBe(1)
})

test('everything is there after a restart: objects, keys and events nobody took', async () => {
  const options = { file: join(temporaryFolder(), 'stripe.jsonl'), webhookUrl: 'http://127.0.0.1:9/' }
  const first = await anAccount(options)
  const created = await first.stripe.customers.create({ name: 'Acme' }, { idempotencyKey: 'k' })
  await first.standIn.close()

  const second = await startStripe({
    now: first.clock.now,
    apiKey: API_KEY,
    webhookSecret: SECRET,
    automaticWebhooks: false,
    ...options,
  })
  closeAfterTest(second.close)

  const again = await aClient(second.port).customers.create({ name: 'Acme' }, { idempotencyKey: 'k' })
  expect(again.id).toBe(created.id)
  expect(second.pendingWebhooks().map(({ type }) => type)).toEqual(['customer.created'])
})

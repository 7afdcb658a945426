import { afterEach, beforeEach, expect, test } from 'vitest'
import { aSubscriptionCommand, startWorld, type World } from './support/world.ts'

let world: World
beforeEach(async () => {
  world = await startWorld()
})
afterEach(() => world.close())

const subscription = () => world.documents('tenants/acme/billing_subscriptions')[0]?.data
const facts = () =>
  world.published.map(
    (message) => JSON.parse(Buffer.from(message.data).toString()) as Record<string, unknown>,
  )

test('a requested subscription exists on the plan of its tier, and the fact says so', async () => {
  expect(await world.command(aSubscriptionCommand({ id: 'c1', tier: 'premium' }))).toBe(204)
  expect(subscription()).toMatchObject({ status: 'active', planId: 'example-premium', tier: 'premium' })
  expect(facts()).toMatchObject([
    {
      type: 'ai.energent.billing.subscription-ready.v1',
      subject: 'tenants/acme',
      data: { tenantId: 'acme', operationId: 'op_1', subscriptionId: 'sub_acme', planId: 'example-premium' },
    },
  ])
})

test('a redelivered and a repeated request get the same fact, byte for byte, and change nothing', async () => {
  const command = aSubscriptionCommand({ id: 'c1' })
  await world.command(command)
  const before = subscription()
  world.clock.advance(60_000)
  await world.command(command)
  await world.command(aSubscriptionCommand({ id: 'c2' }))
  expect(subscription()).toEqual(before)
  const bodies = world.published.map((message) => Buffer.from(message.data).toString())
  expect(bodies).toHaveLength(3)
  expect(new Set(bodies).size).toBe(1)
})

test('requests delivered at the same time make one subscription and one fact', async () => {
  const statuses = await Promise.all(
    Array.from({ length: 6 }, (_, index) => world.command(aSubscriptionCommand({ id: `c${index}` }))),
  )
  expect(new Set(statuses)).toEqual(new Set([204]))
  expect(subscription()?.['history']).toHaveLength(1)
  expect(new Set(facts().map((fact) => JSON.stringify(fact))).size).toBe(1)
})

test('a fact that could not be published leaves with the sweep', async () => {
  world.broken.publish = true
  expect(await world.command(aSubscriptionCommand({ id: 'c1' }))).toBe(204)
  expect(facts()).toEqual([])
  world.broken.publish = false
  world.clock.advance(60_000)
  const swept = await world.request({ method: 'POST', path: '/internal/sweep/run', body: {} })
  expect(swept).toMatchObject({ status: 200, json: { published: 1, failed: 0 } })
  expect(facts()).toHaveLength(1)
})

test('a repeated request whose answer cannot leave is not acknowledged', async () => {
  await world.command(aSubscriptionCommand({ id: 'c1' }))
  world.broken.publish = true
  expect(await world.command(aSubscriptionCommand({ id: 'c1' }))).toBe(500)
})

test('another operation on the same tier succeeds, on another tier it is refused with the public code', async () => {
  await world.command(aSubscriptionCommand({ id: 'c1' }))
  await world.command(aSubscriptionCommand({ id: 'c2', operationId: 'op_2' }))
  await world.command(aSubscriptionCommand({ id: 'c3', operationId: 'op_3', tier: 'enterprise' }))
  await world.command(aSubscriptionCommand({ id: 'c4', operationId: 'op_3', tier: 'enterprise' }))
  expect(facts().map((fact) => [fact['type'], fact['id']])).toEqual([
    ['ai.energent.billing.subscription-ready.v1', 'subscription-ready.op_1'],
    ['ai.energent.billing.subscription-ready.v1', 'subscription-ready.op_2'],
    ['ai.energent.billing.charge-refused.v1', 'charge-refused.op_3'],
    ['ai.energent.billing.charge-refused.v1', 'charge-refused.op_3'],
  ])
  expect(facts()[2]).toMatchObject({ data: { operationId: 'op_3', reason: 'plan.tier_mismatch' } })
  expect(subscription()).toMatchObject({ tier: 'standard', operationId: 'op_1' })
})

test('a cancellation undoes its own operation, once, and no other', async () => {
  await world.command(aSubscriptionCommand({ id: 'c1' }))
  await world.command(aSubscriptionCommand({ id: 'c2', operationId: 'op_2' }))
  const cancel = (id: string, operationId: string) =>
    aSubscriptionCommand({ what: 'cancel-requested', id, operationId, sequence: 5n })
  await world.command(cancel('x2', 'op_2'))
  expect(subscription()).toMatchObject({ status: 'active' })
  await world.command(cancel('x1', 'op_1'))
  await world.command(cancel('x1', 'op_1'))
  await world.command(cancel('x3', 'op_1'))
  expect(subscription()).toMatchObject({ status: 'cancelled', history: [{}, { what: 'cancelled' }] })
})

test('a request that arrives after its own cancellation does nothing', async () => {
  await world.command(aSubscriptionCommand({ what: 'cancel-requested', id: 'x', sequence: 2n }))
  expect(await world.command(aSubscriptionCommand({ id: 'c', sequence: 1n }))).toBe(204)
  expect(subscription()).toBeUndefined()
  expect(facts()).toEqual([])
})

test('an operation that is tried again after its cancellation gets a new subscription and a new fact', async () => {
  await world.command(aSubscriptionCommand({ id: 'c1', sequence: 1n }))
  await world.command(aSubscriptionCommand({ what: 'cancel-requested', id: 'x', sequence: 2n }))
  await world.command(aSubscriptionCommand({ id: 'c2', sequence: 3n, tier: 'basic' }))
  expect(subscription()).toMatchObject({ status: 'active', tier: 'basic' })
  expect(facts().map((fact) => fact['id'])).toEqual(['subscription-ready.op_1', 'subscription-ready.op_1.2'])
})

test('a cancellation older than the request it names is old news', async () => {
  await world.command(aSubscriptionCommand({ id: 'c1', sequence: 7n }))
  await world.command(aSubscriptionCommand({ what: 'cancel-requested', id: 'x', sequence: 6n }))
  expect(subscription()).toMatchObject({ status: 'active' })
})

test('a command that names two tenants is quarantined and opens nothing', async () => {
  const command = aSubscriptionCommand({ id: 'c1' })
  expect(await world.command({ ...command, data: { ...command.data, tenantId: 'rival' } })).toBe(204)
  expect(world.documents('tenants')).toEqual([])
  expect(world.documents('billing_quarantine')[0]?.data).toMatchObject({ code: 'event.tenant_mismatch' })
})

test('an operation id that looks like a path is one document below its own tenant', async () => {
  const operationId = '../../rival/billing_operations/x'
  await world.command(aSubscriptionCommand({ id: 'c1', operationId }))
  expect(world.documents('tenants').every((doc) => doc.path.includes('tenants/acme/'))).toBe(true)
})

import { afterEach, beforeEach, expect, test } from 'vitest'
import { aSubscriptionCommand, aTenantFact, aUsageEvent, startWorld, type World } from './support/world.ts'

let world: World
beforeEach(async () => {
  world = await startWorld()
})
afterEach(() => world.close())

type Event = ReturnType<typeof aUsageEvent>

/** What a tenant sends through the API, up to the ledger. */
const report = async (...events: Event[]) => {
  const answer = await world.request({ method: 'POST', path: '/v1/usage', token: 'acme', body: events })
  await world.deliver()
  return answer
}
/** What a collector publishes itself. */
const collect = (...events: Event[]) => world.usage(events)

const usageOf = async (meter = 'agent_minutes', range = '') => {
  const path = `/v1/tenants/acme/usage?meter=${meter}${range}`
  const { json } = await world.request({ path, token: 'acme' })
  return { conflicts: json['conflicts'], row: (json['data'] as Record<string, unknown>[])[0] }
}
const producersOf = (prefix: string) => world.documents(prefix).map((doc) => doc.data['producer'])

/** Contents for one id, of which one is nearly sure to have a lower digest than any other. */
const ground = (id: string, value: string) =>
  Array.from({ length: 40 }, (_, nonce) => aUsageEvent({ id, value, data: { nonce } }))

test.each(['before', 'after'])(
  'nothing a tenant sends %s a collector takes away what the collector measured',
  async (when) => {
    await world.fact(aTenantFact({}))
    const measured = aUsageEvent({ id: 'a', value: '3600' })
    if (when === 'after') await collect(measured)
    for (const event of ground('a', '0')) expect((await report(event)).status).toBe(202)
    if (when === 'before') await collect(measured)
    expect((await usageOf()).row).toMatchObject({ value: '3600', events: 1 })
    expect((await usageOf()).conflicts).toBe(40)
  },
)

test('a tenant that reports more than a collector measured is not believed either', async () => {
  await world.fact(aTenantFact({}))
  await report(aUsageEvent({ id: 'a', value: '9999' }))
  await collect(aUsageEvent({ id: 'a', value: '60' }))
  expect((await usageOf()).row).toMatchObject({ value: '60' })
})

test('of two reports of a tenant the larger counts, whatever else is in them', async () => {
  await world.fact(aTenantFact({}))
  for (const event of [...ground('a', '1'), aUsageEvent({ id: 'a', value: '2' }), ...ground('a', '0')]) {
    await report(event)
  }
  expect((await usageOf()).row).toMatchObject({ value: '2', events: 1 })
})

test("a tenant that sends a collector's very batch first does not make it its own", async () => {
  await world.fact(aTenantFact({}))
  const measured = aUsageEvent({ id: 'a', value: '60' })
  await report(measured)
  await collect(measured)
  await report(aUsageEvent({ id: 'a', value: '61' }))
  expect((await usageOf()).row).toMatchObject({ value: '60', events: 1 })
  expect(producersOf('tenants/acme/billing_usageBatches').sort()).toEqual(['collector', 'tenant', 'tenant'])
})

test('usage that waits for its tenant is trusted no more when it is applied', async () => {
  const measured = aUsageEvent({ id: 'a', value: '60' })
  await report(measured)
  await report(aUsageEvent({ id: 'a', value: '61' }))
  await collect(measured)
  await world.fact(aTenantFact({}))
  expect((await usageOf()).row).toMatchObject({ value: '60' })
  expect(producersOf('tenants/acme/billing_usageBatches').sort()).toEqual(['collector', 'tenant', 'tenant'])
})

test('a message of the API is a report of a tenant, whatever its events may say', async () => {
  await world.fact(aTenantFact({}))
  const negative = { ...aUsageEvent({ id: 'a', value: '-60' }), producer: 'collector' }
  expect(await world.usage([negative], { producer: 'api' })).toBe(204)
  expect(world.documents('tenants/acme/billing_usageBatches')).toEqual([])
  expect(world.documents('billing_quarantine')[0]?.data).toMatchObject({
    code: 'event.malformed',
    producer: 'api',
  })
})

test('a run is free on the word of a collector, and not of whoever pays for it', async () => {
  await world.fact(aTenantFact({}))
  const run = (id: string, outcome: string) =>
    aUsageEvent({ id, meter: 'workflow_runs', value: null, data: { dimensions: { outcome } } })
  const answer = await report(run('a', 'platform_error'), run('b', 'succeeded'))
  expect(answer).toMatchObject({
    status: 202,
    json: { accepted: 1, rejected: [{ index: 0, code: 'usage.collector_only' }] },
  })
  // Also past the API's own check.
  await world.usage([run('c', 'platform_error')], { producer: 'api' })
  await collect(run('d', 'platform_error'), run('e', 'succeeded'))
  expect((await usageOf('workflow_runs')).row).toMatchObject({ value: '2', events: 2 })
})

const level = (id: string, time: string, value: string, resource = 'vol-1') =>
  aUsageEvent({ id, meter: 'storage_gib_hours', time: `2026-11-20T${time}Z`, value, data: { resource } })
const DAY = '&from=2026-11-20T00:00:00Z&to=2026-11-21T00:00:00Z'

test("a tenant's zero one millisecond after a collector's sample does not end the level", async () => {
  await world.fact(aTenantFact({}))
  await collect(level('a', '08:00:00.000', '100'), level('b', '09:00:00.000', '100'))
  await report(level('x', '08:00:00.001', '0'), level('y', '09:00:00.001', '0'))
  expect((await usageOf('storage_gib_hours', DAY)).row).toMatchObject({ value: '300' })
})

test("a tenant's levels count where no collector's holds", async () => {
  await world.fact(aTenantFact({}))
  await collect(level('a', '08:00:00', '100'))
  // 07:30 to 08:00 before the collector's sample, 10:00 to 10:30 after it went stale.
  await report(level('x', '07:30:00', '10'), level('y', '08:30:00', '10'), level('z', '10:30:00', '0'))
  await report(level('other', '08:30:00', '7', 'vol-2'))
  expect((await usageOf('storage_gib_hours', DAY)).row).toMatchObject({ value: '224' })
})

test('an event of one id at another time counts alike however it was batched', async () => {
  await world.fact(aTenantFact({}))
  const within = aUsageEvent({ id: 'a', value: '1', time: '2026-11-20T10:00:00Z' })
  const outside = aUsageEvent({ id: 'a', value: '2', time: '2026-11-22T10:00:00Z' })
  const beside = aUsageEvent({ id: 'b', value: '4', time: '2026-11-20T11:00:00Z' })
  await collect(within)
  await collect(outside)
  const apart = (await usageOf('agent_minutes', DAY)).row
  // Its batch touches the day that is asked for, and it does not.
  await collect(outside, beside)
  expect((await usageOf('agent_minutes', DAY)).row).toMatchObject({ value: '5', events: 2 })
  expect(apart).toMatchObject({ value: '1', events: 1 })
})

test('an invoice beyond 2^53 minor units is refused in its own words', async () => {
  await world.command(aSubscriptionCommand({ id: 'c1' }))
  await world.fact(aTenantFact({}))
  const huge = (id: number) =>
    aUsageEvent({
      id: `e${id}`,
      meter: 'vcpu_seconds',
      value: '999999999999999',
      time: '2026-11-23T09:30:00Z',
    })
  for (let batch = 0; batch < 20; batch += 1) {
    await collect(...Array.from({ length: 500 }, (_, index) => huge(batch * 500 + index)))
  }
  const answer = await world.request({ path: '/v1/tenants/acme/invoices/upcoming', token: 'acme' })
  expect(answer).toMatchObject({ status: 422, json: { code: 'invoice.out_of_range' } })
})

test('a subscription that its own operation undid owes nothing, not even for the time between', async () => {
  await world.command(aSubscriptionCommand({ id: 'c1', sequence: 1n }))
  world.clock.advance(24 * 3_600_000)
  await world.command(aSubscriptionCommand({ what: 'cancel-requested', id: 'c2', sequence: 2n }))
  world.clock.advance(24 * 3_600_000)
  const answer = await world.request({ path: '/v1/tenants/acme/invoices/upcoming', token: 'acme' })
  expect(answer).toMatchObject({ status: 200, json: { lines: [], total: { minor: 0 } } })
})

import { createHash } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { canonicalJson } from '#shared/json.ts'
import { aSubscriptionCommand, aTenantFact, aUsageEvent, startWorld, type World } from './support/world.ts'

let world: World
beforeEach(async () => {
  world = await startWorld()
  world.clock.set(Date.parse('2026-10-15T00:00:00Z'))
  await world.fact(aTenantFact({}))
  await world.command(aSubscriptionCommand({ id: 'c1' }))
  world.clock.set(Date.parse('2026-11-23T09:30:00Z'))
})
afterEach(() => world.close())

type Line = {
  kind: string
  meter: string | null
  amount: { minor: number; amount: string }
  [name: string]: unknown
}
const upcoming = (query = '', token = 'acme') =>
  world.request({ path: `/v1/tenants/acme/invoices/upcoming${query}`, token })
const line = (invoice: Record<string, unknown>, meter: string | null): Line | undefined =>
  (invoice['lines'] as Line[]).find((candidate) => candidate.meter === meter)

test('a whole month is the base fee and what exceeds the allowance, and the lines add up', async () => {
  // 5,000 minutes are included in the standard example plan: 300,000 s; 60.5 s more are 1.00833… minutes.
  await world.usage([
    aUsageEvent({ id: 'a', value: '300000' }),
    aUsageEvent({ id: 'b', value: '60.5', time: '2026-11-02T00:00:00Z' }),
  ])
  const { status, json } = await upcoming()
  expect(status).toBe(200)
  expect(json).toMatchObject({
    status: 'draft',
    currency: 'USD',
    period: { from: '2026-11-01T00:00:00Z', to: '2026-12-01T00:00:00Z' },
    // Nothing is rolled up yet: exact is what lies before the first event.
    exactThrough: '2026-11-02T00:00:00Z',
    provisional: true,
    examplePlan: true,
  })
  expect(line(json, null)).toMatchObject({
    kind: 'fee',
    amount: { amount: '199.00', minor: 19900, currency: 'USD' },
  })
  expect(line(json, 'agent_minutes')).toMatchObject({
    quantity: '300060.5',
    included: '5000',
    exact: { n: '121', d: '6000' },
    amount: { amount: '0.02', minor: 2 },
    evidence: { events: 2 },
  })
  const lines = json['lines'] as Line[]
  expect(json['total']).toMatchObject({ minor: lines.reduce((sum, { amount }) => sum + amount.minor, 0) })
})

test('the digest is that of the answer itself, and usage re-sent in other batches leaves every byte', async () => {
  const events = Array.from({ length: 30 }, (_, index) =>
    aUsageEvent({ id: `e${index}`, meter: 'vcpu_seconds', value: `${index * 10_000}.5` }),
  )
  await world.usage(events)
  const before = (await upcoming()).json
  await world.usage(events.slice(7).toReversed())
  await world.usage(events.slice(0, 12))
  const after = (await upcoming()).json
  expect(after).toEqual(before)
  const { digest, status: _status, exactThrough: _exact, provisional: _provisional, ...said } = after
  expect(digest).toBe(createHash('sha256').update(canonicalJson(said)).digest('hex'))
})

test('a month begun in the middle pays and includes its share', async () => {
  const { json } = await upcoming('?at=2026-10-20T00:00:00Z')
  // 15 October to 1 November: 17 of 31 days.
  expect(line(json, null)).toMatchObject({
    servicePeriod: { from: '2026-10-15T00:00:00Z', to: '2026-11-01T00:00:00Z' },
    exact: { n: '3383', d: '31' },
    amount: { minor: 10913 },
  })
  // Whole things are included in whole numbers: 500 x 17/31 = 274.19…
  expect(line(json, 'workflow_runs')).toMatchObject({ included: '274' })
})

test('usage of the last millisecond is in this invoice and that of the next in the next', async () => {
  await world.usage([
    aUsageEvent({ id: 'last', meter: 'llm_tokens_out', value: '1', time: '2026-10-31T23:59:59.999Z' }),
    aUsageEvent({ id: 'first', meter: 'llm_tokens_out', value: '2', time: '2026-11-01T00:00:00.000Z' }),
  ])
  expect(line((await upcoming('?at=2026-10-31T12:00:00Z')).json, 'llm_tokens_out')?.['quantity']).toBe('1')
  expect(line((await upcoming()).json, 'llm_tokens_out')?.['quantity']).toBe('2')
})

test('graduated tiers show what each contributed', async () => {
  const runs = Array.from({ length: 600 }, (_, index) =>
    aUsageEvent({ id: `r${index}`, meter: 'workflow_runs', value: null }),
  )
  await world.usage(runs.slice(0, 300))
  await world.usage(runs.slice(300))
  expect(line((await upcoming()).json, 'workflow_runs')).toMatchObject({
    quantity: '600',
    included: '500',
    billedQuantity: '100',
    components: [{ tier: 1, kind: 'unit', quantity: '100', amount: '5' }],
    amount: { minor: 500 },
  })
})

test('corrections of the control plane never make an amount negative', async () => {
  await world.usage(aUsageEvent({ id: 'a', meter: 'llm_tokens_in', value: '-5000000' }))
  expect(line((await upcoming()).json, 'llm_tokens_in')).toMatchObject({
    quantity: '-5000000',
    amount: { minor: 0 },
  })
})

// README, Invoices: whoever adds up usage answers and an invoice finds the difference here.
test('usage before the subscription begins is in usage answers, and on no invoice', async () => {
  await world.usage([
    aUsageEvent({ id: 'before', value: '600000', time: '2026-10-14T23:59:59.999Z' }),
    aUsageEvent({ id: 'after', value: '60', time: '2026-10-15T00:00:00.000Z' }),
  ])
  const answer = await world.request({
    path: '/v1/tenants/acme/usage?meter=agent_minutes&from=2026-10-01T00:00:00Z&to=2026-11-01T00:00:00Z',
    token: 'acme',
  })
  expect(answer.json).toMatchObject({ data: [{ value: '600060', events: 2 }] })
  const { json } = await upcoming('?at=2026-10-20T00:00:00Z')
  expect(line(json, 'agent_minutes')).toMatchObject({ quantity: '60', amount: { minor: 0 } })
})

test('the next period can be asked for, and what lies before the subscription is not there', async () => {
  expect((await upcoming('?at=2026-12-05T00:00:00Z')).json).toMatchObject({
    period: { from: '2026-12-01T00:00:00Z' },
  })
  expect((await upcoming('?at=2026-09-05T00:00:00Z')).status).toBe(404)
})

test.each([
  ['?at=now', 400],
  ['?at=2026-13-01T00:00:00Z', 400],
  ['?when=2026-11-01T00:00:00Z', 400],
  ['?at=9999-01-01T00:00:00Z', 422],
  ['?at=0001-01-01T00:00:00Z', 422],
])('%s is refused with %d', async (query, status) => {
  expect((await upcoming(query)).status).toBe(status)
})

test('a foreign tenant and a token without the scope see nothing', async () => {
  expect((await upcoming('', 'rival')).status).toBe(404)
  expect((await upcoming('', 'acme+usage:read')).status).toBe(403)
  expect((await upcoming('', 'platform+platform:read')).status).toBe(200)
})

test('a tenant without a subscription has no upcoming invoice', async () => {
  const answer = await world.request({ path: '/v1/tenants/rival/invoices/upcoming', token: 'rival' })
  expect(answer.status).toBe(404)
})

test('health and metrics answer', async () => {
  expect(await world.request({ path: '/health/billing' })).toMatchObject({
    status: 200,
    json: { status: 'ok', checks: { firestore: { status: 'ok' } } },
  })
  const metrics = await world.request({ path: '/metrics/billing', token: 'platform+platform:read' })
  expect(metrics.status).toBe(200)
  expect(String(metrics.json['text'])).toContain('energent_http_requests_total')
})

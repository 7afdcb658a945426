import { createHash } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { aTenantFact, aUsageEvent, NOW, startWorld, type World } from './support/world.ts'

let world: World
beforeEach(async () => {
  world = await startWorld()
})
afterEach(() => world.close())

const many = (count: number, tenant = 'acme') =>
  Array.from({ length: count }, (_, index) => aUsageEvent({ id: `e${index}`, tenant }))

const post = (body: unknown, token = 'acme', contentType?: string) =>
  world.request({
    method: 'POST',
    path: '/v1/usage',
    token,
    body,
    ...(contentType === undefined ? {} : { contentType }),
  })

const usageOf = async (query = 'meter=agent_minutes', tenant = 'acme') => {
  const answer = await world.request({ path: `/v1/tenants/${tenant}/usage?${query}`, token: tenant })
  return { status: answer.status, row: (answer.json['data'] as Record<string, unknown>[] | undefined)?.[0] }
}

const ledger = (tenant = 'acme') => world.documents(`tenants/${tenant}/billing_usageBatches`)
// What is longer than a document goes on in parts beside its entry.
const quarantined = () =>
  world.documents('billing_quarantine').filter(({ data }) => data['status'] !== 'part')

test('a report is one message whatever the number of events, and its batch id follows from its content', async () => {
  const events = [aUsageEvent({ id: 'b' }), aUsageEvent({ id: 'a' })]
  const answer = await post(events)
  const hex = (text: string) => createHash('sha256').update(text).digest('hex')
  const pairs = events.map(
    ({ source, id, type, subject, data }) =>
      hex(`${source}\0${id}`) +
      hex(JSON.stringify({ data, subject, time: Date.parse('2026-11-23T09:00:00.000Z'), type })),
  )
  const batchId = createHash('sha256')
    .update(Buffer.from(pairs.sort().join(''), 'hex'))
    .digest('base64url')
  expect(answer).toMatchObject({ status: 202, json: { accepted: 2, rejected: [], batchId } })
  expect(world.published).toHaveLength(1)
  expect(world.published[0]).toMatchObject({ topic: 'billing-events', attributes: { tenantid: 'acme' } })
})

test('a bad event is named by its place and takes no good one with it', async () => {
  const answer = await post([
    aUsageEvent({ id: 'good' }),
    aUsageEvent({ id: 'no spaces' }),
    aUsageEvent({ id: 'x', meter: 'unheard_of' }),
    aUsageEvent({ id: 'y', tenant: 'rival' }),
    aUsageEvent({ id: 'z', tenant: 'no-such-tenant' }),
  ])
  expect(answer.status).toBe(202)
  expect(answer.json['accepted']).toBe(1)
  const rejected = answer.json['rejected'] as { index: number; code: string; detail: string }[]
  expect(rejected.map(({ index, code }) => [index, code])).toEqual([
    [1, 'event.malformed'],
    [2, 'event.unknown_type'],
    [3, 'event.malformed'],
    [4, 'event.malformed'],
  ])
  // Nothing tells an existing tenant from one that is not there.
  expect(rejected[2]?.detail).toBe(rejected[3]?.detail)
})

test.each([
  ['another tenant in tenantid', { tenantid: 'rival' }],
  ['an extension our own edge would refuse later', { sequence: 'abc' }],
  ['a source that is no URI reference', { source: 'a b' }],
  ['a time without an offset', { time: '2026-11-23T09:00:00' }],
  ['a time more than five minutes ahead', { time: '2026-11-23T09:35:00.001Z' }],
  ['a time more than 35 days back', { time: '2026-10-19T09:29:59.999Z' }],
  ['an impossible date', { time: '2026-02-30T00:00:00Z' }],
  ['a value with an exponent', { data: { value: '1e3' } }],
  ['a value with too many places', { data: { value: '1.0001' } }],
  ['a value with sixteen digits', { data: { value: '1234567890123456' } }],
  ['a fractional JSON number', { data: { value: 0.5 } }],
  ['a JSON number beyond 2^53', { data: { value: 2 ** 53 } }],
  ['a negative value', { data: { value: '-1' } }],
  ['no value', { data: {} }],
  ['an unknown dimension', { data: { value: '1', dimensions: { user_name: 'x' } } }],
  ['a dimension that is no string', { data: { value: '1', dimensions: { workflow_class: 1 } } }],
  ['a mode on a meter that is no gauge', { data: { value: '1', mode: 'level' } }],
  ['the tenant of another in its data', { data: { value: '1', tenantId: 'rival' } }],
])('an event with %s is rejected, and alone it is a 400 that says so', async (_name, change) => {
  const answer = await post({ ...aUsageEvent({ id: 'e' }), ...change })
  expect(answer).toMatchObject({ status: 400, json: { accepted: 0, rejected: [{ index: 0 }] } })
  expect(answer.headers['content-type']).toBe('application/problem+json')
  expect(world.published).toEqual([])
})

test.each([
  ['a whole JSON number', { data: { value: 5 } }],
  ['an offset', { time: '2026-11-23T10:00:00.123+01:00' }],
  ['a time of just five minutes ahead', { time: '2026-11-23T09:35:00.000Z' }],
  ['members nobody knows', { extra: { deep: [1.5, null] }, data: { value: '1', note: 'kept' } }],
])('an event with %s is accepted', async (_name, change) => {
  expect(await post({ ...aUsageEvent({ id: 'e' }), ...change })).toMatchObject({ status: 202 })
})

test.each([
  ['an array where one event is announced', 'application/cloudevents+json', [aUsageEvent({ id: 'a' })]],
  ['one event where an array is announced', 'application/cloudevents-batch+json', aUsageEvent({ id: 'a' })],
  ['an empty array', 'application/json', []],
  ['a number', 'application/json', 7],
  ['a prototype member', 'application/json', Buffer.from('{"__proto__":{"x":1}}')],
])('%s is a 400', async (_name, contentType, body) => {
  expect((await post(body, 'acme', contentType)).status).toBe(400)
})

test('501 events, or a body above 256 KiB, are too large', async () => {
  expect((await post(many(501))).status).toBe(413)
  expect((await post([aUsageEvent({ id: 'a', data: { note: 'x'.repeat(262_144) } })])).status).toBe(413)
})

test('two events of one id and different content are not both taken', async () => {
  const answer = await post([aUsageEvent({ id: 'a', value: '1' }), aUsageEvent({ id: 'a', value: '2' })])
  expect(answer).toMatchObject({ status: 202, json: { accepted: 1, rejected: [{ code: 'usage.conflict' }] } })
})

test('a report is not accepted while Pub/Sub is down', async () => {
  world.broken.publish = true
  expect((await post(many(1))).status).toBeGreaterThanOrEqual(500)
})

test('a message of 100 events costs one commit of two writes and no read', async () => {
  await world.fact(aTenantFact({}))
  const commits: number[] = []
  world.engine.onCommit((commit) => commits.push(commit.changes.length))
  world.calls.length = 0
  expect(await world.usage(many(100))).toBe(204)
  expect(commits).toEqual([2])
  expect(world.calls.filter((call) => call !== 'Commit')).toEqual([])
})

test('a message delivered three times counts once, in the ledger and live', async () => {
  await world.fact(aTenantFact({}))
  for (let time = 0; time < 3; time += 1) expect(await world.usage(many(3))).toBe(204)
  expect(ledger()).toHaveLength(1)
  const [live] = world.documents('tenants/acme/billing_live')
  expect(live?.data).toMatchObject({ h: { '09': { n: 1, agent_minutes: { events: 3, sum: 180_000 } } } })
  expect((await usageOf()).row).toMatchObject({ value: '180', events: 3 })
})

test('an event that comes again in another batch counts once', async () => {
  await world.fact(aTenantFact({}))
  await world.usage([aUsageEvent({ id: 'a' }), aUsageEvent({ id: 'b' })])
  await world.usage([aUsageEvent({ id: 'b' }), aUsageEvent({ id: 'c' })])
  await world.usage(aUsageEvent({ id: 'c' }))
  expect((await usageOf()).row).toMatchObject({ value: '180', events: 3 })
})

test('a usage answer says how many copies and conflicts it left out', async () => {
  await world.fact(aTenantFact({}))
  await world.usage([aUsageEvent({ id: 'a' }), aUsageEvent({ id: 'b', value: '1' })])
  await world.usage([aUsageEvent({ id: 'a' }), aUsageEvent({ id: 'b', value: '2' })])
  const answer = await world.request({ path: '/v1/tenants/acme/usage?meter=agent_minutes', token: 'acme' })
  expect(answer.json).toMatchObject({ duplicates: 1, conflicts: 1, data: [{ events: 2 }] })
})

test('concurrent deliveries of one message count once', async () => {
  await world.fact(aTenantFact({}))
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => world.usage(many(5))))
  expect(new Set(outcomes)).toEqual(new Set([204]))
  expect(world.documents('tenants/acme/billing_live')[0]?.data).toMatchObject({ h: { '09': { n: 1 } } })
})

test('a commit whose answer is lost counts once when the message comes again', async () => {
  await world.fact(aTenantFact({}))
  let lost = 0
  world.engine.setFault((rpc) =>
    rpc === 'Commit' && lost++ === 0 ? { mode: 'lostAnswer', code: 13 } : undefined,
  )
  await world.usage(many(2))
  world.engine.setFault(undefined)
  expect(await world.usage(many(2))).toBe(204)
  expect(world.documents('tenants/acme/billing_live')[0]?.data).toMatchObject({ h: { '09': { n: 1 } } })
  expect((await usageOf()).row).toMatchObject({ value: '120' })
})

test('a message of two tenants is split, and neither sees the other', async () => {
  await world.fact(aTenantFact({}))
  await world.fact(aTenantFact({ tenant: 'rival' }))
  const message = [...many(2), ...many(3, 'rival')]
  expect(await world.usage(message)).toBe(204)
  expect(await world.usage(message.toReversed())).toBe(204)
  expect((await usageOf()).row).toMatchObject({ value: '120', events: 2 })
  expect((await usageOf('meter=agent_minutes', 'rival')).row).toMatchObject({ value: '180', events: 3 })
  expect([ledger().length, ledger('rival').length]).toEqual([1, 1])
  expect(JSON.stringify(ledger())).not.toContain('rival')
})

test('a poisonous event is set aside once and its neighbours count', async () => {
  await world.fact(aTenantFact({}))
  const message = [
    aUsageEvent({ id: 'good' }),
    aUsageEvent({ id: 'bad', value: 'NaN' }),
    { specversion: '0.3' },
    aUsageEvent({ id: 'c', value: '1' }),
    aUsageEvent({ id: 'c', value: '2' }),
  ]
  expect(await world.usage(message)).toBe(204)
  expect(await world.usage(message)).toBe(204)
  expect(
    quarantined()
      .map((doc) => doc.data['code'])
      .sort(),
  ).toEqual(['event.malformed', 'event.malformed', 'usage.conflict'])
  expect((await usageOf()).row).toMatchObject({ events: 2 })
})

test.each([
  ['a number that JSON parses to infinity', '1e400'],
  ['more than one document can hold', `"${'x'.repeat(2 * 1024 * 1024)}"`],
])('an event with %s is set aside, and its neighbour counts', async (_name, note) => {
  await world.fact(aTenantFact({}))
  const bad = JSON.stringify(aUsageEvent({ id: 'bad', data: { note: 0 } })).replace(
    '"note":0',
    `"note":${note}`,
  )
  const message = Buffer.from(`[${bad},${JSON.stringify(aUsageEvent({ id: 'good' }))}]`)
  expect(await world.usage(message)).toBe(204)
  expect(quarantined()).toHaveLength(1)
  expect((await usageOf()).row).toMatchObject({ events: 1 })
})

test('an event at the API with a number that JSON parses to infinity is rejected', async () => {
  const body = JSON.stringify(aUsageEvent({ id: 'a', data: { note: 0 } })).replace(
    '"note":0',
    '"note":-1e999',
  )
  expect((await post(Buffer.from(body))).status).toBe(400)
})

test('a message that is no JSON is set aside and acknowledged', async () => {
  expect(await world.usage(Buffer.from('{'))).toBe(204)
  expect(quarantined()).toHaveLength(1)
})

test('usage of a tenant nobody knows waits, and counts once the tenant is active', async () => {
  expect(await world.usage(many(3))).toBe(204)
  expect(await world.usage(many(3))).toBe(204)
  expect(ledger()).toEqual([])
  expect(quarantined()).toHaveLength(1)
  await world.fact(aTenantFact({ kind: 'requested', state: 'REQUESTED', sequence: 1n }))
  expect(ledger()).toEqual([])
  await world.fact(aTenantFact({ sequence: 2n }))
  await world.fact(aTenantFact({ sequence: 2n }))
  expect((await usageOf()).row).toMatchObject({ value: '180', events: 3 })
  expect(quarantined()[0]?.data).toMatchObject({ status: 'redriven' })
  expect(quarantined()[0]?.data).not.toHaveProperty('payload')
})

test('waiting usage that could not be applied is applied when the fact comes again', async () => {
  await world.usage(many(2))
  let commits = 0
  world.engine.setFault((rpc) => (rpc === 'Commit' && ++commits > 1 ? { mode: 'error' } : undefined))
  expect(await world.fact(aTenantFact({}))).toBe(500)
  world.engine.setFault(undefined)
  expect(await world.fact(aTenantFact({}))).toBe(204)
  expect((await usageOf()).row).toMatchObject({ value: '120' })
})

test('usage of a tenant being purged leaves nothing of it behind', async () => {
  await world.fact(aTenantFact({ kind: 'purge-started', state: 'PURGING', sequence: 9n }))
  expect(await world.usage([aUsageEvent({ id: 'a', data: { note: 'private' } })])).toBe(204)
  expect(ledger()).toEqual([])
  const kept = Buffer.from(String(quarantined()[0]?.data['payload'] ?? ''), 'base64').toString()
  expect(JSON.stringify(quarantined()) + kept).not.toContain('private')
})

test('usage accepted at the API 35 days late still counts when its message is late too', async () => {
  await world.fact(aTenantFact({}))
  const time = new Date(NOW - 35 * 24 * 3_600_000).toISOString()
  expect((await post(aUsageEvent({ id: 'old', time }))).status).toBe(202)
  world.clock.advance(6 * 24 * 3_600_000)
  await world.deliver()
  const month = 'meter=agent_minutes&from=2026-10-01T00:00:00Z&to=2026-11-01T00:00:00Z'
  expect((await usageOf(month)).row).toMatchObject({ events: 1 })
})

test('a message larger than a document is kept whole in several', async () => {
  await world.fact(aTenantFact({}))
  expect(await world.usage(many(999))).toBe(204)
  expect(await world.usage(many(999))).toBe(204)
  expect(ledger()).toHaveLength(2)
  expect((await usageOf()).row).toMatchObject({ events: 999 })
})

test('quantities beyond 2^53 are exact in answers, and the live counter says that it is not', async () => {
  await world.fact(aTenantFact({}))
  const events = Array.from({ length: 20 }, (_, index) =>
    aUsageEvent({ id: `e${index}`, meter: 'egress_bytes', value: '999999999999999' }),
  )
  await world.usage(events)
  expect((await usageOf('meter=egress_bytes')).row).toMatchObject({ value: '19999999999999980' })
  expect(world.documents('tenants/acme/billing_live')[0]?.data).toMatchObject({
    h: { '09': { egress_bytes: { inexact: true } } },
  })
})

test('a range contains its beginning and not its end', async () => {
  await world.fact(aTenantFact({}))
  const at = (id: string, time: string) => aUsageEvent({ id, time, value: '1' })
  await world.usage([
    at('before', '2026-11-20T07:59:59.999Z'),
    at('first', '2026-11-20T08:00:00.000Z'),
    at('last', '2026-11-20T08:59:59.999Z'),
    at('after', '2026-11-20T09:00:00.000Z'),
  ])
  const range = 'meter=agent_minutes&from=2026-11-20T08:00:00Z&to=2026-11-20T09:00:00Z'
  expect((await usageOf(range)).row).toMatchObject({ value: '2', events: 2 })
})

test('windows leave out empty ones and add up to the whole', async () => {
  await world.fact(aTenantFact({}))
  await world.usage([
    aUsageEvent({ id: 'a', time: '2026-11-20T08:30:00Z', value: '1.5' }),
    aUsageEvent({ id: 'b', time: '2026-11-20T10:30:00Z', value: '2' }),
    aUsageEvent({ id: 'c', time: '2026-11-21T10:30:00Z', value: '4' }),
  ])
  await world.rollUp()
  const answer = await world.request({
    path: '/v1/tenants/acme/usage?meter=agent_minutes&window=day&from=2026-11-19T00:00:00Z&to=2026-11-23T00:00:00Z',
    token: 'acme',
  })
  expect(answer.json['data']).toEqual([
    {
      meter: 'agent_minutes',
      unit: 'second',
      window: { from: '2026-11-20T00:00:00Z', to: '2026-11-21T00:00:00Z' },
      value: '3.5',
      events: 2,
    },
    {
      meter: 'agent_minutes',
      unit: 'second',
      window: { from: '2026-11-21T00:00:00Z', to: '2026-11-22T00:00:00Z' },
      value: '4',
      events: 1,
    },
  ])
  expect(answer.json).toMatchObject({ exactThrough: '2026-11-23T00:00:00Z', provisional: false })
})

test('a level holds until the next sample, across the beginning of the range, and no longer than two hours', async () => {
  await world.fact(aTenantFact({}))
  const level = (id: string, time: string, value: string) =>
    aUsageEvent({ id, meter: 'storage_gib_hours', time, value, data: { resource: 'vol-1' } })
  await world.usage([level('a', '2026-11-20T07:30:00Z', '10'), level('b', '2026-11-20T09:00:00Z', '20')])
  const range = 'meter=storage_gib_hours&from=2026-11-20T08:00:00Z&to=2026-11-20T20:00:00Z'
  expect((await usageOf(range)).row).toMatchObject({ value: '50', events: 1, unit: 'GiB hour' })
})

test('unique users count once and runs that the platform failed not at all', async () => {
  await world.fact(aTenantFact({}))
  const user = (id: string, resource: string) =>
    aUsageEvent({ id, meter: 'active_users', value: null, data: { resource } })
  const run = (id: string, outcome: string) =>
    aUsageEvent({ id, meter: 'workflow_runs', value: null, data: { dimensions: { outcome } } })
  await world.usage([
    user('1', 'u1'),
    user('2', 'u2'),
    user('3', 'u1'),
    run('4', 'ok'),
    run('5', 'platform_error'),
  ])
  expect((await usageOf('meter=active_users')).row).toMatchObject({ value: '2', events: 3 })
  expect((await usageOf('meter=workflow_runs')).row).toMatchObject({ value: '1', events: 1 })
})

test.each([
  ['from=2026-11-20T00:00:00Z&to=2026-11-20T00:00:00Z', 422],
  ['from=2026-11-21T00:00:00Z&to=2026-11-20T00:00:00Z', 422],
  ['from=2025-01-01T00:00:00Z&to=2026-11-20T00:00:00Z', 422],
  ['from=2026-10-01T00:00:00Z&to=2026-11-20T00:00:00Z&window=hour', 422],
  ['from=0001-01-01T00:00:00Z', 422],
  ['to=9999-12-31T23:59:59Z', 422],
  ['from=yesterday', 400],
  ['meter=nothing', 400],
  ['meter=toString', 400],
  ['window=minute', 400],
  ['windw=day', 400],
])('the usage query %s is refused with %d', async (query, status) => {
  await world.fact(aTenantFact({}))
  expect((await world.request({ path: `/v1/tenants/acme/usage?${query}`, token: 'acme' })).status).toBe(
    status,
  )
})

test("a foreign tenant's usage, a missing tenant's and a malformed id are the same 404", async () => {
  await world.fact(aTenantFact({ tenant: 'rival' }))
  const answers = await Promise.all(
    ['rival', 'nobody-here', 'RIVAL'].map((tenant) =>
      world.request({ path: `/v1/tenants/${tenant}/usage?meter=nothing`, token: 'acme' }),
    ),
  )
  const bodies = answers.map(({ status, json }) => ({ status, ...json, requestId: '' }))
  expect(bodies[0]).toMatchObject({ status: 404 })
  expect(bodies[1]).toEqual(bodies[0])
  expect(bodies[2]).toEqual(bodies[0])
})

test('an operator sees a tenant, and a tenant that is not there is a 404', async () => {
  await world.fact(aTenantFact({}))
  const read = (tenant: string) =>
    world.request({ path: `/v1/tenants/${tenant}/usage`, token: 'platform+platform:read' })
  expect((await read('acme')).status).toBe(200)
  expect((await read('nobody-here')).status).toBe(404)
})

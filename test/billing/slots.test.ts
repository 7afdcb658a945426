import { afterEach, beforeEach, expect, test } from 'vitest'
import { aFreeze, factsOf, workUnits } from './support/contracts.ts'
import { type Answer, aTenantFact, startWorld, type World } from './support/world.ts'

let world: World
beforeEach(async () => {
  world = await startWorld()
  await world.fact(aTenantFact({ tier: 'standard' }))
  world.published.length = 0
})
afterEach(() => world.close())

const TOKEN = 'acme+workflows:use'
const slot = (what: string, body: object, token = TOKEN): Promise<Answer> =>
  world.request({ method: 'POST', path: `/v1/tenants/acme/workflows/${what}`, token, body })

test.each([
  ['basic', 1],
  ['standard', 2],
  ['premium', 4],
  ['enterprise', 8],
])('a tenant of the tier %s runs %i workflows at once and not one more', async (tier, limit) => {
  await world.fact(aTenantFact({ tier, sequence: 5n }))
  for (let run = 1; run <= limit; run += 1) {
    const { status, json } = await slot('acquire', { runId: `run-${run}` })
    expect([status, json]).toMatchObject([200, { granted: true, active: run, limit }])
  }
  const refused = await slot('acquire', { runId: 'one-more', ttl: 60 })
  expect(refused).toMatchObject({ status: 429, json: { code: 'workflows.limit_reached' } })
  expect(Number(refused.headers['retry-after'])).toBe(120)
})

test('a run that asks again keeps its one slot, and never shortens it', async () => {
  const first = await slot('acquire', { runId: 'run-1', ttl: 600 })
  const again = await slot('acquire', { runId: 'run-1', ttl: 10 })
  expect(again.json).toEqual(first.json)
  expect(again.json).toMatchObject({ active: 1, expiresAt: '2026-11-23T09:40:00Z' })
})

test('a crashed run gives its slot back when its lease ends, and cannot renew it then', async () => {
  await slot('acquire', { runId: 'run-1', ttl: 120 })
  await slot('acquire', { runId: 'run-2', ttl: 600 })
  world.clock.advance(119_999)
  expect((await slot('acquire', { runId: 'run-3' })).status).toBe(429)
  world.clock.advance(1)
  expect((await slot('renew', { runId: 'run-1' })).json).toMatchObject({ code: 'workflows.not_held' })
  expect((await slot('acquire', { runId: 'run-3' })).status).toBe(200)
  expect((await slot('release', { runId: 'run-1' })).status).toBe(409)
})

test('renewing keeps a slot, releasing frees it, and a second release says that nothing is held', async () => {
  await slot('acquire', { runId: 'run-1', ttl: 60 })
  world.clock.advance(50_000)
  expect((await slot('renew', { runId: 'run-1', ttl: 60 })).json).toMatchObject({
    granted: true,
    expiresAt: '2026-11-23T09:31:50Z',
  })
  expect((await slot('release', { runId: 'run-1' })).json).toMatchObject({ granted: false, active: 0 })
  expect(await slot('release', { runId: 'run-1' })).toMatchObject({
    status: 409,
    json: { code: 'workflows.not_held' },
  })
})

test('a run may be called like a member of every object', async () => {
  expect((await slot('renew', { runId: 'constructor' })).status).toBe(409)
  expect((await slot('acquire', { runId: 'toString' })).json).toMatchObject({ active: 1 })
  expect((await slot('release', { runId: 'constructor' })).status).toBe(409)
  expect((await slot('acquire', { runId: '__proto__' })).status).toBe(400)
})

test('what names no run or no bearable time is no request for a slot', async () => {
  const bodies = [
    {},
    { runId: '' },
    { runId: 'a/b' },
    { runId: 'a', extra: 1 },
    ...[9, 601, 1.5, '60'].map((ttl) => ({ runId: 'a', ttl })),
  ]
  for (const body of bodies) {
    expect((await slot('acquire', body)).status, JSON.stringify(body)).toBe(400)
  }
})

test('with the smaller tier the running workflows end in peace, and none begins until there is room', async () => {
  await world.fact(aTenantFact({ tier: 'premium', sequence: 5n }))
  for (const run of ['a', 'b', 'c']) await slot('acquire', { runId: run })
  await world.fact(aTenantFact({ tier: 'basic', sequence: 6n }))
  expect((await slot('renew', { runId: 'a' })).json).toMatchObject({ active: 3, limit: 1 })
  expect((await slot('acquire', { runId: 'd' })).status).toBe(429)
  await slot('release', { runId: 'a' })
  await slot('release', { runId: 'b' })
  expect((await slot('acquire', { runId: 'd' })).status).toBe(429)
  await slot('release', { runId: 'c' })
  expect((await slot('acquire', { runId: 'd' })).status).toBe(200)
})

test('no workflow of a tenant that is suspended or leaving begins', async () => {
  const states = [
    ['suspend-started', 'SUSPENDING'],
    ['suspended', 'SUSPENDED'],
    ['offboarding-started', 'OFFBOARDING'],
    ['purge-started', 'PURGING'],
  ] as const
  for (const [index, [kind, state]] of states.entries()) {
    await world.fact(aTenantFact({ kind, state, sequence: BigInt(9 + index) }))
    expect(await slot('acquire', { runId: 'a' }), state).toMatchObject({
      status: 402,
      json: { code: 'entitlement.restricted' },
    })
  }
})

test('of many acquirers on two instances no more than the limit get a slot', async () => {
  const other = await startWorld({ sharing: world })
  try {
    await world.fact(aTenantFact({ tier: 'enterprise', sequence: 5n }))
    const ask = (index: number): Promise<Answer> => {
      const { request } = index % 2 === 0 ? world : other
      const body = { runId: `run-${index}` }
      return request({ method: 'POST', path: '/v1/tenants/acme/workflows/acquire', token: TOKEN, body })
    }
    const statuses = (await Promise.all(Array.from({ length: 24 }, (_, index) => ask(index)))).map(
      ({ status }) => status,
    )
    const granted = statuses.filter((status) => status === 200).length
    expect(granted).toBeGreaterThan(0)
    expect(granted).toBeLessThanOrEqual(8)
    // Who gave up in the crowd got an answer that says to come again.
    expect(statuses.every((status) => [200, 429, 503].includes(status))).toBe(true)
    const leases = world.documents('tenants/acme/billing_quota')[0]?.data['leases'] as object
    expect(Object.keys(leases)).toHaveLength(granted)
  } finally {
    await other.close()
  }
})

test('a freeze of an idle tenant is answered at once, with the same bytes however often it is asked for', async () => {
  expect(await world.command(aFreeze({ id: 'c1' }))).toBe(204)
  expect(await world.command(aFreeze({ id: 'c1' }))).toBe(204)
  expect(await world.command(aFreeze({ id: 'c2' }))).toBe(204)
  const facts = factsOf(world)
  expect(facts).toMatchObject([
    {
      type: 'ai.energent.billing.slots-drained.v1',
      id: 'slots-drained.op_1',
      correlationid: 'op_1',
      data: { operationId: 'op_1' },
    },
    {},
    {},
  ])
  expect(new Set(facts.map((fact) => JSON.stringify(fact))).size).toBe(1)
  expect(await slot('acquire', { runId: 'a' })).toMatchObject({
    status: 429,
    json: { code: 'workflows.frozen' },
  })
})

test('a frozen tenant is drained with its last release, and told then, once', async () => {
  await slot('acquire', { runId: 'a' })
  await slot('acquire', { runId: 'b' })
  await world.command(aFreeze({ id: 'c1' }))
  expect((await slot('renew', { runId: 'a' })).status).toBe(200)
  await slot('release', { runId: 'a' })
  expect(factsOf(world)).toEqual([])
  await slot('release', { runId: 'b' })
  expect(factsOf(world)).toMatchObject([{ id: 'slots-drained.op_1' }])
})

test('a lease that ends by itself drains too: the sweep looks', async () => {
  await slot('acquire', { runId: 'a', ttl: 60 })
  await world.command(aFreeze({ id: 'c1' }))
  await sweep()
  expect(factsOf(world)).toEqual([])
  world.clock.advance(61_000)
  await sweep()
  expect(factsOf(world)).toMatchObject([{ id: 'slots-drained.op_1' }])
  await sweep()
  expect(factsOf(world)).toHaveLength(1)
  expect(world.documents('jobs').filter(({ path }) => path.includes('due_'))).toEqual([])
})

test('what still runs when its time is over is told once, goes on, and stays frozen', async () => {
  await slot('acquire', { runId: 'a', ttl: 60 })
  await world.command(aFreeze({ id: 'c1', limitSeconds: 900 }))
  for (let minute = 0; minute < 14; minute += 1) {
    world.clock.advance(55_000)
    expect((await slot('renew', { runId: 'a', ttl: 60 })).status).toBe(200)
    await sweep()
  }
  expect(factsOf(world)).toEqual([])
  for (let minute = 0; minute < 5; minute += 1) {
    world.clock.advance(55_000)
    expect((await slot('renew', { runId: 'a', ttl: 60 })).status).toBe(200)
    await sweep()
  }
  expect(factsOf(world)).toMatchObject([
    { type: 'ai.energent.billing.slots-held.v1', id: 'slots-held.op_1', data: { operationId: 'op_1' } },
  ])
  await world.command(aFreeze({ id: 'c2', limitSeconds: 900 }))
  expect(new Set(factsOf(world).map((fact) => JSON.stringify(fact))).size).toBe(1)
  expect(await slot('acquire', { runId: 'b' })).toMatchObject({ json: { code: 'workflows.frozen' } })
  expect((await slot('release', { runId: 'a' })).status).toBe(200)
  expect(factsOf(world)).toHaveLength(2)
})

test('time that is over by the sweep alone is told too', async () => {
  await slot('acquire', { runId: 'a', ttl: 600 })
  await world.command(aFreeze({ id: 'c1', limitSeconds: 60 }))
  world.clock.advance(59_000)
  await sweep()
  expect(factsOf(world)).toEqual([])
  world.clock.advance(1_000)
  await sweep()
  expect(factsOf(world)).toMatchObject([{ id: 'slots-held.op_1' }])
  expect(world.documents('jobs').filter(({ path }) => path.includes('due_'))).toEqual([])
})

test.each(['tier-changed', 'tier-change-failed', 'tier-change-blocked'] as const)(
  'the fact %s of the operation ends its freeze, and one that comes late for it freezes nothing',
  async (kind) => {
    await world.command(aFreeze({ id: 'c1' }))
    await world.fact(aTenantFact({ kind, operationId: 'op_2', sequence: 7n }))
    expect((await slot('acquire', { runId: 'a' })).status).toBe(429)
    await world.fact(aTenantFact({ kind, operationId: 'op_1', sequence: 8n }))
    expect((await slot('acquire', { runId: 'a' })).status).toBe(200)
    world.published.length = 0
    expect(await world.command(aFreeze({ id: 'c9' }))).toBe(204)
    expect((await slot('acquire', { runId: 'b' })).status).toBe(200)
    expect(factsOf(world)).toEqual([])
  },
)

// A suspension's own operation ends with the tenant suspended: its freeze ends with another operation's fact.
test.each([
  ['resumed', 'ACTIVE', 200],
  ['offboarding-cancelled', 'ACTIVE', 200],
  ['offboarding-cancelled', 'SUSPENDED', 402],
] as const)('the fact %s that leaves a tenant %s ends its freeze, or not', async (kind, state, status) => {
  await world.fact(aTenantFact({ kind: 'suspend-started', state: 'SUSPENDING', sequence: 5n }))
  await world.command(aFreeze({ id: 'c1', operationId: 'op_suspend', sequence: '5' }))
  await world.fact(aTenantFact({ kind, state, operationId: 'op_other', sequence: 7n }))
  expect((await slot('acquire', { runId: 'a' })).status).toBe(status)
})

test('a freeze of before the resumption that comes after it freezes nothing, and tells nobody', async () => {
  await world.fact(aTenantFact({ kind: 'resumed', operationId: 'op_resume', sequence: 7n }))
  await world.command(aFreeze({ id: 'c1', operationId: 'op_suspend', sequence: '5' }))
  expect((await slot('acquire', { runId: 'a' })).status).toBe(200)
  expect(factsOf(world)).toEqual([])
})

test('an old resumption that is heard again leaves a newer freeze alone', async () => {
  const resumed = aTenantFact({ kind: 'resumed', operationId: 'op_resume', sequence: 7n })
  await world.fact(resumed)
  await world.command(aFreeze({ id: 'c1', operationId: 'op_tier', sequence: '7' }))
  await world.fact(resumed)
  expect(await slot('acquire', { runId: 'a' })).toMatchObject({ json: { code: 'workflows.frozen' } })
})

/** Runs the sweep and does what it asked for. */
async function sweep(): Promise<void> {
  await world.request({ method: 'POST', path: '/internal/sweep/run', body: {} })
  for (const unit of workUnits(world)) await world.push('billing-work-to-billing', unit)
}

import { afterEach, beforeEach, expect, test } from 'vitest'
import type { TenantId } from '#shared/ids.ts'
import { TenantContext } from '#shared/tenancy/context.ts'
import { prove } from '#shared/tenancy/proofs.ts'
import { aTenantFact, aUsageEvent, NOW, startWorld, type World } from './support/world.ts'

let world: World
beforeEach(async () => {
  world = await startWorld()
  await world.fact(aTenantFact({}))
})
afterEach(() => world.close())

const at = (time: string, id: string, value = '60', extra = {}) =>
  aUsageEvent({ id, value, time: `2026-11-${time}Z`, ...extra })

type Answer = {
  data: { value: string; events: number; group?: unknown }[]
  exactThrough: string
  provisional: boolean
} & Record<string, unknown>

async function usageOf(query: string): Promise<Answer> {
  const answer = await world.request({ path: `/v1/tenants/acme/usage?${query}`, token: 'acme' })
  return answer.json as Answer
}

const DAY = 'from=2026-11-20T00:00:00Z&to=2026-11-21T00:00:00Z'
const MINUTES = `meter=agent_minutes&${DAY}`
const rollups = () => world.documents('tenants/acme/billing_rollups')
const days = () => world.documents('tenants/acme/billing_rollupDays')
const contents = () => rollups().map(({ path, data: { digest, root } }) => ({ path, digest, root }))

const voidOf = (id: string, target: string, data = {}) => ({
  ...aUsageEvent({ id, value: null, time: '2026-11-23T09:00:00Z' }),
  type: 'ai.energent.usage.void.v1',
  source: '//energent.ai/billing',
  data: { voids: { source: '//agents.example/pods/agent-7', id: target }, ...data },
})
const replaceOf = (id: string, target: string, data: object) => ({
  ...voidOf(id, target),
  type: 'ai.energent.usage.replace.v1',
  data: { replaces: { source: '//agents.example/pods/agent-7', id: target }, ...data },
})

test('an hour is rolled up exactly, and the answer says until when', async () => {
  await world.usage([at('20T08:30:00', 'a', '1.5'), at('20T08:40:00', 'b', '2'), at('20T10:00:00', 'c', '4')])
  expect(await usageOf(MINUTES)).toMatchObject({ exactThrough: '2026-11-20T08:00:00Z', provisional: true })
  await world.rollUp()
  const answer = await usageOf(MINUTES)
  expect(answer).toMatchObject({ exactThrough: '2026-11-21T00:00:00Z', provisional: false })
  expect(answer.data).toMatchObject([{ value: '7.5', events: 3 }])
  expect(rollups().map(({ data }) => data)).toMatchObject([
    {
      hour: '2026112008',
      rev: 1,
      batchCount: 1,
      events: 2,
      dupes: 0,
      tallies: [{ value: '3.5', events: 2 }],
    },
    { hour: '2026112010', rev: 1, batchCount: 1, events: 1, tallies: [{ value: '4' }] },
  ])
  expect(days()).toHaveLength(1)
})

test('a late batch reopens its hour and raises its revision', async () => {
  await world.usage([at('20T08:30:00', 'a')])
  await world.rollUp()
  await world.usage([at('20T08:31:00', 'b')])
  const open = await usageOf(MINUTES)
  expect(open).toMatchObject({ exactThrough: '2026-11-20T08:00:00Z', data: [{ value: '120' }] })
  await world.rollUp()
  expect(rollups()).toMatchObject([{ data: { rev: 2, batchCount: 2, events: 2 } }])
  expect(await usageOf(MINUTES)).toMatchObject({ provisional: false, data: [{ value: '120' }] })
})

test('a copy in another batch is counted as one and leaves the content as it was', async () => {
  await world.usage([at('20T08:30:00', 'a')])
  await world.rollUp()
  const before = contents()
  await world.usage([at('20T08:30:00', 'a'), at('20T09:30:00', 'b')])
  await world.rollUp()
  expect(contents()[0]).toEqual(before[0])
  expect(rollups()[0]).toMatchObject({ data: { rev: 1, batchCount: 2, dupes: 1 } })
  expect(await usageOf(MINUTES)).toMatchObject({ duplicates: 1, data: [{ value: '120', events: 2 }] })
})

test('a roll-up that is run again writes nothing', async () => {
  await world.usage([at('20T08:30:00', 'a'), at('22T08:30:00', 'b')])
  await world.rollUp()
  const before = [...rollups(), ...days()]
  const commits: unknown[] = []
  world.engine.onCommit((commit) => commits.push(commit))
  await world.rollUp()
  expect([...rollups(), ...days()]).toEqual(before)
  expect(commits).toEqual([])
})

test('the hour that is not over is answered from the ledger and not rolled up', async () => {
  await world.usage([at('23T09:10:00', 'a', '7')])
  await world.rollUp()
  expect(rollups()).toEqual([])
  const answer = await usageOf('meter=agent_minutes&from=2026-11-23T00:00:00Z&to=2026-11-23T12:00:00Z')
  expect(answer).toMatchObject({ exactThrough: '2026-11-23T09:00:00Z', data: [{ value: '7' }] })
})

test('boundary milliseconds are cut from the ledger where a roll-up cannot', async () => {
  await world.usage([
    at('20T08:30:00.000', 'a', '1'),
    at('20T08:29:59.999', 'b', '2'),
    at('20T09:00:00', 'c', '4'),
  ])
  await world.rollUp()
  const from = await usageOf('meter=agent_minutes&from=2026-11-20T08:30:00Z&to=2026-11-21T00:00:00Z')
  const to = await usageOf('meter=agent_minutes&from=2026-11-20T00:00:00Z&to=2026-11-20T08:30:00Z')
  expect([from.data[0]?.value, to.data[0]?.value]).toEqual(['5', '2'])
})

test('groups, filters and windows add up to the whole, from roll-ups and from the ledger alike', async () => {
  const tokens = (id: string, model: string, time: string, value: string) =>
    at(time, id, value, { meter: 'llm_tokens_in', data: { dimensions: { model, provider: 'p' } } })
  await world.usage([
    tokens('a', 'm1', '20T01:00:00', '10'),
    tokens('b', 'm2', '20T02:00:00', '20'),
    tokens('c', 'm1', '20T23:30:00', '30'),
    at('20T05:00:00', 'd', '5', { meter: 'llm_tokens_in' }),
  ])
  const ask = async () => ({
    groups: await usageOf(`meter=llm_tokens_in&groupBy=model&${DAY}`),
    filtered: await usageOf(`meter=llm_tokens_in&filter=model:m1,model:m2&${DAY}`),
    windows: await usageOf(`meter=llm_tokens_in&window=day&timezone=Asia/Kolkata&${DAY}`),
  })
  const fromLedger = await ask()
  await world.rollUp()
  const fromRollups = await ask()
  for (const name of ['groups', 'filtered', 'windows'] as const) {
    expect(fromRollups[name].data).toEqual(fromLedger[name].data)
  }
  expect(fromRollups.groups.data.map(({ group, value }) => [group, value])).toEqual([
    [{ model: '' }, '5'],
    [{ model: 'm1' }, '40'],
    [{ model: 'm2' }, '20'],
  ])
  expect(fromRollups.filtered.data).toMatchObject([{ value: '60', events: 3 }])
  // 24:00 in Kolkata is 18:30 UTC: the hour is cut in its middle.
  expect(fromRollups.windows.data.map(({ value }) => value)).toEqual(['35', '30'])
})

test('a level carries over hours, a day and a roll-up, and goes stale after two hours', async () => {
  const level = (id: string, time: string, value: string, resource = 'vol-1') =>
    at(time, id, value, { meter: 'storage_gib_hours', data: { resource } })
  await world.usage([
    level('a', '19T23:30:00', '10'),
    level('b', '20T01:00:00', '20'),
    level('c', '20T02:15:00', '20'),
  ])
  const query = `meter=storage_gib_hours&${DAY}`
  const before = await usageOf(query)
  await world.rollUp()
  const after = await usageOf(query)
  expect(after.data).toEqual(before.data)
  // One hour of 10, then 20 from 01:00 until two hours after 02:15.
  expect(after.data).toMatchObject([{ value: '75', events: 2, dataQuality: { staleSeconds: 71_100 } }])
})

test('users are counted once over hours, and the largest peak holds', async () => {
  const user = (id: string, time: string, resource: string) =>
    at(time, id, '1', { meter: 'active_users', data: { resource } })
  const peak = (id: string, time: string, value: string) =>
    at(time, id, value, { meter: 'concurrent_workflows_peak' })
  await world.usage([
    user('a', '20T01:00:00', 'u1'),
    user('b', '20T05:00:00', 'u1'),
    user('c', '20T05:01:00', 'u2'),
  ])
  await world.usage([
    peak('d', '20T01:00:00', '3'),
    peak('e', '20T09:00:00', '7'),
    peak('f', '20T10:00:00', '2'),
  ])
  await world.rollUp()
  expect((await usageOf(`meter=active_users&${DAY}`)).data).toMatchObject([{ value: '2', events: 3 }])
  expect((await usageOf(`meter=concurrent_workflows_peak&${DAY}`)).data).toMatchObject([{ value: '7' }])
})

test('a void takes an event back after its hour was rolled up, and a second one changes nothing', async () => {
  await world.usage([at('20T08:30:00', 'a'), at('20T08:31:00', 'b', '5')])
  await world.rollUp()
  expect(await world.usage([voidOf('v1', 'a')])).toBe(204)
  await world.rollUp()
  expect(await usageOf(MINUTES)).toMatchObject({ provisional: false, data: [{ value: '5', events: 1 }] })
  const before = contents()
  await world.usage([voidOf('v2', 'a')])
  await world.rollUp()
  expect(contents()).toEqual(before)
})

test('a void that comes before its event waits for it', async () => {
  await world.usage([voidOf('v1', 'a')])
  await world.rollUp()
  await world.usage([at('20T08:30:00', 'a'), at('20T08:31:00', 'b', '5')])
  expect((await usageOf(MINUTES)).data).toMatchObject([{ value: '5', events: 1 }])
  await world.rollUp()
  expect((await usageOf(MINUTES)).data).toMatchObject([{ value: '5', events: 1 }])
})

test('a replacement swaps what is said and keeps the time, unless one is given', async () => {
  await world.usage([at('20T08:30:00', 'a'), at('20T08:31:00', 'b', '5')])
  await world.rollUp()
  await world.usage([replaceOf('r1', 'a', { value: '7' })])
  await world.rollUp()
  expect((await usageOf(MINUTES)).data).toMatchObject([{ value: '12', events: 2 }])
  await world.usage([replaceOf('r2', 'b', { value: '6', time: '2026-11-21T10:00:00Z' })])
  await world.rollUp()
  await world.rollUp()
  expect((await usageOf(MINUTES)).data).toMatchObject([{ value: '7', events: 1 }])
  const next = await usageOf('meter=agent_minutes&from=2026-11-21T00:00:00Z&to=2026-11-22T00:00:00Z')
  expect(next).toMatchObject({ provisional: false, data: [{ value: '6', events: 1 }] })
  // Taken back, it is gone from both.
  await world.usage([voidOf('v1', 'b')])
  await world.rollUp()
  const gone = await usageOf('meter=agent_minutes&from=2026-11-20T00:00:00Z&to=2026-11-22T00:00:00Z')
  expect(gone.data).toMatchObject([{ value: '7', events: 1 }])
})

test('an estimate takes closed hours from roll-ups and the open ones from the live counters', async () => {
  const ctx = new TenantContext(prove.event({ tenantId: 'acme' as TenantId, eventId: 'e', type: 't' }))
  const meters = ['agent_minutes', 'workflow_runs', 'concurrent_workflows_peak', 'active_users'] as const
  const estimate = () =>
    world.deps.usage.estimate(ctx, {
      meters,
      fromMs: Date.parse('2026-11-20T00:00:00Z'),
      toMs: NOW,
      nowMs: NOW,
    })
  const text = ({ values }: Awaited<ReturnType<typeof estimate>>) =>
    meters.map((meter) => `${values[meter]?.value?.n}/${values[meter]?.value?.d}`)
  await world.usage([
    at('20T08:30:00', 'a', '1.5'),
    at('23T09:10:00', 'b', '2'),
    at('23T09:11:00', 'c', '1', { meter: 'workflow_runs' }),
    at('20T08:31:00', 'd', '7', { meter: 'concurrent_workflows_peak' }),
    at('23T09:11:00', 'e', '4', { meter: 'concurrent_workflows_peak' }),
    at('20T08:32:00', 'f', '1', { meter: 'active_users', data: { resource: 'u' } }),
  ])
  await world.usage([at('20T08:30:00', 'a', '1.5'), at('23T09:12:00', 'g', '3')])
  // The copy counts twice until its hour is rolled up, and users only then.
  expect(text(await estimate())).toEqual(['8/1', '1/1', '7/1', '0/1'])
  await world.rollUp()
  expect(text(await estimate())).toEqual(['13/2', '1/1', '7/1', '1/1'])
  expect(await estimate()).toMatchObject({
    provisional: true,
    exactThroughMs: Date.parse('2026-11-23T09:00:00Z'),
  })
})

test('a tenant corrects nothing', async () => {
  const refused = await world.request({
    method: 'POST',
    path: '/v1/usage',
    token: 'acme',
    body: [{ ...voidOf('v1', 'a') }],
  })
  expect(refused.json).toMatchObject({ accepted: 0, rejected: [{ code: 'usage.collector_only' }] })
  await world.usage([at('20T08:30:00', 'a')])
  await world.usage([voidOf('v1', 'a')], { producer: 'api' })
  await world.rollUp()
  expect((await usageOf(MINUTES)).data).toMatchObject([{ value: '60' }])
})

import { afterEach, beforeEach, expect, test } from 'vitest'
import { aTenantFact, aUsageEvent, startWorld, type World } from './support/world.ts'

let world: World
beforeEach(async () => {
  world = await startWorld()
  await world.fact(aTenantFact({}))
})
afterEach(() => world.close())

type Page = { items: Record<string, unknown>[]; nextPageToken: string | null; exactThrough: string }

async function list(what: 'events' | 'conflicts', query = ''): Promise<Page> {
  const answer = await world.request({ path: `/v1/tenants/acme/usage/${what}?${query}`, token: 'acme' })
  expect(answer.status, JSON.stringify(answer.json)).toBe(200)
  return answer.json as Page
}

async function all(query: string): Promise<unknown[]> {
  const ids: unknown[] = []
  for (let token: string | null = ''; token !== null; ) {
    const page: Page = await list('events', `${query}${token === '' ? '' : `&pageToken=${token}`}`)
    ids.push(...page.items.map(({ id }) => id))
    token = page.nextPageToken
  }
  return ids
}

const voidOf = (id: string, data: object, type = 'void') => ({
  ...aUsageEvent({ id, value: null, time: '2026-11-23T09:00:00Z', source: '//energent.ai/billing' }),
  type: `ai.energent.usage.${type}.v1`,
  data,
})
const target = (id: string) => ({ source: '//agents.example/pods/agent-7', id })

test('every event is listed once, in order of time, whatever the pages are', async () => {
  const events = Array.from({ length: 12 }, (_, index) =>
    aUsageEvent({
      id: `e${String(index).padStart(2, '0')}`,
      time: `2026-11-2${index % 3}T0${index % 5}:00:00Z`,
    }),
  )
  await world.usage(events)
  await world.usage(events.slice(3, 7))
  const range = 'from=2026-11-20T00:00:00Z&to=2026-11-23T00:00:00Z'
  const inOrder = [...events].sort((left, right) => (left.time + left.id < right.time + right.id ? -1 : 1))
  const expected = inOrder.map(({ id }) => id)
  for (const pageSize of [1, 5, 500]) expect(await all(`${range}&pageSize=${pageSize}`)).toEqual(expected)
  expect(await all(`${range}&id=e04`)).toEqual(['e04'])
  expect(await all(`${range}&meter=egress_bytes`)).toEqual([])
})

test('each event says what became of it', async () => {
  await world.usage([
    aUsageEvent({ id: 'a', value: '1' }),
    aUsageEvent({ id: 'b', value: '2' }),
    aUsageEvent({ id: 'c', value: '3' }),
    aUsageEvent({
      id: 'd',
      meter: 'workflow_runs',
      value: null,
      data: { dimensions: { outcome: 'platform_error' } },
    }),
  ])
  await world.usage([aUsageEvent({ id: 'a', value: '1' })])
  await world.usage([
    voidOf('v', { voids: target('b') }),
    voidOf('r', { replaces: target('c'), value: '9' }, 'replace'),
  ])
  const { items } = await list('events', 'from=2026-11-23T00:00:00Z')
  expect(items).toMatchObject([
    { id: 'a', status: 'counted', value: '1', batches: [{}, {}] },
    { id: 'b', status: 'void' },
    { id: 'c', status: 'replaced', value: '3', counted: { value: '9', time: '2026-11-23T09:00:00Z' } },
    { id: 'd', status: 'free', meter: 'workflow_runs' },
  ])
})

test('a conflict shows all sides and which one counts, before any job has run', async () => {
  await world.usage([aUsageEvent({ id: 'a', value: '1' })])
  await world.usage([aUsageEvent({ id: 'a', value: '2' }), aUsageEvent({ id: 'b' })])
  const { items, nextPageToken } = await list('conflicts')
  expect(nextPageToken).toBeNull()
  expect(items).toHaveLength(1)
  const sides = items[0]?.['sides'] as { counted: boolean; batchIds: string[] }[]
  expect(items[0]).toMatchObject({ id: 'a', meter: 'agent_minutes', time: '2026-11-23T09:00:00Z' })
  expect(sides.map(({ counted }) => counted).sort()).toEqual([false, true])
  expect(new Set(sides.flatMap(({ batchIds }) => batchIds)).size).toBe(2)
})

test('conflicts are listed in pages', async () => {
  for (const value of ['1', '2']) {
    await world.usage(
      [1, 2, 3].map((n) => aUsageEvent({ id: `e${n}`, value, time: `2026-11-20T0${n}:00:00Z` })),
    )
  }
  const range = 'from=2026-11-20T00:00:00Z&pageSize=2'
  const first = await list('conflicts', range)
  const second = await list('conflicts', `${range}&pageToken=${first.nextPageToken}`)
  expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(['e1', 'e2', 'e3'])
  expect(second.nextPageToken).toBeNull()
})

test.each(['events', 'conflicts'])('a foreign tenant and a bad parameter see no %s', async (what) => {
  const path = `/v1/tenants/acme/usage/${what}`
  expect((await world.request({ path, token: 'other' })).status).toBe(404)
  expect((await world.request({ path: `${path}?nonsense=1`, token: 'acme' })).status).toBe(400)
  expect((await world.request({ path: `${path}?pageToken=x`, token: 'acme' })).status).toBe(400)
  expect(
    (
      await world.request({
        path: `${path}?from=2026-11-23T00:00:00Z&to=2026-11-22T00:00:00Z`,
        token: 'acme',
      })
    ).status,
  ).toBe(422)
})

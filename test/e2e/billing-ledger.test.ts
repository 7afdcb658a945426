import { afterAll, beforeAll, expect, test } from 'vitest'
import { control, eventually, startTestStack, type TestStack } from './test-stack.ts'

const HOUR_MS = 3_600_000

let stack: TestStack
let tenantId: string
let token: string
/** The beginning of an hour that is over, on the stack's clock. */
let hourMs: number

beforeAll(async () => {
  stack = await startTestStack()
  const [tenant] = stack.info().tenants
  if (tenant === undefined) throw new Error('the stack has no tenants')
  tenantId = tenant.tenantId
  token = await stack.api().token(tenant)
  const { now } = await control(stack, 'GET', '/clock')
  hourMs = (Math.floor(Date.parse(String(now)) / HOUR_MS) - 3) * HOUR_MS
}, 60_000)
afterAll(() => stack.close())

const event = (id: string, value: string, atMs: number) => ({
  specversion: '1.0',
  id,
  source: '//agents.example/pods/e2e',
  type: 'ai.energent.usage.agent_minutes.v1',
  subject: `tenants/${tenantId}`,
  time: new Date(atMs).toISOString(),
  data: { value },
})

async function get<T>(path: string): Promise<T> {
  const answer = await stack.api().call('GET', `/v1/tenants/${tenantId}${path}`, { token })
  expect(answer.status, JSON.stringify(answer.body)).toBe(200)
  return answer.body as T
}

type Usage = { data: { value: string; events: number }[]; exactThrough: string; provisional: boolean }

function usage(): Promise<Usage> {
  const [from, to] = [hourMs, hourMs + HOUR_MS].map((ms) => new Date(ms).toISOString())
  return get<Usage>(`/usage?meter=agent_minutes&from=${from}&to=${to}`)
}

test('usage that came in copies and contradictions is exact once its hour is rolled up', async () => {
  const events = Array.from({ length: 20 }, (_, index) => event(`e${index}`, '1.5', hourMs + index * 1_000))
  for (const batch of [events, events.slice(5, 15), [event('e0', '4', hourMs)]]) {
    expect((await stack.api().call('POST', '/v1/usage', { token, json: batch })).status).toBe(202)
  }
  await eventually('the usage has come', async () => (await usage()).data[0]?.value === '32.5' || undefined)
  expect(await usage()).toMatchObject({ provisional: true })
  await control(stack, 'POST', '/jobs/billing-rollups/run', {})
  await eventually('the hour is rolled up', async () => !(await usage()).provisional || undefined)
  expect((await usage()).data).toMatchObject([{ value: '32.5', events: 20 }])
  const conflicts = await get<{ items: { id: string }[] }>('/usage/conflicts')
  expect(conflicts.items.map(({ id }) => id)).toEqual(['e0'])
}, 60_000)

test('the events behind it are listed page by page', async () => {
  const ids: string[] = []
  for (let next: string | null = ''; next !== null; ) {
    const page: { items: { id: string }[]; nextPageToken: string | null } = await get(
      `/usage/events?pageSize=7${next === '' ? '' : `&pageToken=${next}`}`,
    )
    ids.push(...page.items.map(({ id }) => id))
    next = page.nextPageToken
  }
  expect(ids).toHaveLength(20)
  expect(new Set(ids).size).toBe(20)
}, 60_000)

test('nobody sees the ledger of another tenant', async () => {
  const other = stack.info().tenants[1]
  if (other === undefined) throw new Error('the stack has one tenant alone')
  const foreign = await stack.api().token(other)
  for (const path of ['/usage', '/usage/events', '/usage/conflicts']) {
    const answer = await stack.api().call('GET', `/v1/tenants/${tenantId}${path}`, { token: foreign })
    expect(answer.status).toBe(404)
  }
})

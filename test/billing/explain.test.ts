import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { workUnits } from './support/contracts.ts'
import { aSubscriptionCommand, aTenantFact, aUsageEvent, startWorld, type World } from './support/world.ts'

const folder = mkdtempSync(join(tmpdir(), 'explain-'))
let world: World
beforeEach(async () => {
  world = await startWorld()
  world.clock.set(Date.parse('2026-11-01T00:00:00Z'))
  await world.fact(aTenantFact({}))
  await world.command(aSubscriptionCommand({ id: 'c1' }))
  world.clock.set(Date.parse('2026-11-23T09:30:00Z'))
})
afterEach(async () => {
  await world.close()
  rmSync(folder, { recursive: true, force: true })
})

type Line = { lineId: string; meter: string | null; kind: string; evidence: { root: string; events: number } }
type Explained = {
  formula: { text: string; model: string | null; steps: { step: string; value: unknown }[] }
  rollups: string[]
  merkle: { root: string; matches: boolean } | null
  events: { key: string; hour: string; id: string }[]
  proof?: { levels: { over: string; path: { hash: string }[] }[] }
  nextPageToken: string | null
  line: Line
}

const BILLING = 'acme+billing:manage+invoices:read+usage:read+tenant:read'
const get = async <T>(path: string): Promise<T> =>
  (await world.request({ path: `/v1/tenants/acme/invoices/${path}`, token: 'acme' })).json as T
const runs = (count: number, prefix: string, day = '10', hours = 3) =>
  world.usage(
    Array.from({ length: count }, (_, index) =>
      aUsageEvent({
        id: `${prefix}${index}`,
        meter: 'workflow_runs',
        value: null,
        time: `2026-11-${day}T${String(8 + (index % hours)).padStart(2, '0')}:00:00Z`,
        data: { dimensions: { outcome: index % 3 === 0 ? 'failed' : 'ok' } },
      }),
    ),
  )
const runsLine = (invoice: { lines: Line[] }): Line => {
  const found = invoice.lines.find(({ meter }) => meter === 'workflow_runs')
  if (found === undefined) throw new Error('no line for runs')
  return found
}

/** The verifier that customers get, as they would run it. */
function verify(explained: Explained): string {
  const file = join(mkdtempSync(join(tmpdir(), 'explain-')), 'answer.json')
  writeFileSync(file, JSON.stringify(explained))
  try {
    const script = join(import.meta.dirname, '../../docs/verify-line.mjs')
    return execFileSync(process.execPath, [script, file], { encoding: 'utf8' }).trim()
  } catch (error) {
    return String((error as { stdout?: string }).stdout).trim()
  } finally {
    rmSync(file, { force: true })
  }
}

test('a line of a draft is explained down to its events, each provably in it, rolled up or not', async () => {
  await runs(40, 'a', '10')
  await runs(25, 'b', '12', 5)
  for (const rolledUp of [false, true]) {
    if (rolledUp) await world.rollUp()
    const invoice = await get<{ invoiceId: string; lines: Line[] }>('upcoming')
    const line = runsLine(invoice)
    const path = `${invoice.invoiceId}/lines/${line.lineId}/explain`
    const explained = await get<Explained>(`${path}?pageSize=50`)
    expect(explained).toMatchObject({
      formula: { model: 'graduated' },
      merkle: { root: line.evidence.root, matches: true },
    })
    expect(explained.rollups.length > 0).toBe(rolledUp)
    expect(explained.events).toHaveLength(50)
    const rest = await get<Explained>(`${path}?pageSize=50&pageToken=${explained.nextPageToken}`)
    const all = [...explained.events, ...rest.events]
    expect(new Set(all.map(({ key }) => key)).size).toBe(65)
    expect(rest.nextPageToken).toBeNull()
    for (const event of [all[0], all[37], all[64]]) {
      const proven = await get<Explained>(`${path}?event=${event?.hour}.${event?.key}`)
      expect(verify(proven)).toBe('included: true, rounded once: true')
    }
    const alone = await get<Explained>(`${path}?event=${all[20]?.key}`)
    expect(verify(alone)).toBe('included: true, rounded once: true')
    const forged = JSON.parse(JSON.stringify(alone)) as Explained
    forged.line.evidence.root = '0'.repeat(64)
    expect(verify(forged)).toBe('included: false, rounded once: true')
  }
})

test('a finalized line is explained as it was then, also when usage came late', async () => {
  await runs(40, 'a')
  world.clock.set(Date.parse('2026-12-02T01:00:00Z'))
  await world.rollUp()
  await world.request({ method: 'POST', path: '/internal/close/run', body: {} })
  for (const unit of workUnits(world)) await world.push('billing-work-to-billing', unit)
  const { items } = await get<{ items: { invoiceId: string }[] }>('')
  const invoiceId = items[0]?.invoiceId ?? ''
  const line = runsLine(await get<{ lines: Line[] }>(invoiceId))
  world.clock.set(Date.parse('2026-12-03T01:00:00Z'))
  await runs(10, 'late')
  await world.rollUp()
  const explained = await get<Explained>(`${invoiceId}/lines/${line.lineId}/explain?pageSize=500`)
  expect(explained.merkle).toMatchObject({ root: line.evidence.root, matches: true })
  expect(explained.events).toHaveLength(40)
  const [first] = explained.events
  const proven = await get<Explained>(`${invoiceId}/lines/${line.lineId}/explain?event=${first?.key}`)
  expect(verify(proven)).toBe('included: true, rounded once: true')
})

test('what came late is a line that says what was billed before, and is proven down to its events too', async () => {
  const tokens = (prefix: string, count: number) =>
    world.usage(
      Array.from({ length: count }, (_, at) =>
        aUsageEvent({
          ...{ id: `${prefix}${at}`, meter: 'llm_tokens_out', value: '1000000' },
          time: `2026-11-${String(10 + at)}T08:00:00Z`,
        }),
      ),
    )
  await tokens('a', 4)
  world.clock.set(Date.parse('2026-12-02T01:00:00Z'))
  await world.rollUp()
  await world.request({ method: 'POST', path: '/internal/close/run', body: {} })
  for (const unit of workUnits(world)) await world.push('billing-work-to-billing', unit)
  world.clock.set(Date.parse('2026-12-03T01:00:00Z'))
  await tokens('late', 2)
  await world.rollUp()
  const upcoming = await get<{ invoiceId: string; lines: Line[] }>('upcoming')
  const line = upcoming.lines.find(({ kind }) => kind === 'correction')
  expect(line).toMatchObject({
    meter: 'llm_tokens_out',
    components: [
      { kind: 'now', amount: '90' },
      { kind: 'billed', amount: '-60' },
    ],
    amount: { amount: '30.00' },
    evidence: { events: 6 },
  })
  const path = `${upcoming.invoiceId}/lines/${line?.lineId}/explain`
  const explained = await get<Explained>(`${path}?pageSize=500`)
  expect(explained).toMatchObject({
    formula: {
      model: 'per_unit',
      text: 'Rated anew from 6000000 of llm_tokens_out: 90 now, -60 billed before: 30.00 USD',
    },
    merkle: { root: line?.evidence.root, matches: true },
  })
  expect(explained.events).toHaveLength(6)
  const late = explained.events.find(({ id }) => id === 'late1')
  expect(verify(await get<Explained>(`${path}?event=${late?.key}`))).toBe(
    'included: true, rounded once: true',
  )
})

// A month of New York begins at 05:00 UTC: the fold of that UTC day holds hours of two months.
test('a line of a month that begins within a UTC day holds nothing of the month before', async () => {
  const read = await world.request({ path: '/v1/tenants/acme/subscription', token: BILLING })
  const wanted = { planId: 'example-standard', effective: 'period_end', timeZone: 'America/New_York' }
  const changed = await world.request({
    ...{ method: 'PUT', path: '/v1/tenants/acme/subscription', token: BILLING, body: wanted },
    headers: { 'if-match': String(read.headers['etag']) },
  })
  expect(changed.status).toBe(200)
  world.clock.set(Date.parse('2026-12-28T09:30:00Z'))
  const times = [
    '2026-12-01T02:00:00Z',
    '2026-12-01T04:30:00Z',
    '2026-12-01T05:00:00Z',
    '2026-12-05T08:00:00Z',
  ]
  await world.usage(
    times.map((time, at) => aUsageEvent({ id: `ny${at}`, meter: 'workflow_runs', value: null, time })),
  )
  for (const rolledUp of [false, true]) {
    if (rolledUp) await world.rollUp()
    const invoice = await get<{ invoiceId: string; period: { from: string }; lines: Line[] }>('upcoming')
    const line = runsLine(invoice)
    expect(line.evidence.events).toBe(2)
    const path = `${invoice.invoiceId}/lines/${line.lineId}/explain`
    const explained = await get<Explained>(path)
    expect(explained.merkle).toMatchObject({ root: line.evidence.root, matches: true })
    expect(explained.events).toHaveLength(2)
    for (const { key } of explained.events) {
      expect(verify(await get<Explained>(`${path}?event=${key}`))).toBe('included: true, rounded once: true')
    }
  }
})

// The index of keys is of now, the invoice of then: what was taken back or moved since must still be found.
test('an event that was voided or moved after the close is still proven by its bare key', async () => {
  await runs(30, 'a')
  world.clock.set(Date.parse('2026-12-02T01:00:00Z'))
  await world.rollUp()
  await world.request({ method: 'POST', path: '/internal/close/run', body: {} })
  for (const unit of workUnits(world)) await world.push('billing-work-to-billing', unit)
  const { items } = await get<{ items: { invoiceId: string }[] }>('')
  const invoiceId = items[0]?.invoiceId ?? ''
  const line = runsLine(await get<{ lines: Line[] }>(invoiceId))
  world.clock.set(Date.parse('2026-12-03T01:00:00Z'))
  const source = '//agents.example/pods/agent-7'
  const correct = (kind: string, data: Record<string, unknown>) => ({
    ...aUsageEvent({ id: `${kind}1`, time: '2026-12-03T00:00:00Z' }),
    type: `ai.energent.usage.${kind}.v1`,
    data,
  })
  await world.usage([
    correct('void', { voids: { source, id: 'a1' } }),
    correct('replace', { replaces: { source, id: 'a2' }, time: '2026-11-20T08:00:00Z' }),
  ])
  await world.rollUp()
  await world.rollUp()
  const path = `${invoiceId}/lines/${line.lineId}/explain`
  const explained = await get<Explained>(`${path}?pageSize=500`)
  expect(explained.merkle).toMatchObject({ root: line.evidence.root, matches: true })
  for (const id of ['a1', 'a2', 'a3']) {
    const { key } = explained.events.find((event) => event.id === id) ?? {}
    const proven = await get<Explained>(`${path}?event=${key}`)
    expect(proven.events).toMatchObject([{ id }])
    expect(verify(proven)).toBe('included: true, rounded once: true')
  }
})

test('a fee is explained by its share, and has no events to prove', async () => {
  const invoice = await get<{ invoiceId: string; lines: Line[] }>('upcoming')
  const fee = invoice.lines.find(({ kind }) => kind === 'fee')
  const path = `${invoice.invoiceId}/lines/${fee?.lineId}/explain`
  expect(await get<Explained>(path)).toMatchObject({
    merkle: null,
    events: [],
    formula: { text: expect.stringContaining('Base fee') },
  })
  expect(
    (
      await world.request({
        path: `/v1/tenants/acme/invoices/${path}?event=${'0'.repeat(64)}`,
        token: 'acme',
      })
    ).status,
  ).toBe(404)
  expect(
    (await world.request({ path: `/v1/tenants/acme/invoices/${path}?event=x`, token: 'acme' })).status,
  ).toBe(400)
  expect((await world.request({ path: `/v1/tenants/acme/invoices/${path}`, token: 'rival' })).status).toBe(
    404,
  )
})

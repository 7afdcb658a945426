import { afterEach, beforeEach, expect, test } from 'vitest'
import { workUnits } from './support/contracts.ts'
import { aSubscriptionCommand, aTenantFact, aUsageEvent, startWorld, type World } from './support/world.ts'

const OPERATOR = 'platform+platform:billing+platform:read'
let world: World
beforeEach(async () => {
  world = await startWorld()
  world.clock.set(Date.parse('2026-11-01T00:00:00Z'))
  await world.fact(aTenantFact({}))
  await world.command(aSubscriptionCommand({ id: 'c1' }))
})
afterEach(() => world.close())

const aMeter = (filters: unknown, validFrom = '2026-11-20T00:00:00Z') => ({
  ...{ meterId: 'workflow_runs', aggregation: 'count', field: null, scale: 0, unit: 'run', filters },
  ...{ dimensions: ['outcome', 'workflow_class'], carryOver: false, stalenessSeconds: null, validFrom },
})
const define = (meter: unknown) =>
  world.request({ method: 'POST', path: '/v1/meters', token: OPERATOR, body: meter })
const get = async (path: string) =>
  (await world.request({ path: `/v1/tenants/acme/${path}`, token: 'acme' })).json
const run = (id: string, day: string, dimensions: Record<string, string>) =>
  aUsageEvent({
    ...{ id, meter: 'workflow_runs', value: null, time: `2026-11-${day}T08:00:00Z` },
    data: { dimensions },
  })

test('a version with filters counts what passes them, from its instant on, alike in usage, list, invoice and proof', async () => {
  expect(await define(aMeter({ outcome: ['ok', 'cached'], workflow_class: ['a', ''] }))).toMatchObject({
    status: 201,
    json: { version: 2, filters: { outcome: ['ok', 'cached'] } },
  })
  world.clock.set(Date.parse('2026-11-23T09:30:00Z'))
  await world.usage([
    run('before', '10', { outcome: 'failed' }),
    run('passes', '21', { outcome: 'ok', workflow_class: 'a' }),
    run('passes-too', '21', { outcome: 'cached' }),
    run('other-outcome', '21', { outcome: 'failed' }),
    run('other-class', '21', { outcome: 'ok', workflow_class: 'b' }),
    run('says-nothing', '21', {}),
  ])
  for (const rolledUp of [false, true]) {
    if (rolledUp) await world.rollUp()
    const usage = await get('usage?meter=workflow_runs&from=2026-11-01T00:00:00Z&to=2026-11-22T00:00:00Z')
    const values = (usage['data'] as { value: string; events: number }[]).map(({ value }) => Number(value))
    expect(values.reduce((sum, value) => sum + value, 0)).toBe(3)
    const listed = await get('usage/events?from=2026-11-01T00:00:00Z&to=2026-11-22T00:00:00Z')
    expect(
      (listed['items'] as { id: string; status: string }[])
        .filter(({ status }) => status === 'counted')
        .map(({ id }) => id)
        .sort(),
    ).toEqual(['before', 'passes', 'passes-too'])
    const invoice = await get('invoices/upcoming')
    type Line = {
      lineId: string
      meter: string
      quantity: string
      evidence: { events: number; root: string }
    }
    const line = (invoice['lines'] as Line[]).find(({ meter }) => meter === 'workflow_runs')
    expect(line).toMatchObject({ quantity: '3', evidence: { events: 3 } })
    const path = `invoices/${String(invoice['invoiceId'])}/lines/${line?.lineId}/explain`
    const explained = await get(path)
    expect(explained['merkle']).toMatchObject({ root: line?.evidence.root, matches: true })
    const events = explained['events'] as { id: string; key: string }[]
    expect(events.map(({ id }) => id).sort()).toEqual(['before', 'passes', 'passes-too'])
    expect((await get(`${path}?event=${events[1]?.key}`))['proof']).toBeDefined()
  }
})

test('an instance that has just started explains a finalized line by the versions that measured it', async () => {
  expect((await define(aMeter({ outcome: ['ok'] }))).status).toBe(201)
  world.clock.set(Date.parse('2026-12-02T01:00:00Z'))
  await world.usage([run('passes', '21', { outcome: 'ok' }), run('fails', '21', { outcome: 'failed' })])
  await world.rollUp()
  await world.request({ method: 'POST', path: '/internal/close/run', body: {} })
  for (const unit of workUnits(world)) await world.push('billing-work-to-billing', unit)
  const second = await startWorld({ sharing: world })
  try {
    const ask = async (path: string) =>
      (await second.request({ path: `/v1/tenants/acme/invoices${path}`, token: 'acme' })).json
    const [closed] = (await ask(''))['items'] as { invoiceId: string }[]
    const invoice = await ask(`/${closed?.invoiceId}`)
    const lines = invoice['lines'] as { lineId: string; meter: string; evidence: { root: string } }[]
    const line = lines.find(({ meter }) => meter === 'workflow_runs')
    const explained = await ask(`/${closed?.invoiceId}/lines/${line?.lineId}/explain`)
    expect(explained['merkle']).toMatchObject({ root: line?.evidence.root, matches: true })
    expect(explained['events']).toMatchObject([{ id: 'passes' }])
  } finally {
    await second.close()
  }
})

test.each([
  [{ region: ['eu'] }, 'filters: events have no region'],
  [{ outcome: [] }, 'filters'],
  [{ outcome: 'ok' }, 'filters'],
])('filters that no event can pass or that are none are refused: %j', async (filters, hint) => {
  const refused = await define(aMeter(filters))
  expect([400, 422]).toContain(refused.status)
  expect(JSON.stringify(refused.json)).toContain(hint)
})

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { digestOf } from '#shared/json.ts'
import { NOT_DIGESTED } from '../../functions/billing/domain/invoice/stored-invoice.ts'
import { workUnits } from './support/contracts.ts'
import {
  type Answer,
  aSubscriptionCommand,
  aTenantFact,
  aUsageEvent,
  startWorld,
  type World,
} from './support/world.ts'

let world: World
beforeEach(async () => {
  world = await startWorld()
  world.clock.set(Date.parse('2026-11-01T00:00:00Z'))
  await world.fact(aTenantFact({}))
  await world.command(aSubscriptionCommand({ id: 'c1' }))
  world.clock.set(Date.parse('2026-11-12T00:00:00Z'))
})
afterEach(() => world.close())

type Json = Record<string, unknown>
type Amount = { minor: number }
type Invoice = Json & {
  invoiceId: string
  digest: string
  total: Amount
  subtotal: Amount
  lines: Line[]
  status: string
}
type Line = Json & {
  kind: string
  meter: string | null
  lineId: string
  amount: Amount
  corrects: Json | null
}

const FINANCE = 'platform+platform:read+platform:billing'
const get = async <T = Invoice>(path: string, token = 'acme'): Promise<T> =>
  (await world.request({ path: `/v1/tenants/acme${path}`, token })).json as T
const order = (id: string, verb: string, rev = 1, headers = {}): Promise<Answer> =>
  world.request({
    method: 'POST',
    path: `/v1/tenants/acme/invoices/${id}/${verb}`,
    token: FINANCE,
    body: { rev, reason: 'test' },
    headers,
  })
const list = async (): Promise<Invoice[]> => (await get<{ items: Invoice[] }>('/invoices')).items
const runs = (day: string, ids: readonly string[]) =>
  world.usage(
    ids.map((id) => aUsageEvent({ id, meter: 'workflow_runs', value: null, time: `2026-${day}T12:00:00Z` })),
  )
const many = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`)

async function closeAt(time: string): Promise<void> {
  world.clock.set(Date.parse(time))
  await world.rollUp()
  expect((await world.request({ method: 'POST', path: '/internal/close/run', body: {} })).status).toBe(200)
  for (const unit of workUnits(world)) expect(await world.push('billing-work-to-billing', unit)).toBe(204)
}

const facts = (kind: string): string[] =>
  world.published
    .map(
      ({ data }) =>
        JSON.parse(Buffer.from(data).toString()) as { type?: string; data: { invoiceId: string } },
    )
    .filter(({ type }) => type === `ai.energent.billing.invoice-${kind}.v1`)
    .map(({ data }) => data.invoiceId)

describe('a period that is over', () => {
  test('is a draft within its grace, and then finalized as it was previewed, byte for byte', async () => {
    await runs('11-10', many('a', 520))
    await closeAt('2026-12-01T01:00:00Z')
    const [draft] = await list()
    expect(draft).toMatchObject({ status: 'draft', revision: 1 })
    const preview = await get('/invoices/upcoming?at=2026-11-15T00:00:00Z')
    await closeAt('2026-12-02T00:30:00Z')
    const [summary] = await list()
    const invoice = await get(`/invoices/${summary?.invoiceId}`)
    expect(invoice).toMatchObject({
      status: 'open',
      digest: preview.digest,
      lines: preview.lines,
      finalizedAt: '2026-12-02T00:30:00Z',
    })
    expect(facts('finalized')).toEqual([invoice.invoiceId])
    const digested = Object.fromEntries(
      Object.entries(invoice).filter(([name]) => !(NOT_DIGESTED as readonly string[]).includes(name)),
    )
    expect(digestOf(digested)).toBe(invoice.digest)
  })

  test('is finalized once, however often and at whatever time it is asked for', async () => {
    await closeAt('2026-12-02T01:00:00Z')
    const before = await list()
    await closeAt('2026-12-02T02:00:00Z')
    expect(await list()).toEqual(before)
    expect(facts('finalized')).toHaveLength(1)
    const [only] = before
    expect((await order(only?.invoiceId ?? '', 'finalize')).json).toMatchObject({ code: 'invoice.state' })
  })

  test('waits while usage of it is not rolled up', async () => {
    await runs('11-10', ['a'])
    world.clock.set(Date.parse('2026-12-03T00:00:00Z'))
    await world.request({ method: 'POST', path: '/internal/close/run', body: {} })
    for (const unit of workUnits(world)) await world.push('billing-work-to-billing', unit)
    expect(await list()).toEqual([])
    await closeAt('2026-12-03T01:00:00Z')
    expect(await list()).toMatchObject([{ status: 'open' }])
  })

  test('that nobody pays in time is past due', async () => {
    await closeAt('2026-12-02T01:00:00Z')
    await closeAt('2026-12-16T02:00:00Z')
    expect(await list()).toMatchObject([{ status: 'past_due' }])
    expect(facts('past-due')).toHaveLength(1)
  })

  test('can be finalized by an operator before its grace ends, and by nobody else', async () => {
    world.clock.set(Date.parse('2026-11-20T00:00:00Z'))
    const { invoiceId } = await get('/invoices/upcoming')
    expect((await order(invoiceId, 'finalize')).json).toMatchObject({ code: 'invoice.state' })
    world.clock.set(Date.parse('2026-12-01T01:00:00Z'))
    const own = await world.request({
      method: 'POST',
      path: `/v1/tenants/acme/invoices/${invoiceId}/finalize`,
      token: 'acme+invoices:read+billing:manage',
      body: { rev: 1, reason: 'mine' },
    })
    expect(own.status).toBe(403)
    expect((await order(invoiceId, 'finalize', 2)).json).toMatchObject({ code: 'invoice.revision_conflict' })
    const key = { 'idempotency-key': 'once' }
    const first = await order(invoiceId, 'finalize', 1, key)
    expect(first).toMatchObject({ status: 200, json: { status: 'open' } })
    expect((await order(invoiceId, 'finalize', 1, key)).json).toEqual(first.json)
  })
})

describe('usage that comes after its invoice', () => {
  test('is corrected by the next one, so that both are what one perfect invoice would have been', async () => {
    await runs('11-10', many('a', 500))
    await closeAt('2026-12-02T01:00:00Z')
    await runs('11-11', many('late', 30))
    await closeAt('2027-01-02T01:00:00Z')
    const [december, november] = await list()
    const { lines } = await get(`/invoices/${december?.invoiceId}`)
    const original = (await get(`/invoices/${november?.invoiceId}`)).lines.find(
      ({ meter }) => meter === 'workflow_runs',
    )
    expect(lines.filter(({ kind }) => kind === 'correction')).toMatchObject([
      {
        meter: 'workflow_runs',
        amount: { minor: 150 },
        servicePeriod: { from: '2026-11-01T00:00:00Z', to: '2026-12-01T00:00:00Z' },
        corrects: { invoiceId: november?.invoiceId, lineId: original?.lineId },
      },
    ])
    await closeAt('2027-02-02T01:00:00Z')
    const [january] = await list()
    const after = await get(`/invoices/${january?.invoiceId}`)
    expect(after.lines.filter(({ kind }) => kind === 'correction')).toEqual([])
  })

  test('in the preview of the next one is what its invoice says', async () => {
    await closeAt('2026-12-02T01:00:00Z')
    await runs('11-11', many('late', 510))
    world.clock.set(Date.parse('2027-01-01T01:00:00Z'))
    await world.rollUp()
    const preview = await get('/invoices/upcoming?at=2026-12-15T00:00:00Z')
    await closeAt('2027-01-02T01:00:00Z')
    expect((await list())[0]?.digest).toBe(preview.digest)
  })
})

describe('an invoice that was wrong', () => {
  test('is void while it is unpaid, and billed again as the next revision', async () => {
    await closeAt('2026-12-02T01:00:00Z')
    const [first] = await list()
    const id = first?.invoiceId ?? ''
    expect((await order(id, 'void')).json).toMatchObject({ status: 'void', reason: 'test' })
    expect((await order(id, 'void')).json).toMatchObject({ code: 'invoice.state' })
    await closeAt('2026-12-03T01:00:00Z')
    expect(await list()).toHaveLength(1)
    const again = await order(id, 'rebill')
    expect(again).toMatchObject({
      status: 200,
      json: { invoiceId: `${id}_r2`, revision: 2, status: 'open', replaces: id },
    })
    expect(await list()).toMatchObject([
      { revision: 2 },
      { revision: 1, status: 'void', replacedBy: `${id}_r2` },
    ])
    expect((await order(id, 'rebill')).json).toMatchObject({ code: 'invoice.state' })
  })

  test('of a paid one is credited in full against the new one, and its credit burns there', async () => {
    await world.request({
      method: 'POST',
      path: '/v1/tenants/acme/grants',
      token: FINANCE,
      body: { amount: '250', currency: 'USD', reason: 'test', scope: { fees: true } },
    })
    await runs('11-10', many('a', 500))
    await closeAt('2026-12-02T01:00:00Z')
    const [paid] = await list()
    expect(paid).toMatchObject({ status: 'paid', total: { minor: 0 } })
    await runs('11-11', many('late', 100))
    world.clock.set(Date.parse('2026-12-03T00:00:00Z'))
    await world.rollUp()
    const again = await order(paid?.invoiceId ?? '', 'rebill')
    expect(again.json).toMatchObject({
      status: 'paid',
      subtotal: { minor: 20_400 },
      creditNote: { invoiceId: paid?.invoiceId, total: { minor: 0 } },
    })
    const [grant] = world.documents('tenants/acme/billing_grants')
    expect(grant?.data['burns']).toMatchObject([
      { invoiceId: `${paid?.invoiceId}_r2` },
      { invoiceId: `${paid?.invoiceId}_r2` },
    ])
    // The late usage is on the new one: nothing is left to correct.
    await closeAt('2027-01-02T01:00:00Z')
    const [december] = await list()
    const { lines } = await get(`/invoices/${december?.invoiceId}`)
    expect(lines.filter(({ kind }) => kind === 'correction')).toEqual([])
  })
})

test('a foreign tenant sees no invoice, and what is no id is not there', async () => {
  await closeAt('2026-12-02T01:00:00Z')
  const [invoice] = await list()
  const seen = (token: string, id: string) =>
    world.request({ path: `/v1/tenants/acme/invoices/${id}`, token })
  expect((await seen('rival', invoice?.invoiceId ?? '')).status).toBe(404)
  expect((await seen('acme', 'inv_none')).status).toBe(404)
  expect((await seen('acme', `inv_${'0'.repeat(32)}`)).status).toBe(404)
  expect((await seen('platform+platform:read', invoice?.invoiceId ?? '')).status).toBe(200)
})

test('the revenue report adds up what was billed and what was taken back', async () => {
  await closeAt('2026-12-02T01:00:00Z')
  const [invoice] = await list()
  world.clock.set(Date.parse('2026-12-02T01:01:00Z'))
  const report = async (query = '') =>
    (await world.request({ path: `/v1/reports/revenue?from=2026-12-01T00:00:00Z${query}`, token: FINANCE }))
      .json
  expect(await report('&groupBy=tier')).toMatchObject({
    data: [
      {
        ...{
          tier: 'standard',
          currency: 'USD',
          billed: { minor: 19_900 },
          ...{ fees: { minor: 19_900 }, mrr: { minor: 19_900 } },
          invoices: 1,
        },
        // December's fee, which is due with its invoice.
        accrued: { minor: 19_900 },
      },
    ],
    accruedSince: '2026-12-02T01:00:00Z',
    reconciled: false,
  })
  expect(await report('&groupBy=meter')).toMatchObject({
    data: expect.arrayContaining([
      expect.objectContaining({
        meter: 'fees',
        accrued: { amount: '199.00', minor: 19_900, currency: 'USD' },
      }),
    ]),
  })
  await order(invoice?.invoiceId ?? '', 'void')
  world.clock.set(Date.parse('2026-12-02T01:02:00Z'))
  expect(await report()).toMatchObject({ data: [{ currency: 'USD', billed: { minor: 0 } }] })
  expect((await world.request({ path: '/v1/reports/revenue', token: 'acme' })).status).toBe(403)
})

/** What a close leaves behind, but for what names an attempt or a grant by chance. */
function invoicing(): string {
  const of = (prefix: string) => world.documents(prefix).map(({ data }) => data)
  return JSON.stringify([
    of('tenants/acme/billing_invoices').map(({ status, amountDueMinor, position, invoiceId }) => [
      ...[invoiceId, status, amountDueMinor, position],
    ]),
    of('tenants/acme/billing_grants').map(({ burns }) => burns),
    of('jobs/revenue_').map(({ amounts, rowId }) => [rowId, amounts]),
    of('billing_outbox')
      .map(({ body }) => (JSON.parse(String(body)) as { id: string }).id)
      .filter((id) => id.startsWith('invoice-'))
      .sort(),
  ])
}

// A process can die before or after any commit; the unit then comes again, perhaps beside itself.
test.each(['error', 'lostAnswer'] as const)(
  'whichever commit of a close ends in %s, redelivery ends in the same invoices, credit and facts',
  async (mode) => {
    const states: string[] = []
    for (let failing = 0, reached = true; reached; failing += 1) {
      if (failing > 0) {
        await world.close()
        world = await startWorld()
        world.clock.set(Date.parse('2026-11-01T00:00:00Z'))
        await world.fact(aTenantFact({}))
        await world.command(aSubscriptionCommand({ id: 'c1' }))
      }
      const body = { amount: '20', currency: 'USD', reason: 'test', scope: { fees: true } }
      const headers = { 'idempotency-key': 'grant' }
      world.clock.set(Date.parse('2026-11-12T00:00:00Z'))
      await world.request({ method: 'POST', path: '/v1/tenants/acme/grants', token: FINANCE, body, headers })
      world.clock.set(Date.parse('2026-12-02T01:00:00Z'))
      await world.rollUp()
      await world.request({ method: 'POST', path: '/internal/close/run', body: {} })
      const [unit] = workUnits(world)
      let commits = 0
      world.engine.setFault((rpc) => {
        if (rpc !== 'Commit') return undefined
        commits += 1
        return commits === failing ? { mode, code: 3 } : undefined
      })
      let status = 0
      for (let attempt = 0; status !== 204 && attempt < 5; attempt += 1) {
        const both = [
          world.push('billing-work-to-billing', unit),
          world.push('billing-work-to-billing', unit),
        ]
        status = Math.max(...(await Promise.all(both)))
      }
      expect(status).toBe(204)
      world.engine.setFault(undefined)
      reached = failing === 0 || commits >= failing
      states.push(invoicing())
    }
    expect(states.length).toBeGreaterThan(1)
    expect(states[0]).toContain('"open"')
    expect(new Set(states).size).toBe(1)
  },
)

import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { csvLine } from '../../functions/billing/domain/export/csv.ts'
import { workUnits } from './support/contracts.ts'
import { aSubscriptionCommand, aTenantFact, aUsageEvent, startWorld, type World } from './support/world.ts'

const TENANT = '/v1/tenants/acme'

describe('an export', () => {
  let world: World
  let written: Map<string, Buffer>
  let failing: number
  beforeEach(async () => {
    world = await startWorld()
    written = new Map()
    failing = 0
    const objects = {
      bucket: 'exports',
      put: async (name: string, bytes: Uint8Array) => {
        if (failing > 0) {
          failing -= 1
          throw new Error('storage is down')
        }
        written.set(name, Buffer.from(bytes))
      },
    }
    Object.assign(world.deps, { objects })
    world.clock.set(Date.parse('2026-11-01T00:00:00Z'))
    await world.fact(aTenantFact({}))
    await world.command(aSubscriptionCommand({ id: 'c1' }))
    world.clock.set(Date.parse('2026-11-23T09:30:00Z'))
    await world.usage(
      ['03', '11', '20'].map((day) =>
        aUsageEvent({
          id: `t${day}`,
          meter: 'llm_tokens_in',
          value: '1000',
          time: `2026-11-${day}T10:00:00Z`,
          data: { dimensions: { model: '=HYPERLINK("x")', provider: 'p' } },
        }),
      ),
    )
  })
  afterEach(() => world.close())

  type Job = {
    exportId: string
    status: string
    rows: number
    totals: Record<string, string>
    manifest: string
    parts: { object: string; sha256: string; rows: number }[]
  }
  const ask = (body: object, headers: Record<string, string> = {}) =>
    world.request({ method: 'POST', path: '/v1/tenants/acme/exports', token: 'acme', body, headers })
  const jobOf = async (id: string): Promise<Job> =>
    (await world.request({ path: `/v1/tenants/acme/exports/${id}`, token: 'acme' })).json as Job
  const RANGE = { from: '2026-11-01T00:00:00Z', to: '2026-11-23T00:00:00Z' }

  /** Delivers units until there are none; one that failed comes again. */
  async function work(): Promise<void> {
    for (let units = workUnits(world); units.length > 0; units = workUnits(world)) {
      for (const unit of units) {
        while ((await world.push('billing-work-to-billing', unit)) !== 204);
      }
    }
  }

  test('of usage is written in parts with a manifest that adds up, also when storage fails in between', async () => {
    const asked = await ask({ kind: 'usage', ...RANGE })
    expect(asked).toMatchObject({ status: 202, json: { status: 'pending' } })
    failing = 2
    await work()
    const job = await jobOf(String(asked.json['exportId']))
    expect(job).toMatchObject({
      status: 'done',
      rows: 3,
      totals: { 'llm_tokens_in.events': '3', 'llm_tokens_in.quantity': '3000' },
    })
    for (const part of job.parts) {
      const bytes = written.get(part.object) ?? Buffer.of()
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(part.sha256)
    }
    expect(JSON.parse(written.get(job.manifest)?.toString() ?? '')).toMatchObject({
      rows: 3,
      parts: job.parts,
    })
    const rows = job.parts.flatMap(({ object }) =>
      (written.get(object)?.toString() ?? '').split('\n').filter(Boolean),
    )
    expect(rows.map((row) => JSON.parse(row))).toMatchObject([
      { meter: 'llm_tokens_in', quantity: '1000', from: '2026-11-03T10:00:00Z' },
      { from: '2026-11-11T10:00:00Z' },
      { from: '2026-11-20T10:00:00Z' },
    ])
  })

  test('of invoices has a row for each line, and totals by currency', async () => {
    world.clock.set(Date.parse('2026-12-02T01:00:00Z'))
    await world.rollUp()
    await world.request({ method: 'POST', path: '/internal/close/run', body: {} })
    await work()
    const asked = await ask({ kind: 'invoices', format: 'csv', from: RANGE.from, to: '2026-12-02T00:00:00Z' })
    await work()
    const job = await jobOf(String(asked.json['exportId']))
    expect(job).toMatchObject({ status: 'done', totals: { invoices: '1', 'USD.minor': '19900' } })
    const [header, ...rows] = (written.get(job.parts[0]?.object ?? '')?.toString() ?? '').split('\r\n')
    expect(header).toMatch(/^invoiceId,revision,status,/)
    expect(rows.filter(Boolean)).toHaveLength(job.rows)
  })

  // After a rebill both the invoice that was taken back and the one in its place are in the export.
  test.each([
    ['voided', '0'],
    ['paid and credited', '500'],
  ])('adds up only the invoices that stand (%s), and its rows add up to it', async (_name, credit) => {
    const finance = 'platform+platform:billing'
    const asFinance = (path: string, body: object) =>
      world.request({ method: 'POST', path, token: finance, body })
    const sheet = { fees: [], prices: [] }
    const plan = {
      planId: 'free',
      name: 'Free',
      tier: 'standard',
      currency: 'USD',
      currencies: { USD: sheet },
    }
    expect((await asFinance('/v1/plans', plan)).status).toBe(201)
    const body = { planId: 'free', effective: 'now' }
    const path = `${TENANT}/subscription`
    expect((await world.request({ method: 'PUT', path, token: finance, body })).status).toBe(200)
    if (credit !== '0') {
      const scope = { fees: true }
      await asFinance(`${TENANT}/grants`, { amount: credit, currency: 'USD', reason: 'test', scope })
    }
    world.clock.set(Date.parse('2026-12-02T01:00:00Z'))
    await world.rollUp()
    await world.request({ method: 'POST', path: '/internal/close/run', body: {} })
    await work()
    const listed = await world.request({ path: '/v1/tenants/acme/invoices', token: 'acme' })
    const [{ invoiceId }] = listed.json['items'] as [{ invoiceId: string }]
    const order = { rev: 1, reason: 'test' }
    if (credit === '0')
      expect((await asFinance(`${TENANT}/invoices/${invoiceId}/void`, order)).status).toBe(200)
    expect((await asFinance(`${TENANT}/invoices/${invoiceId}/rebill`, order)).status).toBe(200)
    const asked = await ask({ kind: 'invoices', from: RANGE.from, to: '2026-12-02T00:00:00Z' })
    await work()
    const job = await jobOf(String(asked.json['exportId']))
    expect(job.totals).toMatchObject({ invoices: '1', 'invoices.taken_back': '1' })
    type Line = { invoiceId: string; minor: number; stands: string }
    const rows = job.parts
      .flatMap(({ object }) => (written.get(object)?.toString() ?? '').split('\n').filter(Boolean))
      .map((row) => JSON.parse(row) as Line)
    const standing = rows.filter(({ stands }) => stands === 'yes')
    expect(new Set(standing.map((row) => row.invoiceId))).toEqual(new Set([`${invoiceId}_r2`]))
    expect(standing.length).toBeLessThan(rows.length)
    // The rest of the old plan's fee is given back.
    expect(standing.some(({ minor }) => minor < 0)).toBe(true)
    const { json } = await world.request({ path: `/v1/tenants/acme/invoices/${invoiceId}_r2`, token: 'acme' })
    expect(job.totals['USD.minor']).toBe(String((json['subtotal'] as { minor: number }).minor))
    expect(String(standing.reduce((sum, { minor }) => sum + minor, 0))).toBe(job.totals['USD.minor'])
  })

  test('asked for twice with one key is one job; without a bucket, or of a wrong range, it is refused', async () => {
    const headers = { 'idempotency-key': 'k' }
    const first = await ask({ kind: 'usage', ...RANGE }, headers)
    expect((await ask({ kind: 'usage', ...RANGE }, headers)).json['exportId']).toBe(first.json['exportId'])
    expect((await ask({ kind: 'usage', from: RANGE.to, to: RANGE.from })).status).toBe(422)
    expect((await ask({ kind: 'all', ...RANGE })).status).toBe(400)
    const foreign = await world.request({
      path: `/v1/tenants/acme/exports/${first.json['exportId']}`,
      token: 'rival',
    })
    expect(foreign.status).toBe(404)
    Object.assign(world.deps, { objects: undefined })
    expect((await ask({ kind: 'usage', ...RANGE })).json).toMatchObject({ code: 'export.invalid' })
  })
})

test.each([
  ['=1+1', "'=1+1"],
  ['+1', "'+1"],
  ['-2+3', "'-2+3"],
  ['@SUM(A1)', "'@SUM(A1)"],
  ['\tx', "'\tx"],
  ['=HYPERLINK("x","y")', `"'=HYPERLINK(""x"",""y"")"`],
  [-5, '-5'],
  ['plain, "quoted"', '"plain, ""quoted"""'],
  ['two\nlines', '"two\nlines"'],
])('the cell %j cannot be a formula', (cell, written) => {
  expect(csvLine([cell])).toBe(`${written}\r\n`)
})

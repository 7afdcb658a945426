import { createHash } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { workUnits } from './support/contracts.ts'
import { aSubscriptionCommand, aTenantFact, aUsageEvent, startWorld, type World } from './support/world.ts'

const OPERATOR = 'platform+platform:billing+platform:read'
const TENANT = 'acme+billing:manage+invoices:read+usage:read+tenant:read'
let world: World
beforeEach(async () => {
  world = await startWorld()
  world.clock.set(Date.parse('2026-10-15T00:00:00Z'))
  await world.fact(aTenantFact({}))
  await world.command(aSubscriptionCommand({ id: 'c1' }))
})
afterEach(() => world.close())

type Line = {
  lineId: string
  kind: string
  meter: string | null
  parent: unknown
  evidence: { root: string | null; events: number }
}
type Invoice = { invoiceId: string; status?: string; lines: Line[] }
type Explained = {
  merkle: { root: string; matches: boolean } | null
  events: { key: string; hour: string }[]
  proof?: {
    event: { source: string; id: string }
    root: string
    levels: { path: { side: string; hash: string }[] }[]
  }
  nextPageToken: string | null
}

const get = async <T>(path: string): Promise<T> =>
  (await world.request({ path: `/v1/tenants/acme/${path}`, token: TENANT })).json as T

/** As `docs/verify-line.mjs` does. */
function rootOf({ proof }: Explained): string {
  const sha = (...parts: Buffer[]) => createHash('sha256').update(Buffer.concat(parts)).digest()
  let hash = sha(Buffer.from(`${proof?.event.source}\0${proof?.event.id}`))
  for (const { path } of proof?.levels ?? []) {
    hash = sha(Buffer.of(0), hash)
    for (const { side, hash: beside } of path) {
      const other = Buffer.from(beside, 'hex')
      hash = side === 'left' ? sha(Buffer.of(1), other, hash) : sha(Buffer.of(1), hash, other)
    }
  }
  return hash.toString('hex')
}

/** Proves one event of every line of an invoice that has some; returns how many lines that were. */
async function prove(invoice: Invoice): Promise<number> {
  const lines = invoice.lines.filter(({ kind, evidence }) => kind === 'usage' && evidence.events > 0)
  for (const line of lines) {
    const path = `invoices/${invoice.invoiceId}/lines/${line.lineId}/explain`
    const explained = await get<Explained>(`${path}?pageSize=500`)
    const name = JSON.stringify(line)
    expect(explained.merkle, name).toMatchObject({ root: line.evidence.root, matches: true })
    expect(explained.events.length, name).toBe(line.evidence.events)
    const last = explained.events.at(-1)
    expect(rootOf(await get<Explained>(`${path}?event=${last?.key}`)), name).toBe(line.evidence.root)
  }
  return lines.length
}

const PRICES = [
  { priceId: 'a-class', meter: 'agent_minutes', filters: { workflow_class: ['a'] } },
  { priceId: 'other-class', meter: 'agent_minutes' },
  { priceId: 'tokens', meter: 'llm_tokens_in', groupBy: ['model'] },
  { priceId: 'storage', meter: 'storage_gib_hours' },
  { priceId: 'users', meter: 'active_users' },
  { priceId: 'peak', meter: 'concurrent_workflows_peak' },
].map((price) => ({ unit: 'x', model: 'per_unit', parameters: { unit_amount: '0.07' }, ...price }))
const aPlan = (planId: string, prices: unknown) => ({
  ...{ planId, name: planId, tier: 'standard', currency: 'USD' },
  currencies: { USD: { fees: [], prices } },
})

const INSTANTS = [
  ...['2026-11-01T03:59:59.999Z', '2026-11-01T04:00:00Z', '2026-11-01T05:00:00Z', '2026-11-01T23:30:00Z'],
  ...['2026-11-10T11:29:59.999Z', '2026-11-10T11:30:00Z', '2026-11-10T11:45:00Z', '2026-11-10T20:00:00Z'],
  ...['2026-11-20T00:00:00Z', '2026-11-20T00:30:00Z', '2026-11-30T23:00:00Z', '2026-12-01T04:59:59.999Z'],
  ...['2026-12-01T05:00:00Z', '2026-12-01T06:00:00Z'],
]
function usageAt(time: string, at: number, name: string) {
  const id = `${name}${at}`
  return [
    aUsageEvent({
      id: `${id}m`,
      time,
      value: '61',
      data: { dimensions: { workflow_class: at % 2 === 0 ? 'a' : 'b' } },
    }),
    aUsageEvent({
      ...{ id: `${id}t`, meter: 'llm_tokens_in', time, value: '7' },
      data: { dimensions: { model: `m${at % 3}`, provider: `p${at % 2}` } },
    }),
    aUsageEvent({
      id: `${id}s`,
      meter: 'storage_gib_hours',
      time,
      value: '3',
      data: { resource: `v${at % 2}` },
    }),
    aUsageEvent({ id: `${id}u`, meter: 'active_users', time, value: null, data: { resource: `u${at % 4}` } }),
    aUsageEvent({ id: `${id}p`, meter: 'concurrent_workflows_peak', time, value: String(at) }),
  ]
}

// Some hundred explanations: `npm run test:long` plays them.
const isLong = process.env['LONG'] !== undefined

// Month ends within a UTC day, a plan that changes within an hour, prices that share a meter, a meter's new
// version, levels that hold on, late usage and voids: each cuts the ledger another way.
test.runIf(isLong)(
  'every line of an odd month is proven from what was invoiced, before and after it is rolled up, closed and corrected',
  async () => {
    const call = (method: string, path: string, body: unknown, token = OPERATOR) =>
      world.request({ method, path, token, body })
    expect(await call('POST', '/v1/plans', aPlan('odd', PRICES))).toMatchObject({ status: 201 })
    expect(await call('POST', '/v1/plans', aPlan('plain', PRICES.slice(1, 3)))).toMatchObject({ status: 201 })
    const subscribe = async (planId: string, more: object) => {
      const path = '/v1/tenants/acme/subscription'
      const changed = await call('PUT', path, { planId, ...more }, TENANT)
      expect(changed.json).toMatchObject({ rev: expect.any(Number) })
    }
    await subscribe('odd', { effective: 'period_end', timeZone: 'America/New_York' })
    const version = {
      ...{ meterId: 'llm_tokens_in', aggregation: 'sum', field: 'value', scale: 0, unit: 'token' },
      ...{ dimensions: ['model', 'provider'], filters: { provider: ['p0'] }, carryOver: false },
      ...{ stalenessSeconds: null, validFrom: '2026-11-20T00:15:00Z' },
    }
    expect((await call('POST', '/v1/meters', version)).status).toBe(201)
    world.clock.set(Date.parse('2026-11-10T11:30:00.000Z'))
    await subscribe('plain', { effective: 'now' })
    world.clock.set(Date.parse('2026-11-10T11:45:00.001Z'))
    await subscribe('odd', { effective: 'now' })
    world.clock.set(Date.parse('2026-12-01T06:30:00Z'))
    await world.usage(INSTANTS.flatMap((time, at) => usageAt(time, at, 'e')))
    const november = () => get<Invoice>('invoices/upcoming?at=2026-11-15T00:00:00Z')
    expect(await prove(await november())).toBeGreaterThan(8)
    world.clock.set(Date.parse('2026-12-02T06:30:00Z'))
    await world.rollUp()
    expect(await prove(await november())).toBeGreaterThan(8)
    await call('POST', '/internal/close/run', {})
    for (const unit of workUnits(world)) await world.push('billing-work-to-billing', unit)
    const closed = await get<{ items: Invoice[] }>('invoices')
    const ids = closed.items.filter(({ status }) => status !== 'draft').map(({ invoiceId }) => invoiceId)
    expect(ids.length).toBeGreaterThan(0)
    world.clock.set(Date.parse('2026-12-03T06:30:00Z'))
    await world.usage(INSTANTS.slice(0, 9).flatMap((time, at) => usageAt(time, at, 'late')))
    const source = '//agents.example/pods/agent-7'
    await world.usage([
      {
        ...aUsageEvent({ id: 'void1', time: '2026-12-03T00:00:00Z' }),
        ...{ type: 'ai.energent.usage.void.v1', data: { voids: { source, id: 'e5t' } } },
      },
    ])
    await world.rollUp()
    for (const id of ids) await prove(await get<Invoice>(`invoices/${id}`))
    await prove(await get<Invoice>('invoices/upcoming'))
  },
  300_000,
)

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { TenantId } from '#shared/ids.ts'
import { ok } from '#shared/result.ts'
import { TenantContext } from '#shared/tenancy/context.ts'
import { prove } from '#shared/tenancy/proofs.ts'
import { bury } from '../support/bury.ts'
import { factsOf, workUnits } from './support/contracts.ts'
import { aSubscriptionCommand, aTenantFact, aUsageEvent, startWorld, type World } from './support/world.ts'

let world: World
beforeEach(async () => {
  world = await startWorld()
  for (const tenant of ['acme', 'rival']) {
    await world.fact(aTenantFact({ tenant }))
    await world.command(aSubscriptionCommand({ id: `c.${tenant}`, tenant, operationId: `op_${tenant}` }))
    await world.usage([aUsageEvent({ id: 'a', tenant }), aUsageEvent({ id: 'bad', tenant, value: 'x' })])
    const token = 'platform+platform:billing'
    const body = { amount: '5', currency: 'USD', reason: 'test' }
    await world.request({ method: 'POST', path: `/v1/tenants/${tenant}/grants`, token, body })
    await world.request({
      method: 'POST',
      path: `/v1/tenants/${tenant}/workflows/acquire`,
      token: `${tenant}+workflows:use`,
      body: { runId: 'a' },
    })
  }
  world.published.length = 0
})
afterEach(() => world.close())

const contextOf = (tenant: string): TenantContext =>
  new TenantContext(prove.event({ tenantId: tenant as TenantId, eventId: 'e', type: 'test' }))
const purge = () =>
  world.fact(
    aTenantFact({
      kind: 'purge-started',
      state: 'PURGING',
      operationId: 'op_purge',
      sequence: 50n,
      id: 'purge',
    }),
  )
async function work(): Promise<void> {
  for (let units = workUnits(world); units.length > 0; units = workUnits(world)) {
    for (const unit of units) expect(await world.push('billing-work-to-billing', unit)).toBe(204)
  }
}
const left = (tenant: string): string[] =>
  world
    .documents(`tenants/${tenant}`)
    .map(({ path }) => path.split('/').slice(2).join('/'))
    .filter((path) => path.startsWith('billing_'))
const ofTenant = (collection: string, tenant: string) =>
  world.documents(collection).filter(({ data }) => data['tenantId'] === tenant)

/** An invoice as it is stored, with its lines. */
async function anInvoice(invoiceId: string, status: string): Promise<void> {
  const done = await world.platform.tenants.optimistic(contextOf('acme'), undefined, async (db) =>
    ok({
      value: undefined,
      writes: [
        db.create(['billing_invoices', invoiceId], { invoiceId, status, totalMinor: 100 }),
        ...['l1', 'l2'].map((line) => db.create(['billing_invoices', invoiceId, 'lines', line], { line })),
      ],
    }),
  )
  expect(done.ok).toBe(true)
}

test('a purge leaves nothing but that the tenant is gone, and is answered with counts, once', async () => {
  const before = left('rival')
  expect(await purge()).toBe(204)
  await work()
  expect(left('acme').sort()).toEqual(['billing_tenant/current', 'billing_tenant/erasure'])
  expect(ofTenant('billing_quarantine', 'acme')).toEqual([])
  expect(left('rival')).toEqual(before)
  expect(ofTenant('billing_quarantine', 'rival')).not.toEqual([])
  const [fact, ...more] = factsOf(world)
  expect(fact).toMatchObject({
    type: 'ai.energent.billing.erased.v1',
    correlationid: 'op_purge',
    data: {
      operationId: 'op_purge',
      archived: 0,
      counts: { usageBatches: 1, subscriptions: 1, operations: 1, grants: 1, credit: 1, quota: 1 },
    },
  })
  expect(more).toEqual([])
  await purge()
  await work()
  expect(factsOf(world)).toHaveLength(1)
})

test('finalized invoices are archived with their lines, drafts are not', async () => {
  await anInvoice('inv_final', 'finalized')
  await anInvoice('inv_draft', 'draft')
  await purge()
  await work()
  expect(factsOf(world)[0]?.data).toMatchObject({
    archived: 1,
    counts: { invoices: 2, 'invoices.lines': 4 },
  })
  const archive = world.documents('billingArchive/acme')
  expect(archive.map(({ path }) => path).sort()).toEqual([
    'billingArchive/acme/invoices/inv_final',
    'billingArchive/acme/invoices/inv_final/lines/l1',
    'billingArchive/acme/invoices/inv_final/lines/l2',
  ])
  expect(archive[0]?.data).toMatchObject({ status: 'finalized', totalMinor: 100, tenantId: 'acme' })
})

test('what a slower instance still stored goes with a later unit, and then nobody looks any more', async () => {
  await purge()
  await work()
  const batch = await world.deps.slots
    .thaw(contextOf('acme'), { operationId: 'op_late' })
    .then(() => left('acme'))
  expect(batch).toContain('billing_quota/workflows')
  const sweep = async () => {
    await world.request({ method: 'POST', path: '/internal/sweep/run', body: {} })
    await work()
  }
  await sweep()
  expect(left('acme').sort()).toEqual(['billing_tenant/current', 'billing_tenant/erasure'])
  expect(factsOf(world)).toHaveLength(1)
  world.clock.advance(4 * 60_000)
  await sweep()
  expect(world.documents('jobs').filter(({ path }) => path.includes('due_erase'))).toEqual([])
})

test('a unit that comes without a purge erases nothing', async () => {
  const before = left('acme')
  await world.deps.due.mark('acme' as TenantId, 'erase', 'op_x', world.clock.now())
  await world.request({ method: 'POST', path: '/internal/sweep/run', body: {} })
  await work()
  expect(left('acme')).toEqual(before)
  expect(factsOf(world)).toEqual([])
})

test('a tenant is billed to the moment it left, before anything is erased', async () => {
  world.clock.set(Date.parse('2026-12-11T10:20:00Z'))
  await world.usage([
    aUsageEvent({ id: 'late', meter: 'workflow_runs', value: null, time: '2026-12-11T10:10:00Z' }),
  ])
  await purge()
  await work()
  // The hour is not over: its usage may still be on its way.
  expect(factsOf(world).filter(({ type }) => type.includes('erased'))).toEqual([])
  expect(left('acme')).toContain('billing_subscriptions/main')

  world.clock.set(Date.parse('2026-12-11T11:06:00Z'))
  await world.request({ method: 'POST', path: '/internal/rollups/run', body: {} })
  await work()
  await world.request({ method: 'POST', path: '/internal/sweep/run', body: {} })
  await work()

  const archive = world.documents('billingArchive/acme/invoices').map(({ data }) => data)
  const invoices = archive.filter((data) => 'periodToMs' in data)
  expect(invoices.map(({ periodToMs }) => periodToMs).sort()).toEqual([
    Date.parse('2026-12-01T00:00:00Z'),
    Date.parse('2026-12-11T10:20:00Z'),
  ])
  expect(invoices.map(({ status }) => status)).toEqual(['open', 'open'])
  // The base fee is that of ten days and a part of one, not of the month.
  const fees = archive
    .filter(({ position }) => position === 0)
    .map(({ line }) => JSON.parse(String(line)).amount.minor)
  expect(fees.sort()).toEqual([5044, 6696])
  expect(left('acme').sort()).toEqual(['billing_tenant/current', 'billing_tenant/erasure'])
  const revenue = world.documents('jobs').filter(({ path }) => path.includes('revenue'))
  expect(revenue.length).toBeGreaterThan(0)
  expect(revenue.filter(({ data }) => data['tenantId'] === 'acme')).toEqual([])
  await bury(world.platform.database, 'acme')
  await world.fact(aTenantFact({ kind: 'purged', state: 'PURGED', sequence: 60n, id: 'purged' }))
  expect(left('acme')).toEqual([])
  expect(ofTenant('jobs', 'acme')).toEqual([])
})

describe('once the tombstone stands', () => {
  const GONE = { kind: 'purged', state: 'PURGED', sequence: 60n, id: 'purged' } as const
  beforeEach(async () => {
    await purge()
    await work()
  })

  test('the fact of the end takes the last with it; without a tombstone it is a fact like any other', async () => {
    await world.fact(aTenantFact(GONE))
    expect(left('acme')).toContain('billing_tenant/current')
    await bury(world.platform.database, 'acme')

    await world.fact(aTenantFact(GONE))
    await world.fact(aTenantFact({ ...GONE, kind: 'deletion-certificate-issued', sequence: 61n, id: 'cert' }))

    expect(left('acme')).toEqual([])
    expect(ofTenant('jobs', 'acme')).toEqual([])
  })

  test('whatever comes late makes nothing anew', async () => {
    await bury(world.platform.database, 'acme')
    await world.fact(aTenantFact(GONE))
    const before = world.documents('').filter(({ path }) => !path.includes('_inbox/'))

    await world.fact(aTenantFact({ id: 'late' }))
    await world.command(aSubscriptionCommand({ id: 'late', operationId: 'op_late' }))
    await world.usage([aUsageEvent({ id: 'late' }), aUsageEvent({ id: 'bad', value: 'x' })])
    await purge()
    await work()

    const after = world.documents('').filter(({ path }) => !path.includes('_inbox/'))
    expect(after.map(({ path }) => path)).toEqual(before.map(({ path }) => path))
  })
})

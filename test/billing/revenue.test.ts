import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemFirestore } from '#shared/firestore/system.ts'
import { workUnits } from './support/contracts.ts'
import { aSubscriptionCommand, aTenantFact, startWorld, type World } from './support/world.ts'

let world: World
beforeEach(async () => {
  world = await startWorld()
  world.clock.set(Date.parse('2026-11-01T00:00:00Z'))
  await world.fact(aTenantFact({}))
  await world.command(aSubscriptionCommand({ id: 'c1' }))
  world.clock.set(Date.parse('2026-11-12T00:00:00Z'))
})
afterEach(() => world.close())

const FINANCE = 'platform+platform:read+platform:billing'

async function closeAt(time: string): Promise<void> {
  world.clock.set(Date.parse(time))
  await world.rollUp()
  expect((await world.request({ method: 'POST', path: '/internal/close/run', body: {} })).status).toBe(200)
  for (const unit of workUnits(world)) expect(await world.push('billing-work-to-billing', unit)).toBe(204)
}

const grouped = async (groupBy = 'currency') => {
  const path = `/v1/reports/revenue?from=2026-11-01T00:00:00Z&groupBy=${groupBy}`
  return ((await world.request({ path, token: FINANCE })).json as { data: Record<string, unknown>[] }).data
}
const mrrOf = async () => (await grouped()).map(({ currency, fees, mrr }) => ({ currency, fees, mrr }))
const usd = (minor: number) => expect.objectContaining({ minor, currency: 'USD' })

// A yearly fee stands on one invoice in twelve months, a monthly one on each: neither sum is the MRR.
test('MRR is what is subscribed now, whatever was invoiced: of a yearly fee a twelfth, rounded once', async () => {
  const read = await world.request({ path: '/v1/tenants/acme/subscription', token: FINANCE })
  const wanted = { planId: 'example-standard', effective: 'period_end', interval: 'year' }
  const changed = await world.request({
    ...{ method: 'PUT', path: '/v1/tenants/acme/subscription', token: FINANCE, body: wanted },
    headers: { 'if-match': String(read.headers['etag']) },
  })
  expect(changed.status).toBe(200)
  await world.fact(aTenantFact({ tenant: 'globex' }))
  await world.command(aSubscriptionCommand({ id: 'c2', operationId: 'op_2', tenant: 'globex' }))
  await closeAt('2026-11-30T23:00:00Z')
  expect(await mrrOf()).toEqual([{ currency: 'USD', fees: usd(0), mrr: usd(39_800) }])
  await closeAt('2026-12-02T01:00:00Z')
  world.clock.set(Date.parse('2026-12-02T02:00:00Z'))
  expect((await grouped('tenant')).map(({ tenant, mrr }) => ({ tenant, mrr }))).toEqual([
    { tenant: 'acme', mrr: usd(1_658) },
    { tenant: 'globex', mrr: usd(19_900) },
  ])
  expect(await grouped('tier')).toMatchObject([{ tier: 'standard', mrr: { minor: 21_558 } }])
  for (const row of await grouped('meter')) expect(row).not.toHaveProperty('mrr')
})

test('MRR ends with its subscription', async () => {
  await closeAt('2026-11-12T01:00:00Z')
  expect(await mrrOf()).toEqual([{ currency: 'USD', fees: usd(0), mrr: usd(19_900) }])
  await world.command(aSubscriptionCommand({ what: 'cancel-requested', id: 'c9', sequence: 2n }))
  await closeAt('2026-11-13T01:00:00Z')
  expect(world.documents('jobs/accrued_acme')).toMatchObject([{ data: { mrr: null, accruals: '[]' } }])
  expect(await mrrOf()).toEqual([])
})

test('the MRR of a row that was kept before there was any is zero', async () => {
  const accruals = [{ tier: 'standard', currency: 'USD', charged: '7', byMeter: { fees: '7' } }]
  const row = {
    kind: 'accrued',
    tenantId: 'old',
    atMs: world.clock.now(),
    accruals: JSON.stringify(accruals),
  }
  await systemFirestore(world.platform.database, 'billing').merge('jobs', 'accrued_old', row)
  expect(await grouped()).toMatchObject([{ accrued: { minor: 7 }, mrr: { minor: 0 } }])
})

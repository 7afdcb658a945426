import { afterEach, beforeEach, expect, test } from 'vitest'
import { aTierCharge, factsOf } from './support/contracts.ts'
import { type Answer, aSubscriptionCommand, aTenantFact, startWorld, type World } from './support/world.ts'

// A plan made for one customer has that customer's prices: no other may take it, or learn that there is one.
const OPERATOR = 'platform+platform:billing+platform:read'
const READER = 'platform+platform:read'
let world: World

beforeEach(async () => {
  world = await startWorld()
  for (const tenant of ['acme', 'rival']) {
    await world.fact(aTenantFact({ tenant }))
    await world.command(aSubscriptionCommand({ id: `c.${tenant}`, tenant, operationId: `op_${tenant}` }))
  }
  world.published.length = 0
  expect((await makePlan({ planId: 'special', listed: false })).json).toMatchObject({ listed: false })
})
afterEach(() => world.close())

const asOperator = (method: string, path: string, body?: unknown, token = OPERATOR): Promise<Answer> =>
  world.request({ method, path, token, body })
const makePlan = (fields: { planId: string; [name: string]: unknown }, method = 'POST'): Promise<Answer> => {
  const fee = { feeId: 'seat', description: 'Seats', amount: '1.00', term: 'in_advance' }
  const currencies = { USD: { fees: [fee], prices: [] } }
  const body = { name: 'Special', tier: 'standard', currency: 'USD', currencies, ...fields }
  return asOperator(method, method === 'PUT' ? `/v1/plans/${fields.planId}` : '/v1/plans', body)
}
const as = (tenant: string) => ({
  change: (body: object, headers: Record<string, string> = {}): Promise<Answer> =>
    world.request({
      method: 'PUT',
      path: `/v1/tenants/${tenant}/subscription`,
      token: `${tenant}+billing:manage`,
      body,
      headers,
    }),
  preview: (body: object): Promise<Answer> =>
    world.request({
      method: 'POST',
      path: `/v1/tenants/${tenant}/subscription/preview`,
      token: `${tenant}+billing:manage`,
      body,
    }),
})
/** An operator puts a tenant on a plan. */
const put = (tenant: string, body: object): Promise<Answer> =>
  asOperator('PUT', `/v1/tenants/${tenant}/subscription`, body)
const planOf = async (tenant: string): Promise<Record<string, unknown>> =>
  (await asOperator('GET', `/v1/tenants/${tenant}/subscription`)).json

const NOW = { planId: 'special', effective: 'now' }
/** A problem but for what names the request. */
const said = ({ status, json: { instance: _instance, requestId: _id, ...problem } }: Answer) => ({
  status,
  problem,
})

test.each([
  ['as it is', {}, {}],
  ['by its version', { planVersion: 1 }, {}],
  ['for the next period', { effective: 'period_end' }, {}],
  ['in a currency that it is not sold in', { currency: 'KWD', effective: 'period_end' }, {}],
  ['of another tier', {}, { tier: 'premium' }],
  ['once it is retired', {}, { retired: true }],
])('an unlisted plan (%s) is to a tenant as if it did not exist', async (_name, wanted, plan) => {
  await makePlan({ planId: 'other', listed: false, ...('tier' in plan ? plan : {}) })
  if ('retired' in plan) await asOperator('DELETE', '/v1/plans/other')
  const { change, preview } = as('rival')
  for (const ask of [change, preview]) {
    const refused = await ask({ ...NOW, ...wanted, planId: 'other' })
    expect(refused).toMatchObject({ status: 422, json: { code: 'subscription.invalid' } })
    expect(said(refused)).toEqual(said(await ask({ ...NOW, ...wanted, planId: 'nothing' })))
  }
  expect(await planOf('rival')).toMatchObject({ planId: 'example-standard', rev: 1 })
})

test('a key that was used tells no unlisted plan from none', async () => {
  const { change } = as('rival')
  const key = { 'idempotency-key': 'k' }
  expect((await change({ planId: 'example-standard', effective: 'now' }, key)).status).toBe(200)
  const refused = await change(NOW, key)
  expect(said(refused)).toEqual(said(await change({ ...NOW, planId: 'nothing' }, key)))
})

test('operators choose an unlisted plan for a tenant and preview it, and the tenant keeps it', async () => {
  const preview = await asOperator('POST', '/v1/tenants/acme/subscription/preview', NOW, READER)
  expect(preview).toMatchObject({ status: 200, json: { planId: 'special' } })
  expect(await put('acme', NOW)).toMatchObject({ status: 200, json: { planId: 'special' } })
  const kept = await as('acme').change(NOW)
  expect(kept).toMatchObject({ status: 200, json: { planId: 'special', rev: 2 } })
  const zone = { ...NOW, effective: 'period_end', timeZone: 'Asia/Tokyo' }
  expect(await as('acme').preview(zone)).toMatchObject({ status: 200 })
  expect(await as('acme').change(zone)).toMatchObject({
    json: { pending: [{ planId: 'special', timeZone: 'Asia/Tokyo' }] },
  })
  expect((await as('rival').change(NOW)).status).toBe(422)
})

test('a tenant that has left an unlisted plan does not come back by itself', async () => {
  await put('acme', NOW)
  expect((await as('acme').change({ planId: 'example-standard', effective: 'now' })).status).toBe(200)
  expect((await as('acme').change(NOW)).status).toBe(422)
  expect((await put('acme', NOW)).status).toBe(200)
})

test('what operators ended for a day to come, or begin on one, a tenant does not move', async () => {
  await put('acme', NOW)
  await put('acme', { planId: 'example-standard', effective: 'period_end' })
  await put('rival', { ...NOW, effective: 'period_end' })
  for (const [tenant, effective] of [
    ['acme', 'now'],
    ['acme', 'period_end'],
    ['rival', 'now'],
  ] as const) {
    expect((await as(tenant).change({ ...NOW, effective })).status, `${tenant} ${effective}`).toBe(422)
  }
  expect((await as('rival').change({ ...NOW, effective: 'period_end' })).status).toBe(200)
})

test('an unlisted version is not begun on; a tenant that names none stays on its own', async () => {
  await put('acme', NOW)
  await makePlan({ planId: 'special', listed: false, name: 'Dearer' }, 'PUT')
  expect((await as('acme').change({ ...NOW, planVersion: 2 })).status).toBe(422)
  expect(await as('acme').change(NOW)).toMatchObject({ json: { planId: 'special', planVersion: 1 } })
  expect(await put('acme', NOW)).toMatchObject({ json: { planVersion: 2 } })
})

test('a plan whose newest version is unlisted is offered in none, and open again with the next', async () => {
  await makePlan({ planId: 'team' })
  await makePlan({ planId: 'team', listed: false }, 'PUT')
  const first = { planId: 'team', effective: 'now', planVersion: 1 }
  expect((await as('rival').change(first)).status).toBe(422)
  await makePlan({ planId: 'team', name: 'Team 3' }, 'PUT')
  expect((await as('rival').change({ ...first, planVersion: 2 })).status).toBe(422)
  expect((await as('rival').change(first)).status).toBe(200)
})

test('a version keeps whether it is listed', async () => {
  expect(await makePlan({ planId: 'special' })).toMatchObject({
    status: 409,
    json: { code: 'plan.version_conflict' },
  })
  expect(await makePlan({ planId: 'special', listed: false })).toMatchObject({ status: 200 })
})

test('a change of tier finds the tier’s default among the listed plans alone', async () => {
  await makePlan({ planId: 'hidden', tier: 'premium', isDefault: true, listed: false })
  world.clock.advance(120_000)
  await world.command(aTierCharge({ id: 't', tenant: 'acme', operationId: 'op_tier', tier: 'premium' }))
  expect(factsOf(world)).toMatchObject([{ data: { planId: 'example-premium' } }])
})

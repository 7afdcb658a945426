import { afterAll, beforeAll, expect, test } from 'vitest'
import { aTierCharge, factsOf } from './support/contracts.ts'
import {
  type Answer,
  aSubscriptionCommand,
  aTenantFact,
  aUsageEvent,
  startWorld,
  type World,
} from './support/world.ts'

const OPERATOR = 'platform+platform:billing+platform:read'
let world: World
let tenants = 0
/** Each test has a tenant of its own in the one world. */
let tenant = ''

beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

async function aTenant(tier = 'standard'): Promise<string> {
  tenants += 1
  tenant = `tenant-${tenants}`
  await world.fact(aTenantFact({ tenant, tier }))
  await world.command(
    aSubscriptionCommand({ id: `c.${tenant}`, tenant, tier, operationId: `op_0${tenants}` }),
  )
  world.published.length = 0
  return tenant
}

const call = (
  method: string,
  path: string,
  body?: unknown,
  options: { token?: string; headers?: Record<string, string> } = {},
): Promise<Answer> =>
  world.request({
    method,
    path: `/v1/tenants/${tenant}${path}`,
    token: options.token ?? `${tenant}+billing:manage+usage:read+invoices:read+workflows:use`,
    body,
    headers: options.headers ?? {},
  })
const asOperator = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  world.request({ method, path, token: OPERATOR, body, headers })
const grant = (body: object, headers: Record<string, string> = {}) =>
  asOperator('POST', `/v1/tenants/${tenant}/grants`, { reason: 'test', ...body }, headers)

const aPlan = (fields: object = {}) => ({
  planId: 'team',
  name: 'Team',
  tier: 'standard',
  currency: 'USD',
  currencies: {
    USD: {
      fees: [{ feeId: 'seat', description: 'Seats', amount: '100.00', term: 'in_advance' }],
      prices: [
        {
          priceId: 'runs',
          meter: 'workflow_runs',
          unit: 'run',
          model: 'per_unit',
          parameters: { unit_amount: '1' },
          included: '10',
          overage: 'block',
        },
      ],
    },
  },
  ...fields,
})

test('a plan is made once, its next version by number, and no version is ever another', async () => {
  expect(await asOperator('POST', '/v1/plans', aPlan())).toMatchObject({ status: 201, json: { version: 1 } })
  expect(await asOperator('POST', '/v1/plans', aPlan())).toMatchObject({ status: 200, json: { version: 1 } })
  expect(await asOperator('POST', '/v1/plans', aPlan({ name: 'Other' }))).toMatchObject({
    status: 409,
    json: { code: 'plan.version_conflict' },
  })
  const { planId: _planId, ...next } = aPlan({ name: 'Team 2' })
  expect(await asOperator('PUT', '/v1/plans/team', { ...next, version: 3 })).toMatchObject({ status: 409 })
  expect(await asOperator('PUT', '/v1/plans/team', next)).toMatchObject({ status: 201, json: { version: 2 } })
  expect((await asOperator('GET', '/v1/plans/team/versions/1')).json).toMatchObject({ name: 'Team' })
  expect((await asOperator('GET', '/v1/plans/team')).json).toMatchObject({ latest: 2, current: 2 })
  expect((await asOperator('GET', '/v1/plans/team/versions/3')).status).toBe(404)
  expect(await asOperator('PUT', '/v1/plans/team', { ...next, tier: 'basic' })).toMatchObject({
    status: 409,
    json: { code: 'plan.tier_mismatch' },
  })
})

test('two operators who make the next version at once make one', async () => {
  const made = await Promise.all(
    ['A', 'B', 'C'].map((name) => asOperator('POST', '/v1/plans', aPlan({ planId: 'raced', name }))),
  )
  expect(made.map(({ status }) => status).sort()).toEqual([201, 409, 409])
})

test('the shipped plans of the four tiers are there, and say that they are examples', async () => {
  const { json } = await asOperator('GET', '/v1/plans?pageSize=500')
  const examples = (json['items'] as { newest: { example: boolean; tier: string } }[]).filter(
    ({ newest }) => newest.example,
  )
  expect(examples.map(({ newest }) => newest.tier).sort()).toEqual([
    'basic',
    'enterprise',
    'premium',
    'standard',
  ])
})

test('lists of plans are paged, and only operators for billing see them', async () => {
  const first = await asOperator('GET', '/v1/plans?pageSize=1')
  expect(first.json['items']).toHaveLength(1)
  const second = await asOperator('GET', `/v1/plans?pageSize=1&pageToken=${first.json['nextPageToken']}`)
  expect(second.json['items']).not.toEqual(first.json['items'])
  const tenantToken = { path: '/v1/plans', token: 'acme+platform:billing' }
  expect((await world.request(tenantToken)).status).toBe(403)
})

test('a meter’s meaning stays; a version is made ahead of time and found by instant', async () => {
  const meter = {
    meterId: 'egress_bytes',
    aggregation: 'sum',
    field: 'value',
    scale: 0,
    unit: 'octet',
    dimensions: ['region'],
    filters: {},
    carryOver: false,
    stalenessSeconds: null,
    validFrom: '2026-12-01T00:00:00Z',
  }
  expect(await asOperator('POST', '/v1/meters', { ...meter, aggregation: 'max' })).toMatchObject({
    status: 422,
    json: { code: 'meter.invalid' },
  })
  const soon = '2026-11-23T09:35:00Z'
  expect((await asOperator('POST', '/v1/meters', { ...meter, validFrom: soon })).status).toBe(422)
  expect(await asOperator('POST', '/v1/meters', meter)).toMatchObject({ status: 201, json: { version: 2 } })
  expect(
    await asOperator('PUT', '/v1/meters/egress_bytes', { ...meter, version: 2, unit: 'other' }),
  ).toMatchObject({
    status: 409,
    json: { code: 'meter.version_conflict' },
  })
  expect((await asOperator('GET', '/v1/meters/egress_bytes')).json).toMatchObject({
    version: 1,
    unit: 'byte',
  })
  expect((await asOperator('GET', '/v1/meters/egress_bytes/versions')).json['items']).toHaveLength(2)
  await world.deps.meters.refresh()
  expect(world.deps.meters.versionOf('egress_bytes', Date.parse('2026-12-01T00:00:00Z'))).toBe(2)
})

test('a subscription changes now, shows its invoice, and knows who read an old revision', async () => {
  await aTenant()
  const read = await call('GET', '/subscription')
  expect(read).toMatchObject({
    status: 200,
    json: { planId: 'example-standard', tier: 'standard', pending: [] },
  })
  const wanted = { planId: 'team', effective: 'now' }
  const preview = await call('POST', '/subscription/preview', wanted)
  expect(preview).toMatchObject({ status: 200, json: { planId: 'team' } })
  expect((await call('GET', '/subscription')).headers['etag']).toBe(read.headers['etag'])
  const etag = String(read.headers['etag'])
  const changed = await call('PUT', '/subscription', wanted, { headers: { 'if-match': etag } })
  expect(changed).toMatchObject({ status: 200, json: { planId: 'team', planVersion: 2 } })
  expect((changed.json['preview'] as { lines: unknown[] }).lines.length).toBeGreaterThan(0)
  expect(
    await call(
      'PUT',
      '/subscription',
      { planId: 'example-standard', effective: 'now' },
      { headers: { 'if-match': etag } },
    ),
  ).toMatchObject({
    status: 409,
    json: { code: 'subscription.revision_conflict' },
  })
  expect(await call('PUT', '/subscription', { ...wanted, rev: 1 })).toMatchObject({ status: 409 })
  expect((await call('PUT', '/subscription', wanted)).headers['etag']).toBe(changed.headers['etag'])
})

test('a change for the next period waits, with its zone and currency', async () => {
  await aTenant()
  const wanted = {
    planId: 'example-standard',
    effective: 'period_end',
    timeZone: 'Asia/Tokyo',
    currency: 'JPY',
  }
  const changed = await call('PUT', '/subscription', wanted)
  expect(changed).toMatchObject({
    status: 200,
    json: {
      currency: 'USD',
      timeZone: 'UTC',
      pending: [{ effectiveAt: '2026-12-01T00:00:00Z', currency: 'JPY', timeZone: 'Asia/Tokyo' }],
    },
  })
})

test.each([
  [{ planId: 'example-premium', effective: 'now' }, 409, 'plan.tier_mismatch'],
  [{ planId: 'nothing', effective: 'now' }, 422, 'subscription.invalid'],
  [{ planId: 'team', planVersion: 9, effective: 'now' }, 422, 'subscription.invalid'],
  [{ planId: 'team', effective: 'period_end', currency: 'KWD' }, 422, 'subscription.invalid'],
  [{ planId: 'example-standard', effective: 'now', timeZone: 'Asia/Tokyo' }, 422, 'subscription.invalid'],
  [{ planId: 'team', effective: 'period_end', timeZone: '+09:00' }, 422, 'subscription.invalid'],
  [{ planId: 'team', effective: 'period_end', timeZone: 'Mars/Base' }, 400, 'request.malformed'],
  [{ planId: 'team', effective: 'tomorrow' }, 400, 'request.malformed'],
  [{ planId: 'team', effective: 'now', surprise: 1 }, 400, 'request.malformed'],
])('%j is refused', async (wanted, status, code) => {
  await aTenant()
  expect(await call('PUT', '/subscription', wanted)).toMatchObject({ status, json: { code } })
  expect(await call('POST', '/subscription/preview', wanted)).toMatchObject({ status, json: { code } })
})

test('of two changes of one revision, one is made', async () => {
  await aTenant()
  const { json } = await call('GET', '/subscription')
  const both = await Promise.all(
    ['by_second', 'by_day'].map((proration) =>
      call('PUT', '/subscription', { planId: 'team', effective: 'now', proration, rev: json['rev'] }),
    ),
  )
  expect(both.map(({ status }) => status).sort()).toEqual([200, 409])
})

test('a plan that was retired is not begun on, and whoever is on it stays', async () => {
  await aTenant()
  await asOperator('POST', '/v1/plans', aPlan({ planId: 'ending' }))
  await call('PUT', '/subscription', { planId: 'ending', effective: 'now' })
  expect(await asOperator('DELETE', '/v1/plans/ending')).toMatchObject({ status: 200 })
  expect((await call('GET', '/entitlements')).json).toMatchObject({ plan: { planId: 'ending' } })
  await call('PUT', '/subscription', { planId: 'team', effective: 'now' })
  expect(await call('PUT', '/subscription', { planId: 'ending', effective: 'now' })).toMatchObject({
    status: 409,
    json: { code: 'plan.retired' },
  })
})

test('credit is given by operators, once for a key, listed as it burns, and voided once', async () => {
  await aTenant()
  expect((await call('POST', '/grants', { amount: '5', currency: 'USD', reason: 'mine' })).status).toBe(403)
  const key = { 'idempotency-key': `k-${tenant}` }
  const made = await grant({ amount: '20.00', currency: 'USD', expiresAt: '2026-12-31T00:00:00Z' }, key)
  expect(made).toMatchObject({ status: 201, json: { balance: '20', status: 'active' } })
  expect(
    await grant({ amount: '20.00', currency: 'USD', expiresAt: '2026-12-31T00:00:00Z' }, key),
  ).toMatchObject({
    status: 200,
    json: { grantId: made.json['grantId'] },
  })
  expect((await grant({ amount: '30.00', currency: 'USD' }, key)).status).toBe(422)
  await grant({ amount: '7', currency: 'USD', priority: 1 })
  const listed = await call('GET', '/grants')
  expect(listed.json['items']).toMatchObject([{ amount: '7' }, { amount: '20' }])
  const later = await call('GET', '/grants?at=2026-12-31T00:00:00Z')
  expect(later.json['items']).toMatchObject([{ balance: '7' }, { balance: '0', status: 'over' }])
  const path = `/v1/tenants/${tenant}/grants/${made.json['grantId']}/void`
  expect(await asOperator('POST', path, {})).toMatchObject({
    status: 200,
    json: { status: 'void', balance: '0' },
  })
  expect(await asOperator('POST', path, {})).toMatchObject({ status: 409, json: { code: 'credit.voided' } })
})

test.each([
  [{ amount: '1' }, 400],
  [{ amount: '1', currency: 'USD', unit: 'workflow_runs' }, 400],
  [{ amount: '-1', currency: 'USD' }, 400],
  [{ amount: 1, currency: 'USD' }, 400],
  [{ amount: '1.005', currency: 'USD' }, 422],
  [{ amount: '1', currency: 'USD', expiresAt: '2026-01-01T00:00:00Z' }, 422],
])('%j is no credit', async (body, status) => {
  tenant = 'tenant-1'
  expect((await grant(body)).status).toBe(status)
})

test('entitlements count down what is included, in the plan’s unit, and say until when that is exact', async () => {
  await aTenant()
  const time = '2026-11-23T09:10:00.000Z'
  await world.usage([aUsageEvent({ id: `u.${tenant}`, tenant, value: '120', time })])
  await call('POST', '/workflows/acquire', { runId: 'a' })
  const { status, json } = await call('GET', '/entitlements')
  expect(status).toBe(200)
  expect(json).toMatchObject({
    tier: 'standard',
    limits: { vcpu: 2, memoryGib: 4, storageGib: 25, concurrentWorkflows: 2 },
    workflows: { active: 1, limit: 2, frozen: false },
    exactThrough: expect.stringMatching(/^2026-11-/),
  })
  const minutes = (json['allowances'] as { meter: string }[]).find(({ meter }) => meter === 'agent_minutes')
  expect(minutes).toMatchObject({ unit: 'minute', used: '2' })
})

test('a check says what is left: included, granted units, charged beyond, or not allowed', async () => {
  await aTenant()
  const check = async (meter: string, amount: string) =>
    (await call('POST', '/entitlements/check', { meter, amount })).json
  expect(await check('agent_minutes', '60')).toMatchObject({ allowed: true, reason: 'included' })
  expect(await check('agent_minutes', '99999999')).toMatchObject({ allowed: true, reason: 'overage' })
  expect(await check('concurrent_workflows_peak', '2')).toMatchObject({ allowed: true, remaining: '2' })
  expect(await check('concurrent_workflows_peak', '3')).toMatchObject({
    allowed: false,
    reason: 'limit_reached',
  })
  await call('PUT', '/subscription', { planId: 'team', effective: 'now' })
  expect(await check('workflow_runs', '99')).toMatchObject({ allowed: false, reason: 'limit_reached' })
  expect(await check('agent_minutes', '1')).toMatchObject({
    allowed: true,
    reason: 'not_priced',
    remaining: null,
  })
  await grant({ amount: '100', unit: 'workflow_runs' })
  expect(await check('workflow_runs', '99')).toMatchObject({ allowed: true, reason: 'credit' })
  await world.fact(aTenantFact({ tenant, kind: 'suspended', state: 'SUSPENDED', sequence: 20n }))
  expect(await call('POST', '/entitlements/check', { meter: 'workflow_runs', amount: '1' })).toMatchObject({
    status: 402,
    json: { code: 'entitlement.restricted' },
  })
})

// An allowance of minutes and a check in seconds of the same meter are easily taken for each other.
test('a check names the unit of its answer, which is that of usage and not of the price', async () => {
  await aTenant()
  const check = async (meter: string) => {
    const { json } = await call('POST', '/entitlements/check', { meter, amount: '1' })
    return [json['reason'], json['unit']]
  }
  expect(await check('agent_minutes')).toEqual(['included', 'second'])
  expect(await check('storage_gib_hours')).toEqual(['included', 'GiB hour'])
  expect(await check('concurrent_workflows_peak')).toEqual(['included', 'run'])
  await call('PUT', '/subscription', { planId: 'team', effective: 'now' })
  expect(await check('egress_bytes')).toEqual(['not_priced', 'byte'])
  tenants += 1
  tenant = `tenant-${tenants}`
  await world.fact(aTenantFact({ tenant }))
  expect(await check('agent_minutes')).toEqual(['no_subscription', 'second'])
})

test('a tier change is charged what the rest of the period adds, once, with the same fact for ever', async () => {
  await aTenant()
  const command = aTierCharge({ id: `t.${tenant}`, tenant, operationId: `op_${tenant}`, tier: 'premium' })
  for (const again of [
    command,
    command,
    aTierCharge({ id: `u.${tenant}`, tenant, operationId: `op_${tenant}`, tier: 'premium' }),
  ]) {
    expect(await world.command(again)).toBe(204)
    world.clock.advance(1_000)
  }
  const facts = factsOf(world)
  expect(facts).toHaveLength(3)
  expect(new Set(facts.map((fact) => JSON.stringify(fact))).size).toBe(1)
  expect(facts[0]).toMatchObject({
    type: 'ai.energent.billing.charged.v1',
    data: {
      operationId: `op_${tenant}`,
      planId: 'example-premium',
      tier: 'premium',
      charge: { currency: 'USD' },
    },
  })
  expect((await call('GET', '/subscription')).json).toMatchObject({
    planId: 'example-premium',
    tier: 'premium',
  })
  expect((await call('GET', '/subscription')).json['history']).toHaveLength(2)
})

test.each(['tier-change-failed', 'tier-change-blocked'] as const)(
  'after %s the tenant pays what it paid before, also if its charge comes late',
  async (kind) => {
    await aTenant()
    await world.command(
      aTierCharge({ id: `t.${tenant}`, tenant, operationId: `op_${tenant}`, tier: 'premium' }),
    )
    await world.fact(aTenantFact({ tenant, kind, operationId: `op_${tenant}`, sequence: 8n }))
    expect((await call('GET', '/subscription')).json).toMatchObject({
      planId: 'example-standard',
      pending: [],
    })
    await aTenant()
    await world.fact(aTenantFact({ tenant, kind, operationId: `op_${tenant}`, sequence: 8n }))
    expect(
      await world.command(
        aTierCharge({ id: `t.${tenant}`, tenant, operationId: `op_${tenant}`, tier: 'premium' }),
      ),
    ).toBe(204)
    expect(factsOf(world)).toEqual([])
    expect((await call('GET', '/subscription')).json).toMatchObject({ planId: 'example-standard' })
  },
)

// The facts of an operation that failed travel on another topic than the next operation's command.
test.each([
  ['now', 'now'],
  ['period_end', 'now'],
  ['period_end', 'period_end'],
] as const)(
  'a tier change (%s) that came to nothing is out of the next one (%s), whichever is heard of first',
  async (first, second) => {
    await aTenant()
    const standing = (await call('GET', '/subscription')).json
    await world.command(
      aTierCharge({
        id: `t.${tenant}`,
        tenant,
        operationId: `op_a_${tenant}`,
        fromTier: 'standard',
        effective: first,
      }),
    )
    await world.command(
      aTierCharge({
        id: `u.${tenant}`,
        tenant,
        operationId: `op_b_${tenant}`,
        fromTier: 'standard',
        effective: second,
      }),
    )
    const charges = factsOf(world).map(({ data }) => data['charge'])
    if (first === second) expect(charges[1]).toEqual(charges[0])
    const paid = (await call('GET', '/subscription')).json
    expect(paid).toMatchObject(
      second === 'now'
        ? { tier: 'premium', pending: [] }
        : { tier: 'standard', pending: [{ planId: 'example-premium' }] },
    )
    await world.fact(
      aTenantFact({ tenant, kind: 'tier-change-failed', operationId: `op_a_${tenant}`, sequence: 8n }),
    )
    expect((await call('GET', '/subscription')).json).toMatchObject({
      tier: paid['tier'],
      pending: paid['pending'],
    })
    await world.fact(
      aTenantFact({ tenant, kind: 'tier-change-failed', operationId: `op_b_${tenant}`, sequence: 9n }),
    )
    expect((await call('GET', '/subscription')).json).toMatchObject({
      planId: standing['planId'],
      pending: [],
    })
  },
)

test('a tier change that stood stays when the next one is charged', async () => {
  await aTenant()
  await world.command(
    aTierCharge({ id: `t.${tenant}`, tenant, operationId: `op_a_${tenant}`, fromTier: 'standard' }),
  )
  await world.command(
    aTierCharge({
      id: `u.${tenant}`,
      tenant,
      operationId: `op_b_${tenant}`,
      tier: 'enterprise',
      fromTier: 'premium',
      effective: 'period_end',
    }),
  )
  expect((await call('GET', '/subscription')).json).toMatchObject({
    tier: 'premium',
    pending: [{ planId: 'example-enterprise' }],
  })
})

test('a plan chosen in a tier that came to nothing goes with it', async () => {
  await aTenant()
  const plan = aPlan({ planId: 'premium-team', tier: 'premium', isDefault: false })
  await asOperator('POST', '/v1/plans', plan)
  await world.command(aTierCharge({ id: `t.${tenant}`, tenant, operationId: `op_a_${tenant}` }))
  const chosen = await call('PUT', '/subscription', { planId: 'premium-team', effective: 'now' })
  expect(chosen).toMatchObject({ status: 200, json: { planId: 'premium-team' } })
  await world.fact(
    aTenantFact({ tenant, kind: 'tier-change-failed', operationId: `op_a_${tenant}`, sequence: 8n }),
  )
  expect((await call('GET', '/subscription')).json).toMatchObject({ planId: 'example-standard', pending: [] })
  await asOperator('DELETE', '/v1/plans/premium-team')
})

test('a charge is refused without a subscription, without a plan in the currency, and without the credit it takes', async () => {
  await aTenant()
  const reasonOf = async (fields: Parameters<typeof aTierCharge>[0]): Promise<unknown> => {
    world.published.length = 0
    await world.command(aTierCharge({ tenant, ...fields }))
    const [fact] = factsOf(world)
    return fact?.type === 'ai.energent.billing.charge-refused.v1' ? fact.data['reason'] : fact?.type
  }
  await asOperator('POST', '/v1/plans', {
    ...aPlan({ planId: 'prepaid-premium', tier: 'premium', payment: 'prepaid', isDefault: true }),
    currencies: {
      USD: {
        fees: [{ feeId: 'seat', description: 'Seats', amount: '1000.00', term: 'in_advance' }],
        prices: [],
      },
    },
  })
  expect(await reasonOf({ id: `ta.${tenant}`, operationId: 'op_a' })).toBe('credit.insufficient')
  expect(await reasonOf({ id: `ta.${tenant}`, operationId: 'op_a' })).toBe('credit.insufficient')
  await grant({ amount: '5000', currency: 'USD', scope: { meters: ['egress_bytes'] } })
  expect(await reasonOf({ id: `tb.${tenant}`, operationId: 'op_b' })).toBe('credit.insufficient')
  await grant({ amount: '5000', currency: 'USD' })
  expect(await reasonOf({ id: `tc.${tenant}`, operationId: 'op_c' })).toBe('ai.energent.billing.charged.v1')
  tenant = 'unknown-tenant'
  expect(await reasonOf({ id: 'd', operationId: 'op_d' })).toBe('resource.not_found')
  await asOperator('DELETE', '/v1/plans/prepaid-premium')
})

import { describe, expect, test } from 'vitest'
import { EXAMPLE_PLANS } from '../../../functions/billing/domain/example-plans.ts'
import { parsePlanVersion, parseWantedPlan } from '../../../functions/billing/domain/parse-plan.ts'
import { defaultPlan, type PlanVersion, planIn, priceFor } from '../../../functions/billing/domain/plan.ts'
import { faultsInPrice, type PriceModel } from '../../../functions/billing/domain/price-models.ts'

const tiers = (...bounds: (string | null)[]) =>
  bounds.map((up_to) => ({ up_to, unit_amount: '1', flat_amount: '0' }))

describe('price models', () => {
  test.each<[PriceModel, object]>([
    [
      'per_unit',
      { unit_amount: '0.000000000001', percent_discount: '100', commitment: { minimum: '1', maximum: '1' } },
    ],
    ['per_unit', { unit_amount: '1', convert: { divide_by: '60', rounding: 'none' } }],
    ['graduated', { tiers: tiers('10', '20', null) }],
    ['volume', { tiers: tiers(null) }],
    ['graduated_percentage', { tiers: [{ up_to: null, rate_percent: '2.5', flat_amount: '1' }] }],
    ['package', { package_size: '1000', package_amount: '5', free_units: '100', rounding: 'up' }],
    [
      'block_tiered',
      { policy: 'top_tier', tiers: [{ block_size: '10', max_blocks: '2', block_amount: '3' }] },
    ],
    ['percentage', { rate_percent: '2.9', fixed_amount: '0.3', per_transaction_max: '5' }],
    ['dynamic', { multiplier: '1.2', minor_digits: 2 }],
    ['bucketed', { price: { model: 'graduated', tiers: tiers('5', null) } }],
  ])('%s with %j prices any usage', (model, parameters) => {
    expect(faultsInPrice(model, parameters)).toEqual([])
  })

  test.each<[PriceModel, object, string]>([
    ['per_unit', {}, 'unit_amount'],
    ['per_unit', { unit_amount: 1 }, 'unit_amount'],
    ['per_unit', { unit_amount: '-1' }, 'unit_amount'],
    ['per_unit', { unit_amount: '1e3' }, 'unit_amount'],
    ['per_unit', { unit_amount: '1', included_quantity: '5' }, 'included_quantity'],
    ['per_unit', { unit_amount: '1', percent_discount: '100.1' }, 'percent_discount'],
    ['per_unit', { unit_amount: '1', commitment: { minimum: '2', maximum: '1' } }, 'minimum'],
    ['per_unit', { unit_amount: '1', convert: { divide_by: '0' } }, 'divide_by'],
    ['per_unit', { unit_amount: '1', unitAmount: '1' }, 'unitAmount'],
    ['graduated', { tiers: [] }, 'tiers'],
    ['graduated', { tiers: tiers('10', '20') }, 'up_to null'],
    ['graduated', { tiers: tiers('20', '10', null) }, 'ascend'],
    ['graduated', { tiers: tiers(null, null) }, 'without end'],
    ['volume', { tiers: tiers('10', '10', null) }, 'ascend'],
    ['package', { package_size: '0', package_amount: '5' }, 'package_size'],
    ['package', { package_size: '10', package_amount: '5', rounding: 'sideways' }, 'rounding'],
    ['block_tiered', { policy: 'some', tiers: [] }, 'policy'],
    ['block_tiered', { policy: 'all_tiers', tiers: [{ block_size: '0', block_amount: '1' }] }, 'block_size'],
    ['percentage', { fixed_amount: '1' }, 'rate_percent'],
    ['dynamic', { multiplier: '1' }, 'minor_digits'],
    ['bucketed', { price: { model: 'bucketed' } }, 'model'],
    ['bucketed', { price: { model: 'per_unit' } }, 'unit_amount'],
  ])('%s with %j does not: %s', (model, parameters, word) => {
    expect(faultsInPrice(model, parameters).join()).toContain(word)
  })
})

describe('plans', () => {
  const price = (fields: object = {}) => ({
    priceId: 'tokens',
    meter: 'llm_tokens_in',
    unit: 'million tokens',
    model: 'per_unit',
    parameters: { unit_amount: '3', convert: { divide_by: '1000000' } },
    ...fields,
  })
  const plan = (sheet: object, fields: object = {}) => ({
    planId: 'team',
    name: 'Team',
    tier: 'standard',
    currency: 'USD',
    currencies: { USD: { fees: [], prices: [], ...sheet } },
    ...fields,
  })
  const fee = { feeId: 'base', description: 'Base', amount: '10', term: 'in_arrears' }

  test.each(EXAMPLE_PLANS.map((example) => [example.planId, example] as const))(
    '%s is a plan, stored and read',
    (_id, example) => {
      expect(parsePlanVersion(JSON.parse(JSON.stringify(example)))).toEqual({ ok: true, value: example })
      expect(example.example).toBe(true)
      expect(Object.keys(example.currencies).sort()).toEqual(['EUR', 'JPY', 'KWD', 'USD'])
    },
  )

  test('prices by the group: the first whose filters fit, and the rest to the last', () => {
    const small = price({ priceId: 'small', filters: { model: ['small', 'tiny'] }, groupBy: ['provider'] })
    const parsed = parseWantedPlan(plan({ prices: [small, price()] }))
    if (!parsed.ok) throw new Error(parsed.hint)
    const prices = parsed.value.currencies.USD?.prices ?? []
    const idFor = (model: string) => priceFor(prices, 'llm_tokens_in', { model, provider: 'x' })?.priceId
    expect([idFor('tiny'), idFor('large'), idFor('')]).toEqual(['small', 'tokens', 'tokens'])
  })

  test.each([
    [plan({}, { tier: 'gold' }), 'tier'],
    [plan({}, { tier: ['basic', 'standard'] }), 'tier'],
    [plan({}, { planId: 'Team!' }), 'planId'],
    [plan({}, { example: true }), 'example'],
    [plan({}, { listed: 'no' }), 'listed'],
    [plan({}, { graceHours: 73 }), 'graceHours'],
    [plan({}, { late: { policy: 'ignore', horizonDays: 1 } }), 'late'],
    [plan({}, { currency: 'EUR' }), 'EUR must be one of them'],
    [plan({}, { currencies: { USD: { fees: [], prices: [] }, XXX: { fees: [], prices: [] } } }), 'XXX'],
    [
      plan({}, { currencies: { USD: { fees: [fee], prices: [] }, EUR: { fees: [], prices: [] } } }),
      'EUR must have',
    ],
    [plan({ fees: [{ ...fee, amount: '-1' }] }), 'amount'],
    [plan({ fees: [{ ...fee, term: 'sometime' }] }), 'term'],
    [plan({ fees: [fee, fee] }), 'stands twice'],
    [plan({ prices: [price({ meter: 'bananas' })] }), 'meter'],
    [plan({ prices: [price({ filters: { color: ['red'] } })] }), 'no dimension color'],
    [plan({ prices: [price(), price({ priceId: 'second' })] }), 'stands behind'],
    [plan({ prices: [price({ included: '-1' })] }), 'included'],
    [
      plan({ prices: [price({ model: 'percentage', parameters: { rate_percent: '1' }, included: '5' })] }),
      'includes nothing',
    ],
    [plan({ prices: [price({ surprise: 1 })] }), 'surprise'],
    [plan({ commitment: { minimum: '5', maximum: '1' } }), 'minimum'],
  ])('%j is none: %s', (raw, word) => {
    const refused = parseWantedPlan(raw)
    expect(refused.ok).toBe(false)
    expect(refused.ok ? '' : refused.hint).toContain(word)
  })

  test('an operator’s own default plan comes before a shipped example, and a retired one not at all', () => {
    const [basic] = EXAMPLE_PLANS as readonly [PlanVersion]
    const own = { ...basic, planId: 'own', example: false, validFromMs: 5 }
    const newer = { ...own, planId: 'newer', validFromMs: 6 }
    expect(defaultPlan('basic', EXAMPLE_PLANS)?.planId).toBe('example-basic')
    expect(defaultPlan('basic', [...EXAMPLE_PLANS, own, newer])?.planId).toBe('newer')
    expect(defaultPlan('basic', [{ ...own, isDefault: false }])).toBeUndefined()
  })

  test('what is not listed is no tier’s default; what says nothing of it is listed', () => {
    const [basic] = EXAMPLE_PLANS as readonly [PlanVersion]
    const hidden = { ...basic, planId: 'hidden', example: false, listed: false, validFromMs: 9 }
    expect(defaultPlan('basic', [...EXAMPLE_PLANS, hidden])?.planId).toBe('example-basic')
    expect(defaultPlan('basic', [hidden])).toBeUndefined()
    expect(parseWantedPlan(plan({}))).toMatchObject({ ok: true, value: { listed: true } })
    const { listed: _listed, ...stored } = basic
    expect(parsePlanVersion(stored)).toMatchObject({ ok: true, value: { listed: true } })
  })

  test('a plan is read in the one currency of a subscription, or not sold in it', () => {
    const [basic] = EXAMPLE_PLANS as readonly [PlanVersion]
    expect(planIn(basic, 'JPY')).toMatchObject({ currency: 'JPY', fees: [{ amount: '7350' }] })
    expect(planIn(basic, 'BHD')).toBeUndefined()
  })
})

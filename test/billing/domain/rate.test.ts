import fc from 'fast-check'
import { expect, test } from 'vitest'
import { rate } from '../../../functions/billing/domain/rate.ts'
import { RatingError } from '../../../functions/billing/domain/rating/fields.ts'
import examples from '../examples/rating-examples.json' with { type: 'json' }
import { cases } from '../support/cases.ts'

test.each(examples.map((example, index) => [`${index} ${example.model}`, example] as const))(
  'example %s is rated as it is written down',
  (_name, { model, parameters, usage, expected }) => {
    expect(rate(model, parameters, usage)).toMatchObject(expected)
  },
)

test.each(['toString', '__proto__', 'constructor', ''])(
  'the name %j of an object member is no model',
  (model) => {
    expect(() => rate(model, {}, { quantity: '1' })).toThrow(RatingError)
  },
)

test.each([['1e3'], ['0x10'], ['+1'], [' 1'], ['1.'], ['.5'], ['NaN'], [1.5], [2 ** 53], [null], ['٣']])(
  'a quantity of %j is refused',
  (quantity) => {
    expect(() => rate('per_unit', { unit_amount: '1' }, { quantity })).toThrow(RatingError)
  },
)

const TIERS = [
  { up_to: '5', unit_amount: '0.7', flat_amount: '1' },
  { up_to: '10', unit_amount: '0.3', flat_amount: '0' },
  { up_to: null, unit_amount: '0.1', flat_amount: '2' },
]

test('included units come off after conversion and rounding', () => {
  const parameters = {
    unit_amount: '2',
    included_quantity: '3',
    convert: { divide_by: '60', rounding: 'ceil' },
  }
  expect(rate('per_unit', parameters, { quantity: '241' })).toMatchObject({
    amount: '4',
    billed_quantity: '2',
  })
})

test('the discount comes before the cap, and the cap counts what was billed before', () => {
  const parameters = { unit_amount: '10', percent_discount: '50', commitment: { maximum: '60' } }
  expect(
    rate('per_unit', parameters, { quantity: '10', previously_billed: '20', position: 'mid' }),
  ).toMatchObject({
    amount: '40',
    percent_discount_amount: '50',
    maximum_discount: '10',
  })
})

test.each([
  ['single', '100', '90'],
  ['first', '10', '0'],
  ['mid', '10', '0'],
  ['last', '100', '90'],
])('the minimum is due in the %s part only when it closes the period', (position, amount, trueUp) => {
  const parameters = { unit_amount: '1', commitment: { minimum: '100' } }
  const rated = rate('per_unit', parameters, { quantity: '10', position })
  expect(rated).toMatchObject({ amount, minimum_true_up: trueUp })
})

test('the flat amount of a later tier is due with its first unit, and once', () => {
  expect(rate('graduated', { tiers: TIERS }, { quantity: '10' })).toMatchObject({ amount: '6' })
  expect(rate('graduated', { tiers: TIERS }, { quantity: '0.001', pre_quantity: '10' })).toMatchObject({
    amount: '2.0001',
  })
  expect(rate('graduated', { tiers: TIERS }, { quantity: '1', pre_quantity: '11' })).toMatchObject({
    amount: '0.1',
  })
})

test('a volume price dips where a cheaper tier begins', () => {
  const tiers = [
    { up_to: '100', unit_amount: '2', flat_amount: '0' },
    { up_to: null, unit_amount: '1', flat_amount: '0' },
  ]
  expect(rate('volume', { tiers }, { quantity: '100' })).toMatchObject({ amount: '200' })
  expect(rate('volume', { tiers }, { quantity: '101' })).toMatchObject({ amount: '101' })
})

test.each([
  [
    'a tier without end before the last',
    [
      { up_to: null, unit_amount: '1' },
      { up_to: '1', unit_amount: '1' },
    ],
  ],
  [
    'bounds that do not ascend',
    [
      { up_to: '5', unit_amount: '1' },
      { up_to: '5', unit_amount: '1' },
    ],
  ],
  ['no tier at all', []],
])('tiers with %s are refused', (_name, tiers) => {
  expect(() => rate('graduated', { tiers }, { quantity: '1' })).toThrow(RatingError)
})

const quantity = fc
  .integer({ min: 0, max: 10_000_000 })
  .map((milli) => milli / 1000)
  .map(String)
const UNIT_PRICES = [
  ['per_unit', { unit_amount: '0.37', included_quantity: '5' }],
  ['graduated', { tiers: TIERS }],
  ['package', { package_size: '7', package_amount: '3', free_units: '2', rounding: 'up' }],
] as const

test.each(UNIT_PRICES)('more of %s never costs less', (model, parameters) => {
  fc.assert(
    fc.property(quantity, quantity, (one, other) => {
      const [less, more] = Number(one) < Number(other) ? [one, other] : [other, one]
      const amount = (units: string): number => Number(rate(model, parameters, { quantity: units })['amount'])
      return amount(less) <= amount(more)
    }),
    cases(100),
  )
})

test.each(UNIT_PRICES)('%s billed in two parts costs what it costs in one', (model, parameters) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 0, max: 5000 }), (first, second) => {
      const part = (units: number, before: number) =>
        Number(rate(model, parameters, { quantity: String(units), pre_quantity: String(before) })['amount'])
      const whole = part(first + second, 0)
      expect(part(first, 0) + part(second, first)).toBeCloseTo(whole, 9)
    }),
    cases(100),
  )
})

test('phases of a growing quantity add up to one bill for the whole', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 8 }), (steps) => {
      const cumulative = steps.map((_step, index) =>
        String(steps.slice(0, index + 1).reduce((sum, step) => sum + step, 0)),
      )
      const price = { model: 'graduated', tiers: TIERS }
      const { phase_amounts: phases } = rate(
        'rerate',
        { price, minor_digits: 0 },
        { cumulative_quantity: cumulative },
      )
      const whole = rate('graduated', { tiers: TIERS }, { quantity: cumulative.at(-1) })
      const { value } = rate('rounding', { minor_digits: 0, mode: 'half_up' }, { value: whole['amount'] })
      expect((phases as string[]).reduce((sum, phase) => sum + Number(phase), 0)).toBe(Number(value))
    }),
    cases(100),
  )
})

test('the parts of an allocation add up to the whole', () => {
  const weights = fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 9 })
  fc.assert(
    fc.property(fc.integer({ min: -10_000, max: 10_000 }), weights, (cents, parts) => {
      fc.pre(parts.some((part) => part > 0))
      const named = Object.fromEntries(parts.map((part, index) => [`w${index}`, String(part)]))
      const amount = `${cents < 0 ? '-' : ''}${(Math.abs(cents) / 100).toFixed(2)}`
      const { amounts } = rate('allocation', { amount, minor_digits: 2 }, { weights: named })
      const sum = Object.values(amounts as Record<string, string>).reduce(
        (all, one) => all + Number(one) * 100,
        0,
      )
      expect(Math.round(sum)).toBe(cents)
    }),
    cases(100),
  )
})

test.each([
  ['half_up', '0.5', '1'],
  ['half_up', '-0.5', '-1'],
  ['half_down', '0.5', '0'],
  ['half_down', '-0.5', '0'],
  ['half_down', '0.50001', '1'],
  ['half_even', '0.5', '0'],
  ['half_even', '1.5', '2'],
  ['half_even', '-2.5', '-2'],
  ['ceil', '-0.9', '0'],
  ['ceil', '0.1', '1'],
  ['floor', '-0.1', '-1'],
  ['floor', '0.9', '0'],
  ['up', '-0.1', '-1'],
  ['down', '-0.9', '0'],
])('%s rounds %s to %s', (mode, value, expected) => {
  expect(rate('rounding', { minor_digits: 0, mode }, { value })).toEqual({ value: expected })
})

test('rounding reaches left of the point', () => {
  expect(rate('rounding', { minor_digits: -2, mode: 'half_up' }, { value: '1250' })).toEqual({
    value: '1300',
  })
})

test('anniversary periods come back to the anchor day after a short month', () => {
  const { periods } = rate(
    'billing_periods',
    { anchor: '2023-01-31', interval: 'month', mode: 'anniversary', timezone: 'UTC' },
    { count: 3 },
  )
  expect(periods).toEqual([
    { from: '2023-01-31', to_inclusive: '2023-02-27' },
    { from: '2023-02-28', to_inclusive: '2023-03-30' },
    { from: '2023-03-31', to_inclusive: '2023-04-29' },
  ])
})

const at = (day: number, hour = 0) => new Date(Date.UTC(2024, 0, day, hour)).toISOString()
const burn = (grants: object[], events: [number, string][], until = 31) =>
  rate(
    'credit_burn',
    { grants, measure_from: at(1) },
    { events: events.map(([day, value]) => ({ at: at(day, 1), value })), until: at(until) },
  )
const grant = (id: string, more: object = {}) => ({
  id,
  amount: '100',
  priority: 1,
  effective_at: at(1),
  ...more,
})

test('credit burns by priority, then by what expires first', () => {
  const grants = [
    grant('later', { expires_at: at(30) }),
    grant('sooner', { expires_at: at(29) }),
    grant('first', { priority: 0 }),
  ]
  expect(burn(grants, [[2, '150']], 20)).toMatchObject({
    balances: { first: '0', sooner: '50', later: '100' },
    overage: '0',
    consumed: '150',
  })
})

test('credit does not survive its expiry or its voiding, and pays nothing from then on', () => {
  const ended = burn([grant('a', { expires_at: at(10) }), grant('b', { voided_at: at(5) })], [[12, '30']])
  expect(ended).toMatchObject({ balances: { a: '0', b: '0' }, overage: '30' })
})

test('overage is paid by the grant that begins next', () => {
  expect(
    burn(
      [grant('a', { effective_at: at(10) })],
      [
        [2, '30'],
        [12, '10'],
      ],
    ),
  ).toMatchObject({
    balances: { a: '60' },
    overage: '0',
  })
})

test('a recurring grant is full again at each of its instants, and saves nothing up', () => {
  const recurring = grant('a', { recurrence: { every_days: 7, anchor: at(1) } })
  expect(
    burn(
      [recurring],
      [
        [2, '60'],
        [9, '10'],
      ],
      10,
    ),
  ).toMatchObject({ balances: { a: '90' } })
  expect(burn([recurring], [], 31)).toMatchObject({ balances: { a: '100' } })
})

test('no order of events changes what is left, and credit never goes below zero', () => {
  const events = fc.array(
    fc.tuple(fc.integer({ min: 1, max: 28 }), fc.integer({ min: 0, max: 90 }).map(String)),
    {
      maxLength: 8,
    },
  )
  const grants = [
    grant('a', { expires_at: at(9) }),
    grant('b', { effective_at: at(6), recurrence: { every_days: 5, anchor: at(3) } }),
    grant('c', { priority: 2, voided_at: at(20) }),
  ]
  fc.assert(
    fc.property(events, (list) => {
      const result = burn(grants, list)
      expect(burn(grants.toReversed(), list.toReversed())).toEqual({
        ...result,
        balances: expect.objectContaining(result['balances'] as object),
      })
      expect(
        Object.values(result['balances'] as Record<string, string>).every((left) => Number(left) >= 0),
      ).toBe(true)
      const used = list.reduce((sum, [, value]) => sum + Number(value), 0)
      expect(Number(result['consumed']) + Number(result['overage'])).toBe(used)
    }),
    cases(100),
  )
})

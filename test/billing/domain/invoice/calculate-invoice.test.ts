import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { monthOf } from '../../../../functions/billing/domain/calendar.ts'
import { toMinor } from '../../../../functions/billing/domain/currency.ts'
import { formulaOf } from '../../../../functions/billing/domain/invoice/explain-line.ts'
import { add, decimal, multiply, rational, ZERO } from '../../../../functions/billing/domain/rational.ts'
import type { Subscription } from '../../../../functions/billing/domain/subscription.ts'
import { periodAt, segmentsOf } from '../../../../functions/billing/domain/subscription-phases.ts'
import { cases } from '../../support/cases.ts'
import {
  aFee,
  aGrant,
  aPlan,
  aPrice,
  flips,
  input,
  invoice,
  NOVEMBER,
  timeShare,
  used,
  wholeMonth,
} from './support.ts'

const cents = fc
  .integer({ min: 0, max: 200_000 })
  .map((minor) => `${Math.floor(minor / 100)}.${String(minor % 100).padStart(2, '0')}`)

const SUBSCRIPTION: Subscription = {
  subscriptionId: 'sub_acme',
  status: 'active',
  rev: 1,
  planId: 'plan',
  planVersion: 1,
  tier: 'basic',
  currency: 'USD',
  timeZone: 'America/New_York',
  periods: 'calendar',
  interval: 'month',
  anchorMs: 0,
  startedAtMs: 0,
  operationId: 'op_1',
  history: [],
}

describe('what adds up', () => {
  test('the lines of all groups add up to their parent, and all lines to the subtotal', () => {
    const group = fc.record({
      model: fc.constantFrom('a', 'b', 'c', 'd', ''),
      n: fc.integer({ min: 0, max: 1_000_000 }),
    })
    fc.assert(
      fc.property(
        fc.uniqueArray(group, { selector: (one) => one.model, minLength: 1 }),
        cents,
        (groups, fee) => {
          const price = aPrice({
            meter: 'llm_tokens_in',
            groupBy: ['model'],
            parameters: { unit_amount: '3', convert: { divide_by: '1000000' } },
          })
          const rows = groups.map(({ model, n }) => used(String(n), { model }))
          const { draft } = invoice(
            input(wholeMonth(aPlan({ fees: [aFee(fee)], prices: [price] })), () => rows),
          )
          const usage = draft.lines.filter(({ kind }) => kind === 'usage')
          const parent = usage[0]?.parent?.amount.minor ?? usage[0]?.amount.minor
          expect(usage.reduce((sum, { amount }) => sum + amount.minor, 0)).toBe(parent)
          expect(draft.lines.reduce((sum, { amount }) => sum + amount.minor, 0)).toBe(draft.subtotal.minor)
        },
      ),
      cases(200),
    )
  })

  test("a group's line still says by which tiers the price of all groups came about", () => {
    const tiers = [
      { up_to: '1', unit_amount: '3', flat_amount: '1' },
      { up_to: null, unit_amount: '2' },
    ]
    const price = aPrice({
      ...{ meter: 'llm_tokens_in', model: 'graduated', groupBy: ['model'] },
      parameters: { tiers, convert: { divide_by: '1000000' } },
    })
    const rows = ['a', 'b'].map((model) => used('1000000', { model }))
    const { draft } = invoice(input(wholeMonth(aPlan({ prices: [price] })), () => rows))
    const lines = draft.lines.filter(({ kind }) => kind === 'usage')
    expect(lines).toHaveLength(2)
    for (const line of lines) {
      expect(line).toMatchObject({ amount: { minor: 300 }, exact: { n: '6', d: '1' } })
      expect(line.components).toEqual([
        { tier: 1, kind: 'unit', quantity: '1', amount: '3' },
        { tier: 1, kind: 'flat', amount: '1' },
        { tier: 2, kind: 'unit', quantity: '1', amount: '2' },
      ])
      expect(formulaOf(line, price).text).toBe(
        '1000000 of llm_tokens_in, in run, is 1 billed; graduated gives 6/1 for all groups, rounded once: 6.00, of which this group has 3.00 USD',
      )
    }
  })

  test('any plan flips cost the time-weighted sum of the plans, within a minor unit for each proration line', () => {
    const cutsOf = fc.uniqueArray(fc.integer({ min: 1, max: 29 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(
        fc.array(cents, { minLength: 6, maxLength: 6 }),
        cutsOf,
        fc.boolean(),
        (fees, chosen, advance) => {
          const cuts = chosen.toSorted((left, right) => left - right)
          const term = advance ? ('in_advance' as const) : ('in_arrears' as const)
          const plans = fees
            .slice(0, cuts.length + 1)
            .map((fee, index) => aPlan({ version: index + 1, fees: [aFee(fee, { term })] }))
          const segments = flips(plans, cuts)
          const { draft } = invoice(input(segments))
          const exact = segments.reduce(
            (sum, { plan, share }) => add(sum, multiply(decimal(plan.fees[0]?.amount ?? '0'), share)),
            ZERO,
          )
          const off = BigInt(draft.subtotal.minor) - toMinor(exact, 'USD')
          expect(off <= BigInt(draft.lines.length) && off >= -BigInt(draft.lines.length)).toBe(true)
        },
      ),
      cases(200),
    )
  })

  test('any plan flips include the time-weighted allowance', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 29 }), fc.nat(100_000), fc.nat(100_000), (cut, first, second) => {
        const plan = (version: number, included: number) =>
          aPlan({
            version,
            prices: [
              aPrice({
                meter: 'vcpu_seconds',
                included: String(included),
                parameters: { unit_amount: '0.01' },
              }),
            ],
          })
        const segments = flips([plan(1, first), plan(2, second)], [cut])
        const { draft } = invoice(input(segments, () => [used('1000000')]))
        const weighted = add(rational(BigInt(first * cut), 30n), rational(BigInt(second * (30 - cut)), 30n))
        const exact = draft.lines
          .map(({ exact: { n, d } }) => rational(BigInt(n), BigInt(d)))
          .reduce(add, ZERO)
        const quantity = rational(1_000_000n * BigInt(first === second ? 1 : 2))
        const billed = add(quantity, multiply(weighted, rational(-1n)))
        expect(exact).toEqual(multiply(billed, decimal('0.01')))
      }),
      cases(200),
    )
  })

  test('a change that leaves a price as it is does not begin its tiers anew', () => {
    const tiers = [
      { up_to: '100', unit_amount: '1' },
      { up_to: null, unit_amount: '0.5' },
    ]
    const prices = [aPrice({ model: 'graduated', parameters: { tiers } })]
    const segments = flips(
      [aPlan({ fees: [aFee('10')], prices }), aPlan({ version: 2, fees: [aFee('20')], prices })],
      [15],
    )
    const { draft } = invoice(input(segments, () => [used('150')]))
    const usage = draft.lines.filter(({ kind }) => kind === 'usage')
    expect(usage.map(({ amount }) => amount.minor)).toEqual([12_500])
  })
})

describe('the same history', () => {
  test('in another order of groups, grants and rates gives the same digest', () => {
    const price = aPrice({ meter: 'llm_tokens_in', groupBy: ['model'], parameters: { unit_amount: '0.013' } })
    const rows = ['a', 'b', 'c', 'd'].map((model, index) => used(String(index * 37 + 1), { model }))
    const grants = ['g1', 'g2', 'g3'].map((grantId, index) => aGrant({ grantId, amount: `0.${index + 3}` }))
    const rates = [
      { rateId: 'state', category: 'standard', percent: '6.25' },
      { rateId: 'county', category: 'standard', percent: '1.5' },
    ]
    const segments = wholeMonth(aPlan({ fees: [aFee('49')], prices: [price] }))
    const digest = (order: <T>(list: readonly T[]) => T[]): string =>
      invoice(
        input(segments, () => order(rows), {
          grants: order(grants),
          tax: { mode: 'per_rate', rates: order(rates) },
        }),
      ).draft.digest
    const once = digest((list) => [...list])
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat()), (chance) => {
        const shuffled = <T>(list: readonly T[]): T[] =>
          list
            .map((item) => ({ item, at: chance.next().value ?? 0 }))
            .sort((left, right) => left.at - right.at)
            .map(({ item }) => item)
        expect(digest(shuffled)).toBe(once)
      }),
      cases(200),
    )
  })
})

describe('amounts', () => {
  const monotone = fc.constantFrom(
    { model: 'per_unit' as const, parameters: { unit_amount: '0.013' } },
    {
      model: 'graduated' as const,
      parameters: {
        tiers: [
          { up_to: '500', unit_amount: '0.05', flat_amount: '1' },
          { up_to: null, unit_amount: '0.01' },
        ],
      },
    },
    { model: 'package' as const, parameters: { package_size: '100', package_amount: '7', free_units: '50' } },
  )

  test('grow with the quantity: per unit, graduated and package', () => {
    fc.assert(
      fc.property(monotone, fc.nat(5_000), fc.nat(5_000), (price, quantity, more) => {
        const amount = (n: number): number =>
          invoice(input(wholeMonth(aPlan({ prices: [aPrice(price)] })), () => [used(String(n))])).draft.total
            .minor
        expect(amount(quantity + more)).toBeGreaterThanOrEqual(amount(quantity))
      }),
      cases(200),
    )
  })

  test('of a volume price dip where the next tier begins, as volume prices do', () => {
    const parameters = {
      tiers: [
        { up_to: '100', unit_amount: '1' },
        { up_to: null, unit_amount: '0.5' },
      ],
    }
    const plan = aPlan({ prices: [aPrice({ model: 'volume', parameters })] })
    const total = (n: string): number => invoice(input(wholeMonth(plan), () => [used(n)])).draft.total.minor
    expect([total('100'), total('101')]).toEqual([10_000, 5_050])
  })

  test('of nothing used are nothing but fees and the flat part of the first tier', () => {
    const tiers = [{ up_to: null, unit_amount: '1', flat_amount: '2.50' }]
    const plan = aPlan({
      fees: [aFee('49.00')],
      prices: [aPrice({ model: 'graduated', parameters: { tiers } })],
    })
    const { draft } = invoice(input(wholeMonth(plan), () => []))
    expect(draft.lines.map(({ amount }) => amount.amount)).toEqual(['49.00', '2.50'])
  })

  test.each([
    ['JPY', 0, '1234', 1_234],
    ['KWD', 3, '1234.568', 1_234_568],
    ['USD', 2, '1234.57', 123_457],
  ] as const)('in %s have %d decimal places', (currency, _digits, amount, minor) => {
    const plan = aPlan({ prices: [aPrice({ parameters: { unit_amount: '1234.5678' } })] })
    const { draft } = invoice(input(wholeMonth(plan), () => [used('1')], { currency }))
    expect(draft.lines[0]?.amount).toMatchObject(
      currency === 'JPY' ? { amount: '1235', minor: 1_235 } : { amount, minor },
    )
  })

  test('of a price by transaction have a fee for each', () => {
    const parameters = { rate_percent: '10', fixed_amount: '0.30' }
    const plan = aPlan({ prices: [aPrice({ meter: 'agent_minutes', model: 'percentage', parameters })] })
    const rows = [{ ...used('150'), transactions: [decimal('100'), decimal('50')] }]
    expect(invoice(input(wholeMonth(plan), () => rows)).draft.total.minor).toBe(1_560)
  })

  test('halves are rounded away from zero, once, on the line', () => {
    const plan = aPlan({ prices: [aPrice({ parameters: { unit_amount: '0.005' } })] })
    expect(invoice(input(wholeMonth(plan), () => [used('1')])).draft.lines[0]?.amount.minor).toBe(1)
  })

  test('a price’s minimum and maximum count over all parts of the period, by time', () => {
    const price = (unit: string, commitment: Record<string, string>) =>
      aPrice({ parameters: { unit_amount: unit, commitment } })
    const low = flips(
      [
        aPlan({ prices: [price('1', { minimum: '30' })] }),
        aPlan({ version: 2, prices: [price('2', { minimum: '60' })] }),
      ],
      [15],
    )
    const least = invoice(input(low, () => [used('1')])).draft
    // 1 + 2 used; half of 30 and half of 60 are owed, and the last part makes it up.
    expect(least.lines.map(({ amount }) => amount.minor)).toEqual([100, 4_400])
    const high = wholeMonth(aPlan({ prices: [price('1', { maximum: '30' })] }))
    expect(invoice(input(high, () => [used('99')])).draft.lines[0]).toMatchObject({
      amount: { minor: 3_000 },
      adjustments: { maximumDiscount: '69' },
    })
  })

  test('a plan’s minimum and maximum hold over all its usage', () => {
    const prices = [aPrice(), aPrice({ priceId: 'tokens', meter: 'llm_tokens_in' })]
    const total = (commitment: { minimum?: string; maximum?: string }, n: string): number =>
      invoice(input(wholeMonth(aPlan({ prices, commitment, fees: [aFee('10')] })), () => [used(n)])).draft
        .total.minor
    expect(total({ minimum: '100' }, '10')).toBe(11_000)
    expect(total({ maximum: '100' }, '100000')).toBe(11_000)
    expect(total({ minimum: '1', maximum: '100' }, '500')).toBe(6_000)
  })

  test('what JSON cannot state is refused', () => {
    const plan = aPlan({ prices: [aPrice({ parameters: { unit_amount: '999999999999999' } })] })
    expect(() => invoice(input(wholeMonth(plan), () => [used('999999999999999')]))).toThrow(/minor units/)
  })
})

describe('months', () => {
  test('a day that the clocks change is as long as it is', () => {
    // In New York, November 2026 has 30 days and 721 hours.
    const november = monthOf(Date.parse('2026-11-15T00:00:00Z'), 'America/New_York')
    expect(november.toMs - november.fromMs).toBe(721 * 3_600_000)
    const begun = { ...SUBSCRIPTION, startedAtMs: november.fromMs + 3_600_000 }
    expect(segmentsOf(begun, periodAt(begun, begun.startedAtMs))).toMatchObject([
      { share: rational(720n, 721n) },
    ])
  })

  test('anniversaries of a 31st end with their month, counted from the anchor', () => {
    const anchorMs = Date.parse('2027-01-31T05:00:00Z')
    const begun = { ...SUBSCRIPTION, periods: 'anniversary' as const, anchorMs, startedAtMs: anchorMs }
    const starts = [0, 1, 2, 3].reduce<number[]>(
      (found) => [...found, periodAt(begun, found.at(-1) ?? anchorMs).toMs],
      [],
    )
    expect(starts.map((ms) => new Date(ms).toISOString())).toEqual([
      '2027-02-28T05:00:00.000Z',
      // The clocks are an hour ahead from the middle of March.
      '2027-03-31T04:00:00.000Z',
      '2027-04-30T04:00:00.000Z',
      '2027-05-31T04:00:00.000Z',
    ])
  })

  test('a month that is cut at its last millisecond bills that millisecond', () => {
    const last = { fromMs: NOVEMBER.toMs - 1, toMs: NOVEMBER.toMs }
    const share = timeShare(last, NOVEMBER)
    expect(share).toEqual(rational(1n, 2_592_000_000n))
    const segments = [{ period: last, plan: aPlan({ fees: [aFee('2592000000')] }), share }]
    expect(invoice(input(segments)).draft.total.minor).toBe(100)
  })
})

describe('what comes off', () => {
  const plan = aPlan({ fees: [aFee('40')], prices: [aPrice({ parameters: { unit_amount: '1' } })] })
  const amounts = fc.array(fc.integer({ min: 0, max: 9_000 }), { maxLength: 6 })

  test('credit pays in its order, never more than is due or is left, and nothing when it is over', () => {
    fc.assert(
      fc.property(amounts, fc.nat(100), fc.nat(3), (minors, usage, expired) => {
        const grants = minors.map((minor, index) =>
          aGrant({
            grantId: `g${index}`,
            amount: `${Math.floor(minor / 100)}.${String(minor % 100).padStart(2, '0')}`,
            priority: index % 3,
            expiresAtMs: index < expired ? NOVEMBER.toMs - 1 : null,
          }),
        )
        const { draft, burns } = invoice(input(wholeMonth(plan), () => [used(String(usage))], { grants }))
        expect(draft.creditsApplied.minor).toBe(
          Math.min(
            minors.slice(expired).reduce((sum, minor) => sum + minor, 0),
            draft.subtotal.minor,
          ),
        )
        expect(draft.total.minor).toBe(draft.subtotal.minor - draft.creditsApplied.minor)
        for (const burn of burns) {
          const grant = grants.find(({ grantId }) => grantId === burn.grantId)
          expect(grant?.expiresAtMs).toBeNull()
        }
      }),
      cases(200),
    )
  })

  test('units that were granted come off the quantity before it is rated', () => {
    const grants = [aGrant({ grantId: 'free', amount: '30', measure: { meter: 'workflow_runs' } })]
    const calculated = invoice(input(wholeMonth(plan), () => [used('100')], { grants }))
    expect(calculated.draft.lines[1]).toMatchObject({
      granted: '30',
      billedQuantity: '70',
      amount: { minor: 7_000 },
    })
    expect(calculated.burns).toMatchObject([{ grantId: 'free', amount: { n: 30n, d: 1n } }])
  })

  test('what is more than there is to pay is carried forward, and the total is never negative', () => {
    const deductions = [{ kind: 'carried' as const, reference: 'inv_before', amountMinor: 10_000n }]
    const { draft } = invoice(input(wholeMonth(plan), () => [], { deductions }))
    expect(draft).toMatchObject({ net: { minor: 0 }, total: { minor: 0 }, carriedForward: { minor: 6_000 } })
  })

  test('tax is on what is paid, rounded once for each rate or on each line', () => {
    const prices = [
      aPrice({ parameters: { unit_amount: '0.33' } }),
      aPrice({ priceId: 'b', meter: 'llm_tokens_in', parameters: { unit_amount: '0.33' } }),
    ]
    const rates = [{ rateId: 'vat', category: 'standard', percent: '10' }]
    const tax = (mode: 'per_rate' | 'per_line'): number =>
      invoice(input(wholeMonth(aPlan({ prices })), () => [used('5')], { tax: { mode, rates } })).draft.tax
        .minor
    // Two lines of 1.65: 0.165 each rounds up alone, 0.33 together.
    expect([tax('per_line'), tax('per_rate')]).toEqual([34, 33])
  })

  test('what is taxed adds up to what is paid, whatever is negative', () => {
    fc.assert(
      fc.property(fc.array(cents, { minLength: 2, maxLength: 4 }), fc.nat(90_000), (fees, off) => {
        const plans = fees.map((fee, index) =>
          aPlan({
            version: index + 1,
            fees: [aFee(fee, { taxCategory: index % 2 === 0 ? 'standard' : 'reduced' })],
          }),
        )
        const cuts = [7, 14, 21].slice(0, fees.length - 1)
        const rates = ['standard', 'reduced'].map((category) => ({
          rateId: category,
          category,
          percent: '19',
        }))
        const deductions = [{ kind: 'sla' as const, reference: '202611', amountMinor: BigInt(off) }]
        const { draft } = invoice(
          input(flips(plans, cuts), () => [], { deductions, tax: { mode: 'per_rate', rates } }),
        )
        expect(draft.taxes.reduce((sum, { taxable }) => sum + taxable.minor, 0)).toBe(draft.net.minor)
        expect(draft.total.minor).toBe(draft.net.minor + draft.tax.minor)
        expect(draft.total.minor).toBeGreaterThanOrEqual(0)
      }),
      cases(200),
    )
  })
})

import { describe, expect, test } from 'vitest'
import { anEvent, aSubscription, closeAt, draftAt } from './full-invoice.ts'
import { aFee, aGrant, aPlan, aPrice } from './support.ts'

const RUN = aPrice({ parameters: { unit_amount: '1.50' } })
const TIERS = [
  { up_to: '100', unit_amount: '1' },
  { up_to: null, unit_amount: '0.5' },
]
const seconds = (fields: Parameters<typeof aPrice>[0] = {}) =>
  aPrice({ priceId: 'seconds', meter: 'vcpu_seconds', unit: 'vCPU second', ...fields })
const amounts = ({ draft }: ReturnType<typeof draftAt>) => draft.lines.map(({ amount }) => amount.amount)

describe('month-end', () => {
  const plan = aPlan({ fees: [aFee('49.99')], prices: [RUN] })

  test.each([
    ['2027', ['2027-01-31', '2027-02-28', '2027-03-31', '2027-04-30', '2027-05-31']],
    ['2028, a leap year', ['2028-01-31', '2028-02-29', '2028-03-31', '2028-04-30', '2028-05-31']],
  ])(
    'a 31st in %s: each invoice ends with its month, counted from the anchor, and none charges a day twice',
    (_year, days) => {
      const subscription = aSubscription(`${days[0]}T00:00:00Z`, { periods: 'anniversary' })
      const events = days.flatMap((day) => [
        anEvent('workflow_runs', `${day}T00:00:00Z`, '1'),
        anEvent('workflow_runs', `${day}T23:59:59.999Z`, '1'),
      ])
      const drafts = days
        .slice(0, -1)
        .map((day) => draftAt({ subscription, plan, events }, `${day}T00:00:00Z`))
      expect(drafts.map(({ draft }) => draft.period)).toEqual(
        days.slice(0, -1).map((day, at) => ({ from: `${day}T00:00:00Z`, to: `${days[at + 1]}T00:00:00Z` })),
      )
      // The day of the anchor begins a period: both of its runs are in the period that it begins.
      for (const draft of drafts) expect(amounts(draft)).toEqual(['49.99', '3.00'])
    },
  )

  test.each([
    ['February', '2027-02-15T00:00:00Z', '2027-02-01T00:00:00Z', '2027-03-01T00:00:00Z', '14.00'],
    [
      'February of a leap year',
      '2028-02-15T00:00:00Z',
      '2028-02-01T00:00:00Z',
      '2028-03-01T00:00:00Z',
      '14.48',
    ],
    ['a month of 31 days', '2027-01-15T00:00:00Z', '2027-01-01T00:00:00Z', '2027-02-01T00:00:00Z', '15.35'],
  ])(
    '%s: whoever begins on the 15th pays for what is left of just that month',
    (_name, started, from, to, fee) => {
      const subscription = aSubscription(started)
      const drafted = draftAt({ subscription, plan: aPlan({ fees: [aFee('28.00')] }), events: [] }, started)
      expect(drafted.draft.period).toEqual({ from, to })
      expect(amounts(drafted)).toEqual([fee])
    },
  )
})

describe('daylight saving', () => {
  test.each([
    ['spring forward', '2027-03-01T06:00:00Z', '743.00', '742.00'],
    ['fall back', '2026-11-01T05:00:00Z', '721.00', '720.00'],
  ])('%s: a month is as long as its hours, and a fee is shared by them', (_name, started, fee, due) => {
    // An hour after midnight in New York.
    const subscription = aSubscription(started, { timeZone: 'America/New_York' })
    const drafted = draftAt({ subscription, plan: aPlan({ fees: [aFee(fee)] }), events: [] }, started)
    expect(amounts(drafted)).toEqual([due])
  })

  test.each([
    ['spring forward', '2027-03-14', 23],
    ['fall back', '2026-11-01', 25],
  ])('%s: a level that holds all day is as many GiB hours as the day has hours', (_name, day, hours) => {
    const midnight =
      day === '2027-03-14' ? Date.parse('2027-03-14T05:00:00Z') : Date.parse('2026-11-01T04:00:00Z')
    const subscription = aSubscription('2026-10-01T04:00:00Z', { timeZone: 'America/New_York' })
    const samples = Array.from({ length: hours }, (_none, at) =>
      anEvent('storage_gib_hours', new Date(midnight + at * 3_600_000).toISOString(), '2'),
    )
    const end = anEvent('storage_gib_hours', new Date(midnight + hours * 3_600_000).toISOString(), '0')
    const price = aPrice({ meter: 'storage_gib_hours', unit: 'GiB hour', parameters: { unit_amount: '1' } })
    const drafted = draftAt(
      { subscription, plan: aPlan({ prices: [price] }), events: [...samples, end] },
      `${day}T12:00:00Z`,
    )
    expect(drafted.draft.lines[0]).toMatchObject({ quantity: String(2 * hours) })
  })

  test('fall back: the hour that the clocks show twice is two hours of usage', () => {
    const subscription = aSubscription('2026-10-01T04:00:00Z', { timeZone: 'America/New_York' })
    const events = ['2026-11-01T05:30:00Z', '2026-11-01T06:30:00Z'].map((time) =>
      anEvent('workflow_runs', time, '1'),
    )
    const drafted = draftAt({ subscription, plan: aPlan({ prices: [RUN] }), events }, '2026-11-15T00:00:00Z')
    expect(amounts(drafted)).toEqual(['3.00'])
  })

  test('a month of New York ends at its midnight, in winter time where it began in summer time', () => {
    const subscription = aSubscription('2026-10-01T04:00:00Z', { timeZone: 'America/New_York' })
    const events = [
      ...['2026-11-01T03:59:59.999Z', '2026-11-01T04:00:00Z'],
      ...['2026-12-01T04:59:59.999Z', '2026-12-01T05:00:00Z'],
    ].map((time) => anEvent('workflow_runs', time, '1'))
    const drafted = draftAt({ subscription, plan: aPlan({ prices: [RUN] }), events }, '2026-11-15T00:00:00Z')
    expect(drafted.draft.period).toEqual({ from: '2026-11-01T04:00:00Z', to: '2026-12-01T05:00:00Z' })
    expect(amounts(drafted)).toEqual(['3.00'])
  })
})

test('boundary millisecond: an event at the very end of a period is on the next invoice, and one before it on this', () => {
  const subscription = aSubscription('2026-11-01T00:00:00Z')
  const events = [
    '2026-10-31T23:59:59.999Z',
    '2026-11-01T00:00:00.000Z',
    '2026-11-30T23:59:59.999Z',
    '2026-12-01T00:00:00.000Z',
  ].map((time) => anEvent('workflow_runs', time, '1'))
  const history = { subscription, plan: aPlan({ prices: [RUN] }), events }
  const [november, december] = ['2026-11-15T00:00:00Z', '2026-12-15T00:00:00Z'].map((time) =>
    draftAt(history, time),
  )
  expect(november?.draft.lines).toMatchObject([{ quantity: '2', evidence: { events: 2 } }])
  expect(december?.draft.lines).toMatchObject([{ quantity: '1', evidence: { events: 1 } }])
})

test('zero usage: the fee is due, every price has its line of nothing, and a second look has the same digest', () => {
  const subscription = aSubscription('2026-11-01T00:00:00Z')
  const prices = [RUN, seconds({ model: 'graduated', parameters: { tiers: TIERS } })]
  const history = { subscription, plan: aPlan({ fees: [aFee('49.00')], prices }), events: [] }
  const drafted = draftAt(history, '2026-11-15T00:00:00Z')
  expect(amounts(drafted)).toEqual(['49.00', '0.00', '0.00'])
  expect(drafted.draft).toMatchObject({ total: { minor: 4_900 }, carriedForward: { minor: 0 } })
  expect(draftAt(history, '2026-11-30T00:00:00Z').draft.digest).toBe(drafted.draft.digest)
  const free = draftAt({ ...history, plan: aPlan({ prices }) }, '2026-11-15T00:00:00Z')
  expect(free.draft).toMatchObject({ subtotal: { minor: 0 }, total: { minor: 0 } })
  expect(closeAt({ ...history, plan: aPlan({ prices }) }, '2026-11-15T00:00:00Z').status).toBe('paid')
})

describe('currencies', () => {
  test.each([
    // Half of 1,001 yen is 500.5, and a run 33.4: both round up or down to whole yen. A tenth is tax.
    ['zero-decimal', 'JPY', '1001', '33.4', '100', ['501', '33'], '534', '100', '434', '43', '477'],
    [
      'three-decimal',
      'KWD',
      '10.001',
      '0.0334',
      '1.234',
      ['5.001', '0.033'],
      '5.034',
      '1.234',
      '3.800',
      '0.380',
      '4.180',
    ],
  ] as const)(
    'a %s currency: fee, usage, credit and tax of %s are whole minor units',
    (_kind, currency, fee, unit, credit, lines, subtotal, applied, net, tax, total) => {
      const subscription = aSubscription('2026-11-16T00:00:00Z', { currency })
      const drafted = draftAt(
        {
          subscription,
          plan: aPlan({ fees: [aFee(fee)], prices: [aPrice({ parameters: { unit_amount: unit } })] }),
          events: [anEvent('workflow_runs', '2026-11-20T00:00:00Z', '1')],
          grants: [aGrant({ grantId: 'g', amount: credit, measure: { currency } })],
          taxRates: [{ rateId: 'vat', category: 'standard', percent: '10' }],
        },
        '2026-11-20T00:00:00Z',
      )
      expect(amounts(drafted)).toEqual(lines)
      expect(drafted.draft).toMatchObject({
        subtotal: { amount: subtotal },
        creditsApplied: { amount: applied },
        net: { amount: net },
        tax: { amount: tax },
        total: { amount: total, currency },
      })
      expect(drafted.draft.total.minor).toBe(Number(total.replace('.', '')))
    },
  )
})

describe('negative corrections across tiers', () => {
  const subscription = aSubscription('2026-11-01T00:00:00Z')
  const plan = aPlan({ prices: [seconds({ model: 'graduated', parameters: { tiers: TIERS } })] })

  test('negative usage of a collector takes a quantity back through the tiers of its own invoice', () => {
    const events = [
      anEvent('vcpu_seconds', '2026-11-02T00:00:00Z', '150'),
      anEvent('vcpu_seconds', '2026-11-03T00:00:00Z', '-70'),
    ]
    expect(amounts(draftAt({ subscription, plan, events }, '2026-11-15T00:00:00Z'))).toEqual(['80.00'])
  })

  test('a void after the close gives back what the tiers cost, on the next invoice, and the rest on the one after', () => {
    const events = [
      anEvent('vcpu_seconds', '2026-11-02T00:00:00Z', '60', 'first'),
      anEvent('vcpu_seconds', '2026-11-03T00:00:00Z', '90', 'second'),
      anEvent('vcpu_seconds', '2026-12-02T00:00:00Z', '10', 'third'),
      anEvent('vcpu_seconds', '2027-01-02T00:00:00Z', '80', 'fourth'),
    ]
    const november = closeAt({ subscription, plan, events }, '2026-11-15T00:00:00Z')
    // 100 and 50 halves; without the second, 60.
    expect(november.head.total.amount).toBe('125.00')
    const history = { subscription, plan, events, voided: ['second'] }
    const december = closeAt(history, '2026-12-15T00:00:00Z', [november])
    expect(december.head).toMatchObject({
      subtotal: { amount: '-55.00' },
      total: { amount: '0.00' },
      carriedForward: { amount: '55.00' },
    })
    expect(december.corrections).toMatchObject([{ minor: -6_500n, family: november.invoiceId }])
    const january = closeAt(history, '2027-01-15T00:00:00Z', [november, december])
    expect(january.head).toMatchObject({ subtotal: { amount: '80.00' }, total: { amount: '25.00' } })
    expect(january.corrections).toEqual([])
  })

  test('negative usage beyond all that was used bills nothing, and pays nothing out', () => {
    const events = [
      anEvent('vcpu_seconds', '2026-11-02T00:00:00Z', '10'),
      anEvent('vcpu_seconds', '2026-11-03T00:00:00Z', '-70'),
    ]
    const { draft } = draftAt({ subscription, plan, events }, '2026-11-15T00:00:00Z')
    expect(draft.lines.map(({ amount }) => amount.minor)).toEqual([0])
    expect(draft.carriedForward.minor).toBe(0)
  })
})

describe('volume-tier dip', () => {
  const subscription = aSubscription('2026-11-01T00:00:00Z')
  const plan = aPlan({ prices: [seconds({ model: 'volume', parameters: { tiers: TIERS } })] })
  const used = (...values: string[]) =>
    values.map((value, at) => anEvent('vcpu_seconds', `2026-11-0${at + 2}T00:00:00Z`, value, `e${at}`))

  test('a unit more may cost less: all units have the price of the tier that they reach', () => {
    const total = (...values: string[]) =>
      draftAt({ subscription, plan, events: used(...values) }, '2026-11-15T00:00:00Z').draft.total.amount
    expect([total('100'), total('100', '0.000001'), total('100', '1')]).toEqual(['100.00', '50.00', '50.50'])
  })

  test('a unit that comes late gives money back, and taken back again it is owed again', () => {
    const november = closeAt({ subscription, plan, events: used('100') }, '2026-11-15T00:00:00Z')
    const late = { subscription, plan, events: used('100', '1') }
    const december = closeAt(late, '2026-12-15T00:00:00Z', [november])
    expect(december.corrections).toMatchObject([{ minor: -4_950n }])
    const january = closeAt({ ...late, voided: ['e1'] }, '2027-01-15T00:00:00Z', [november, december])
    expect(january.corrections).toMatchObject([{ minor: 4_950n }])
    expect(january.head.total.amount).toBe('0.00')
  })
})

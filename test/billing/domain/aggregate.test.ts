import fc from 'fast-check'
import { expect, test } from 'vitest'
import { aggregate } from '../../../functions/billing/domain/aggregate.ts'
import { RatingError } from '../../../functions/billing/domain/rating/fields.ts'
import examples from '../examples/aggregation-examples.json' with { type: 'json' }
import { cases } from '../support/cases.ts'

test.each(examples.map((example, index) => [`${index} ${example.aggregation}`, example] as const))(
  'example %s is aggregated as it is written down',
  (_name, { aggregation, parameters, events, expected }) => {
    expect(aggregate({ aggregation, parameters }, events)).toMatchObject(expected)
  },
)

test.each(['median', 'average', 'toString'])('the aggregation %s is refused by name, not guessed', (name) => {
  expect(() => aggregate({ aggregation: name, parameters: {} }, [])).toThrow(RatingError)
})

const AUGUST = { from: '2026-08-01T00:00:00Z', to_exclusive: '2026-09-01T00:00:00Z' }
const at = (id: string, time: string, value?: unknown) => ({
  id,
  source: 's',
  time,
  properties: value === undefined ? {} : { value },
})
const over = (aggregation: string, more: object = {}) => ({
  aggregation,
  parameters: { period: AUGUST, field: 'value', ...more },
})

test('a period contains its beginning and not its end', () => {
  const events = [
    at('a', '2026-07-31T23:59:59.999Z', '1'),
    at('b', '2026-08-01T00:00:00Z', '2'),
    at('c', '2026-08-31T23:59:59.999Z', '4'),
    at('d', '2026-09-01T00:00:00Z', '8'),
  ]
  expect(aggregate(over('sum'), events)).toEqual({ value: '6', count: 2 })
})

test('events without a number count for nothing and are named', () => {
  const bad = [undefined, 'abc', 'Infinity', '1e5', '', null, true].map((value, index) =>
    at(`bad${index}`, '2026-08-02T00:00:00Z', value),
  )
  const result = aggregate(over('sum'), [...bad, at('good', '2026-08-02T00:00:00Z', '3')])
  expect(result).toEqual({ value: '3', count: 1, rejected: bad.map((event) => event.id) })
})

test.each(['max', 'latest'])('the %s of nothing is null', (aggregation) => {
  expect(aggregate(over(aggregation), [])).toEqual({ value: null, count: 0 })
})

test('the latest of events at one instant is the last by source and id', () => {
  const events = [at('b', '2026-08-02T00:00:00Z', '2'), at('a', '2026-08-02T00:00:00Z', '1')]
  expect(aggregate(over('latest'), events)).toMatchObject({ value: '2' })
})

test('a user who was removed is no longer counted', () => {
  const user = (id: string, day: number, operation: string) => ({
    id,
    source: 's',
    time: `2026-08-0${day}T00:00:00Z`,
    properties: { value: 'u1', operation },
  })
  const events = [user('1', 1, 'add'), user('2', 2, 'remove'), user('3', 3, 'remove'), user('4', 4, 'add')]
  const definition = over('unique_count', { operation_field: 'operation' })
  expect(aggregate(definition, events.slice(0, 3))).toMatchObject({ value: '0' })
  expect(aggregate(definition, events)).toMatchObject({ value: '1' })
})

test('filters are OR within a key and AND between keys, and a missing key is the empty text', () => {
  const run = (id: string, properties: Record<string, string>) => ({
    id,
    source: 's',
    time: '2026-08-02T00:00:00Z',
    properties,
  })
  const events = [
    run('1', { a: 'x', b: 'y' }),
    run('2', { a: 'z', b: 'y' }),
    run('3', { a: 'x' }),
    run('4', { a: 'q', b: 'y' }),
  ]
  expect(aggregate(over('count', { filters: { a: ['x', 'z'], b: ['y'] } }), events)).toMatchObject({
    value: '2',
  })
  expect(aggregate(over('count', { filters: { b: [''] } }), events)).toMatchObject({ value: '1' })
})

test('a day of the time zone has 23 hours when the clocks go forward', () => {
  const period = { from: '2026-03-28T23:00:00Z', to_exclusive: '2026-03-30T22:00:00Z' }
  const definition = {
    aggregation: 'sum',
    parameters: { period, field: 'value', window: 'day', timezone: 'Europe/Berlin' },
  }
  const events = [
    at('a', '2026-03-28T23:00:00Z', '1'),
    at('b', '2026-03-29T21:59:59Z', '2'),
    at('c', '2026-03-29T22:00:00Z', '4'),
  ]
  expect(aggregate(definition, events)).toMatchObject({
    windows: [
      { from: '2026-03-28T23:00:00Z', value: '3' },
      { from: '2026-03-29T22:00:00Z', value: '4' },
    ],
  })
})

test('level hours are the level times the hours it held', () => {
  const period = { from: '2026-08-01T00:00:00Z', to_exclusive: '2026-08-01T10:00:00Z' }
  const events = [at('a', '2026-08-01T02:00:00Z', '3'), at('b', '2026-08-01T04:20:00Z', '-1')]
  const result = aggregate({ aggregation: 'level_hours', parameters: { period, field: 'value' } }, events)
  expect(result).toMatchObject({
    exact: { numerator: '55', denominator: '3' },
    value_rounded_5: '18.33333',
    level_at_end: '2',
  })
})

test('a prorated sum counts a value by the days that are left, and what was there before in full', () => {
  const events = [
    at('before', '2026-07-15T00:00:00Z', '10'),
    at('first', '2026-08-01T00:00:00Z', '31'),
    at('last', '2026-08-31T23:59:59Z', '31'),
    at('middle', '2026-08-16T12:00:00Z', '-62'),
  ]
  expect(aggregate(over('prorated_sum', { carry_over: true }), events)).toMatchObject({
    value: '10',
    count: 3,
  })
  expect(aggregate(over('prorated_sum'), events.slice(0, 2))).toMatchObject({ value: '31' })
})

test('no order, and no number of copies, changes any aggregation', () => {
  const event = fc.record({
    id: fc.string({ minLength: 1, maxLength: 6 }),
    day: fc.integer({ min: 1, max: 28 }),
    value: fc.integer({ min: -50, max: 50 }),
  })
  const events = fc.uniqueArray(event, { selector: ({ id }) => id, maxLength: 20 })
  const names = [
    'count',
    'sum',
    'max',
    'latest',
    'unique_count',
    'weighted_sum',
    'level_hours',
    'prorated_sum',
  ]
  fc.assert(
    fc.property(events, fc.infiniteStream(fc.nat()), fc.constantFrom(...names), (list, chance, name) => {
      const once = list.map(({ id, day, value }) =>
        at(id, `2026-08-${String(day).padStart(2, '0')}T00:00:00Z`, String(value)),
      )
      const many = [...once, ...once.filter(() => (chance.next().value ?? 0) % 2 === 0)]
        .map((one) => [chance.next().value ?? 0, one] as const)
        .sort(([left], [right]) => left - right)
        .map(([, one]) => one)
      expect(aggregate(over(name), many)).toEqual(aggregate(over(name), once))
    }),
    cases(100),
  )
})

// Whoever sends one id twice must not choose by the order of the list what counts, nor make it less.
test.each([
  ['the larger value', [at('a', '2026-08-09T00:00:00Z', '5'), at('a', '2026-08-02T00:00:00Z', '7')], '7'],
  ['one with a number', [at('a', '2026-08-09T00:00:00Z', 'x'), at('a', '2026-08-02T00:00:00Z', '-7')], '-7'],
  [
    'what the period reaches',
    [at('a', '2026-09-01T00:00:00Z', '9'), at('a', '2026-08-02T00:00:00Z', '7')],
    '7',
  ],
])('of two contents under one id %s counts, whichever comes first', (_name, events, value) => {
  expect(aggregate(over('sum'), events)).toEqual({ value, count: 1 })
  expect(aggregate(over('sum'), events.toReversed())).toEqual({ value, count: 1 })
  expect(aggregate(over('sum'), [...events, ...events])).toEqual({ value, count: 1 })
})

test('of two contents under one id the later counts at the same value, and then a fixed one', () => {
  const early = at('a', '2026-08-02T00:00:00Z', '7')
  const late = at('a', '2026-08-09T00:00:00Z', '7.0')
  const elsewhere = { ...late, properties: { value: '7', region: 'us' } }
  const days = over('sum', { window: 'day', group_by: ['region'] })
  const answers = [
    [early, late, elsewhere],
    [elsewhere, late, early],
    [late, early, elsewhere],
    [elsewhere, early, late],
  ].map((events) => aggregate(days, events))
  for (const answer of answers) expect(answer).toEqual(answers[0])
  expect(aggregate(over('sum', { window: 'day' }), [early, late])).toMatchObject({
    windows: [{ from: '2026-08-09T00:00:00Z', value: '7' }],
  })
})

// Filters choose among what counts: a content that lost does not come back because they leave out the other.
test('a content that lost counts under no filter', () => {
  const us = { ...at('a', '2026-08-02T00:00:00Z'), properties: { value: '5', region: 'us' } }
  const eu = { ...us, properties: { value: '7', region: 'eu' } }
  for (const events of [
    [us, eu],
    [eu, us],
  ]) {
    expect(aggregate(over('sum', { filters: { region: ['us'] } }), events)).toEqual({ value: '0', count: 0 })
    expect(aggregate(over('sum', { filters: { region: ['eu'] } }), events)).toEqual({ value: '7', count: 1 })
  }
})

test('copies count where they are asked for', () => {
  const events = [at('a', '2026-08-02T00:00:00Z', '5'), at('a', '2026-08-02T00:00:00Z', '7')]
  expect(aggregate(over('sum', { dedupe: false }), events)).toEqual({ value: '12', count: 2 })
})

test('groups come sorted by their key, a text before what it begins', () => {
  const regions = ['us!', 'us', '', 'us east', '"'].map((region, index) => ({
    ...at(`e${index}`, '2026-08-02T00:00:00Z'),
    properties: { region },
  }))
  const { groups } = aggregate(over('count', { group_by: ['region'] }), regions)
  expect(groups).toEqual(['', '"', 'us', 'us east', 'us!'].map((region) => ({ key: { region }, value: '1' })))
})

test('in groups a sum of maxima is still a sum, and windows are still told', () => {
  const peak = (id: string, time: string, value: string) => ({
    ...at(id, time),
    properties: { value, region: 'eu' },
  })
  const events = [
    peak('a', '2026-08-02T00:05:00Z', '2'),
    peak('b', '2026-08-02T00:50:00Z', '1'),
    peak('c', '2026-08-02T01:05:00Z', '5'),
  ]
  const grouped = { group_by: ['region'], window: 'hour' }
  const windows = (first: string) => [
    { from: '2026-08-02T00:00:00Z', value: first },
    { from: '2026-08-02T01:00:00Z', value: '5' },
  ]
  expect(aggregate(over('sum_of_window_max', grouped), events)).toEqual({
    groups: [{ key: { region: 'eu' }, value: '7', windows: windows('2') }],
  })
  expect(aggregate(over('sum', grouped), events)).toEqual({
    groups: [{ key: { region: 'eu' }, value: '8', windows: windows('3') }],
  })
})

test('a level that held before a window goes on in it', () => {
  const events = [
    at('before', '2026-07-01T00:00:00Z', '4'),
    at('a', '2026-08-02T00:30:00Z', '2'),
    at('b', '2026-08-02T02:30:00Z', '-1'),
  ]
  const { windows } = aggregate(over('weighted_sum', { window: 'hour', carry_over: true }), events)
  expect(windows).toEqual([
    { from: '2026-08-02T00:00:00Z', value: '5' },
    { from: '2026-08-02T02:00:00Z', value: '5.5' },
  ])
})

// The digests of a fixed history's invoices, printed: run on hosts of other time zones and languages and by
// other versions of Node. The argument says in which order, copies and batches the history arrives.
import { monthOf } from '../../../../functions/billing/domain/calendar.ts'
import { batchIdOf, makeBatches } from '../../../../functions/billing/domain/usage-batch.ts'
import { restoreUsageEvent, type UsageEvent } from '../../../../functions/billing/domain/usage-event.ts'
import { aSubscription, closeAt, draftAt } from './full-invoice.ts'
import { aFee, aGrant, aPlan, aPrice, input, invoice, timeShare, used } from './support.ts'

const period = monthOf(Date.parse('2026-11-15T00:00:00Z'), 'America/New_York')
const middle = Date.parse('2026-11-17T13:37:00.123Z')
const prices = [
  aPrice({
    meter: 'llm_tokens_in',
    groupBy: ['model'],
    included: '10',
    parameters: { unit_amount: '0.0137' },
  }),
]
const [first, second] = [
  { fromMs: period.fromMs, toMs: middle },
  { fromMs: middle, toMs: period.toMs },
]
const segments = [
  { period: first, plan: aPlan({ fees: [aFee('49.99')], prices }), share: timeShare(first, period) },
  {
    period: second,
    plan: aPlan({ version: 2, fees: [aFee('199.01')], prices }),
    share: timeShare(second, period),
  },
]
const rows = ['ä', 'I', 'ı', 'z', 'a'].map((model, index) => used(`${index * 1000 + 7}`, { model }))
const { draft } = invoice(
  input(segments, () => rows, {
    period,
    timeZone: 'America/New_York',
    grants: [aGrant({ grantId: 'g', amount: '12.34' })],
    tax: { mode: 'per_rate', rates: [{ rateId: 'vat', category: 'standard', percent: '8.875' }] },
  }),
)

/** A small generator that is the same everywhere: a mixed congruential one, of 31 bits. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return (state >>> 8) % below
  }
}

const FIRST = Date.parse('2026-10-01T00:00:00Z')
const METERS = ['agent_minutes', 'llm_tokens_in', 'active_users', 'storage_gib_hours', 'workflow_runs']
const MODELS = ['ä', 'I', 'ı', 'i', 'Z', 'a', '']

function happened(): UsageEvent[] {
  const draw = numbers(42)
  return Array.from({ length: 400 }, (_none, at) => {
    const meter = METERS[draw(METERS.length)] ?? ''
    // Three months, with many at the bounds of hours and of the New York months.
    const hour = draw(92 * 24)
    const ms = [0, 1, 1_800_000, 3_599_999][draw(4)] ?? 0
    return restoreUsageEvent(
      {
        id: `e${at}`,
        source: '//test',
        type: `ai.energent.usage.${meter}.v1`,
        subject: 'tenants/acme',
        time: new Date(FIRST + hour * 3_600_000 + ms).toISOString(),
        data: {
          value: `${draw(100_000)}.${meter === 'agent_minutes' ? draw(1_000) : 0}`,
          resource: `r${draw(5)}`,
          ...(meter === 'llm_tokens_in' ? { dimensions: { model: MODELS[draw(MODELS.length)] ?? '' } } : {}),
        },
      },
      'collector',
    )
  })
}

/** The same events as some network brings them: up to three times each, in any order and any batches. */
function arriving(events: readonly UsageEvent[], seed: number): UsageEvent[] {
  const draw = numbers(seed)
  const copies = events.flatMap((event) => Array.from({ length: 1 + draw(3) }, () => event))
  const mixed = copies
    .map((event) => ({ event, at: draw(1 << 20) }))
    .sort((left, right) => left.at - right.at)
    .map(({ event }) => event)
  const arrived: UsageEvent[] = []
  for (let at = 0; at < mixed.length; ) {
    const part = mixed.slice(at, at + 1 + draw(60))
    at += part.length
    const message = { tenantId: 'acme', mixed: draw(2) === 0, producer: 'collector' as const }
    for (const batch of makeBatches(part, { ...message, batchId: batchIdOf(part) }))
      arrived.push(...batch.events)
  }
  return arrived
}

const sheet = aPlan({
  fees: [aFee('49.99')],
  prices: [
    aPrice({
      priceId: 'minutes',
      meter: 'agent_minutes',
      parameters: { unit_amount: '0.0137', convert: { divide_by: '60' } },
    }),
    aPrice({
      priceId: 'tokens',
      meter: 'llm_tokens_in',
      groupBy: ['model'],
      parameters: { unit_amount: '0.00031' },
    }),
    aPrice({
      priceId: 'users',
      meter: 'active_users',
      model: 'graduated',
      parameters: {
        tiers: [
          { up_to: '3', unit_amount: '1.1' },
          { up_to: null, unit_amount: '0.7' },
        ],
      },
    }),
    aPrice({ priceId: 'storage', meter: 'storage_gib_hours', parameters: { unit_amount: '0.000123' } }),
    aPrice(),
  ],
})
const all = happened()
const history = (events: readonly UsageEvent[], voided: readonly string[] = []) => ({
  subscription: aSubscription('2026-10-11T09:00:00Z', { timeZone: 'America/New_York' }),
  ...{ plan: sheet, voided, events: arriving(events, Number(process.argv[2] ?? 1)) },
  taxRates: [{ rateId: 'vat', category: 'standard', percent: '8.875' }],
})
// A third of October's usage is late, and some of it is taken back after the close.
const october = closeAt(history(all.filter((_event, at) => at % 3 !== 0)), '2026-10-15T12:00:00Z')
const known = history(all, ['e4', 'e7', 'e100'])
const november = closeAt(known, '2026-11-15T12:00:00Z', [october])
const december = draftAt(known, '2026-12-15T12:00:00Z', [october, november])
const digests = [draft.digest, october.head.digest, november.head.digest, december.draft.digest]
process.stdout.write(`${digests.join('\n')}\n`)

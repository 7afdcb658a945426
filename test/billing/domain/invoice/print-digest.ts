// The digest of one fixed invoice, printed: run on hosts of other time zones and languages.
import { monthOf } from '../../../../functions/billing/domain/calendar.ts'
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
process.stdout.write(draft.digest)

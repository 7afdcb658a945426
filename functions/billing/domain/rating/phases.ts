import {
  add,
  compare,
  decimal,
  formatDecimal,
  larger,
  type Rational,
  rational,
  round,
  smaller,
  subtract,
  total,
  ZERO,
} from '../rational.ts'
import {
  decimalsAt,
  digitsAt,
  type Fields,
  fieldsOf,
  has,
  listAt,
  optionalDecimalAt,
  RatingError,
  wholeAt,
} from './fields.ts'

type Json = Record<string, unknown>
/** Rates a quantity by any model; handed in because models may hold other models. */
export type RateAny = (model: string, parameters: Fields, usage: Fields) => Json

/** Prices each bucket alone, then adds. */
export function rateBuckets(rate: RateAny, parameters: Fields, usage: Fields): Json {
  const amount = priceOf(rate, parameters)
  const amounts = listAt(usage, 'buckets').map((bucket) =>
    amount(typeof bucket === 'object' && bucket !== null ? fieldsOf(bucket, 'bucket') : { quantity: bucket }),
  )
  return { amount: formatDecimal(total(amounts)) }
}

/**
 * Bills a quantity that grows in phases: each phase charges the rounded price of all so far less what
 * was billed, so that the phases add up to one bill for the whole.
 */
export function rateRerate(rate: RateAny, parameters: Fields, usage: Fields): Json {
  const digits = digitsAt(parameters, 'minor_digits')
  const quantities = decimalsAt(usage, 'cumulative_quantity')
  const finalIndex = Number(wholeAt(parameters, 'final_phase_index', BigInt(quantities.length - 1)))
  const commitment = has(parameters, 'commitment') ? fieldsOf(parameters['commitment'], 'commitment') : {}
  const minimum = optionalDecimalAt(commitment, 'minimum')
  const maximum = optionalDecimalAt(commitment, 'maximum')
  const amount = priceOf(rate, parameters)
  let billed = ZERO
  const phases = quantities.map((quantity, index) => {
    let due = amount({ quantity: formatDecimal(quantity) })
    if (maximum !== undefined) due = smaller(due, maximum)
    if (minimum !== undefined && index >= finalIndex) due = larger(due, minimum)
    const phase = subtract(round(due, digits), billed)
    billed = add(billed, phase)
    return formatDecimal(phase)
  })
  return { phase_amounts: phases }
}

/** What each period still owes, when its usage was corrected after it was billed. */
export function rateRerateByPeriod(rate: RateAny, parameters: Fields, usage: Fields): Json {
  const digits = digitsAt(parameters, 'minor_digits')
  const amount = priceOf(rate, parameters)
  const rounded = (quantity: Rational): Rational =>
    round(amount({ quantity: formatDecimal(quantity) }), digits)
  const billed = decimalsAt(usage, 'billed_quantity_by_period')
  let beforeEnd = ZERO
  let beforeBilled = ZERO
  const deltas = decimalsAt(usage, 'cumulative_quantity_by_period_end').map((end, index) => {
    const billedEnd = add(beforeBilled, billed[index] ?? ZERO)
    const owed = subtract(rounded(end), index === 0 ? ZERO : rounded(beforeEnd))
    const paid =
      billed[index] === undefined
        ? ZERO
        : subtract(rounded(billedEnd), index === 0 ? ZERO : rounded(beforeBilled))
    beforeEnd = end
    beforeBilled = billedEnd
    return formatDecimal(subtract(owed, paid))
  })
  return { period_deltas: deltas }
}

/** Credits come off the price, never below zero. */
export function rateCreditsOnInvoice(rate: RateAny, parameters: Fields, usage: Fields): Json {
  const { credits: _credits, ...priced } = usage
  const due = priceOf(rate, parameters)(priced)
  const applied = smaller(total(decimalsAt(usage, 'credits')), larger(due, ZERO))
  return { credits_applied: formatDecimal(applied), total: formatDecimal(subtract(due, applied)) }
}

/** What decides when a grant burns. */
export type OrderedGrant = {
  readonly id: string
  readonly priority: bigint
  readonly expiresAtMs: number
  readonly createdAtMs: number
}

/** The order in which grants burn: priority, expiry with none last, creation, id. Instants are cut to the minute. */
export function rateCreditOrder(_parameters: Fields, usage: Fields): Json {
  const grants = listAt(usage, 'grants').map((raw) => orderedGrant(fieldsOf(raw, 'grant')))
  return { ids: grants.sort(burnOrder).map((grant) => grant.id) }
}

export function orderedGrant(grant: Fields): OrderedGrant {
  return {
    id: String(grant['id']),
    priority: wholeAt(grant, 'priority', 0n),
    expiresAtMs: minuteOf(grant['expires_at'], Number.POSITIVE_INFINITY),
    createdAtMs: minuteOf(grant['created_at'], 0),
  }
}

export function burnOrder(left: OrderedGrant, right: OrderedGrant): number {
  if (left.priority !== right.priority) return left.priority < right.priority ? -1 : 1
  if (left.expiresAtMs !== right.expiresAtMs) return left.expiresAtMs < right.expiresAtMs ? -1 : 1
  if (left.createdAtMs !== right.createdAtMs) return left.createdAtMs - right.createdAtMs
  return left.id < right.id ? -1 : left.id > right.id ? 1 : 0
}

function minuteOf(value: unknown, fallback: number): number {
  if (value === undefined || value === null) return fallback
  const ms = Date.parse(String(value))
  if (Number.isNaN(ms)) throw new RatingError(`${String(value)} is not an instant`)
  return Math.floor(ms / 60_000) * 60_000
}

function priceOf(rate: RateAny, parameters: Fields): (usage: Fields) => Rational {
  const { model, ...price } = fieldsOf(parameters['price'], 'price')
  if (typeof model !== 'string') throw new RatingError('price.model must name a model')
  return (usage) => {
    const { amount } = rate(model, price, usage)
    if (typeof amount !== 'string') throw new RatingError(`${model} gives no amount`)
    return compare(decimal(amount), ZERO) === 0 ? rational(0n) : decimal(amount)
  }
}

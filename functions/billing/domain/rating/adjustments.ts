import {
  compare,
  decimal,
  formatDecimal,
  formatScaled,
  fromScaled,
  multiply,
  type Rational,
  rational,
  round,
  subtract,
  toScaled,
} from '../rational.ts'
import {
  choiceAt,
  decimalAt,
  digitsAt,
  type Fields,
  fieldsOf,
  has,
  RatingError,
  roundingAt,
  toDecimal,
  wholeAt,
} from './fields.ts'
import { percent } from './unit-price.ts'

type Json = Record<string, unknown>

/** A fixed fee: due at the beginning of the period, or at its end. */
export function rateFlat(parameters: Fields, usage: Fields): Json {
  const position = choiceAt(usage, 'position', ['single', 'first', 'mid', 'last'], 'single')
  const term = choiceAt(parameters, 'term', ['in_advance', 'in_arrears'], 'in_advance')
  const due = position === 'single' || position === (term === 'in_advance' ? 'first' : 'last')
  return { amount: due ? formatDecimal(decimalAt(parameters, 'amount')) : '0' }
}

/** The quantity is money already. */
export function rateDynamic(parameters: Fields, usage: Fields): Json {
  const exact = multiply(decimalAt(usage, 'quantity'), decimalAt(parameters, 'multiplier'))
  return { amount: formatDecimal(round(exact, digitsAt(parameters, 'minor_digits'))) }
}

export function rateMinimumTrueUp(parameters: Fields, usage: Fields): Json {
  const share = has(parameters, 'proration')
    ? fractionOf(fieldsOf(parameters['proration'], 'proration'), 'numerator', 'denominator')
    : rational(1n)
  const minimum = toScaled(multiply(decimalAt(parameters, 'minimum_minor'), share), 0)
  const missing = minimum - wholeAt(usage, 'used_minor')
  return { true_up_minor: String(missing > 0n ? missing : 0n) }
}

export function rateProration(parameters: Fields, usage: Fields): Json {
  const exact = multiply(decimalAt(parameters, 'amount_minor'), fractionOf(usage, 'numerator', 'denominator'))
  return {
    amount_minor: String(toScaled(exact, 0, roundingAt(parameters, 'rounding'))),
    exact: { numerator: String(exact.n), denominator: String(exact.d) },
  }
}

/** The unused rest of the old plan comes back and the rest of the new one is charged, each rounded alone. */
export function ratePlanChange(parameters: Fields, usage: Fields): Json {
  const digits = digitsAt(parameters, 'minor_digits')
  const mode = roundingAt(parameters, 'rounding')
  const rest = fractionOf(usage, 'remaining_numerator', 'remaining_denominator')
  const credit = toScaled(multiply(decimalAt(parameters, 'old_amount'), rest), digits, mode)
  const charge = toScaled(multiply(decimalAt(parameters, 'new_amount'), rest), digits, mode)
  return {
    credit: formatScaled(credit, digits),
    charge: formatScaled(charge, digits),
    net: formatScaled(charge - credit, digits),
  }
}

export function rateCreditNote(parameters: Fields, usage: Fields): Json {
  const mode = roundingAt(parameters, 'rounding')
  const unused = fractionOf(usage, 'unused_numerator', 'unused_denominator')
  const subtotal = toScaled(multiply(decimalAt(parameters, 'amount_minor'), unused), 0, mode)
  const tax = taxOn(subtotal, parameters)
  return { subtotal_minor: String(subtotal), tax_minor: String(tax), total_minor: String(subtotal + tax) }
}

/** Tax is taken once, on the total of the fees. */
export function rateInvoiceTax(parameters: Fields, usage: Fields): Json {
  const fees = feesOf(usage)
  const tax = taxOn(fees, parameters)
  return { fees_total_minor: String(fees), tax_minor: String(tax), total_minor: String(fees + tax) }
}

/** What an invoice in progress has charged already comes off; nothing is paid back. */
export function rateProgressive(_parameters: Fields, usage: Fields): Json {
  const fees = feesOf(usage)
  const invoiced = wholeAt(usage, 'already_invoiced_minor')
  const left = fees - invoiced
  const credit = left > 0n ? invoiced : fees
  return { fees_total_minor: String(fees), credit_minor: String(credit), total_minor: String(fees - credit) }
}

/** Splits an amount by weight so that the parts add up: largest remainder first, ties by the order given. */
export function rateAllocation(parameters: Fields, usage: Fields): Json {
  const digits = digitsAt(parameters, 'minor_digits')
  choiceAt(parameters, 'method', ['largest_remainder'], 'largest_remainder')
  const weights = Object.entries(fieldsOf(usage['weights'], 'weights')).map(
    ([name, weight]) => [name, toDecimal(weight, name)] as const,
  )
  const shares = allocate(
    toScaled(decimalAt(parameters, 'amount'), digits),
    weights.map(([, weight]) => weight),
  )
  return {
    amounts: Object.fromEntries(
      weights.map(([name], index) => [name, formatScaled(shares[index] ?? 0n, digits)]),
    ),
  }
}

/** Whole units by weight; the parts always add up to the whole, of either sign. */
export function allocate(whole: bigint, weights: readonly Rational[]): bigint[] {
  if (weights.some((weight) => weight.n < 0n)) throw new RatingError('weights must not be negative')
  const sum = weights.reduce(
    (left, right) => rational(left.n * right.d + right.n * left.d, left.d * right.d),
    decimal('0'),
  )
  if (sum.n === 0n) throw new RatingError('weights must not all be zero')
  const size = whole < 0n ? -whole : whole
  const exact = weights.map((weight) =>
    multiply(rational(size), rational(weight.n * sum.d, weight.d * sum.n)),
  )
  const shares = exact.map((share) => toScaled(share, 0, 'floor'))
  const order = exact
    .map((share, index) => ({ index, rest: subtract(share, rational(shares[index] ?? 0n)) }))
    .sort((left, right) => compare(right.rest, left.rest) || left.index - right.index)
  let left = size - shares.reduce((total, share) => total + share, 0n)
  for (const { index } of order) {
    if (left === 0n) break
    shares[index] = (shares[index] ?? 0n) + 1n
    left -= 1n
  }
  return whole < 0n ? shares.map((share) => -share) : shares
}

export function rateRounding(parameters: Fields, usage: Fields): Json {
  const digits = digitsAt(parameters, 'minor_digits')
  const units = toScaled(decimalAt(usage, 'value'), digits, roundingAt(parameters, 'mode'))
  return { value: formatDecimal(fromScaled(units, digits)) }
}

function fractionOf(fields: Fields, numerator: string, denominator: string): Rational {
  const below = wholeAt(fields, denominator)
  if (below <= 0n) throw new RatingError(`${denominator} must be positive`)
  return rational(wholeAt(fields, numerator), below)
}

function feesOf(usage: Fields): bigint {
  const fees = usage['fees_minor']
  if (!Array.isArray(fees)) throw new RatingError('fees_minor must be a list')
  return fees.reduce<bigint>((sum, fee) => sum + wholeAt({ fee }, 'fee'), 0n)
}

function taxOn(minor: bigint, parameters: Fields): bigint {
  const tax = multiply(rational(minor), percent(decimalAt(parameters, 'tax_percent')))
  return toScaled(tax, 0, roundingAt(parameters, 'rounding'))
}

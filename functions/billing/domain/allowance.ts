import { METERS, type MeterId } from '#shared/catalogue/meters.ts'
import type { Price } from './plan.ts'
import { fieldsOf, has, optionalDecimalAt } from './rating/fields.ts'
import {
  add,
  decimal,
  fromScaled,
  larger,
  multiply,
  ONE,
  type Rational,
  subtract,
  toScaled,
  ZERO,
} from './rational.ts'

/** What a plan includes of a price in a period and how much of it is used, in the price's unit. */
export type Allowance = {
  readonly price: Price
  readonly included: Rational
  readonly used: Rational
  readonly left: Rational
}

export type Verdict = {
  readonly allowed: boolean
  readonly reason: 'included' | 'credit' | 'overage' | 'not_priced' | 'limit_reached'
  /** How much is left without a charge, in the meter's unit; undefined where nothing is counted down. */
  readonly remaining: Rational | undefined
}

/** How many of the meter's units are one of the price's. */
export function unitsPerPriced({ parameters }: Price): Rational {
  const convert = has(parameters, 'convert') ? fieldsOf(parameters['convert'], 'convert') : {}
  return optionalDecimalAt(convert, 'divide_by') ?? ONE
}

/**
 * An allowance over the segments of a period: each gives its plan's by its share, in whole things where
 * the meter counts those. `used` is in the meter's unit.
 */
export function allowanceOf(
  price: Price,
  segments: readonly { readonly price: Price | undefined; readonly share: Rational }[],
  used: Rational,
): Allowance {
  const included = segments
    .map((segment) => (segment.price === undefined ? ZERO : shareOf(segment.price, segment.share)))
    .reduce(add, ZERO)
  const factor = unitsPerPriced(price)
  const inUnits = multiply(larger(used, ZERO), { n: factor.d, d: factor.n })
  return { price, included, used: inUnits, left: larger(subtract(included, inUnits), ZERO) }
}

/**
 * Whether so much more of a meter may be used: within what is included, by granted units, or as a charge
 * where the plan lets that be. `amount` and `granted` are in the meter's unit.
 */
export function decideUse(allowance: Allowance | undefined, amount: Rational, granted: Rational): Verdict {
  if (allowance === undefined) return { allowed: true, reason: 'not_priced', remaining: undefined }
  const factor = unitsPerPriced(allowance.price)
  const included = multiply(allowance.left, factor)
  const remaining = add(included, granted)
  if (isAtMost(amount, included)) return { allowed: true, reason: 'included', remaining }
  if (isAtMost(amount, remaining)) return { allowed: true, reason: 'credit', remaining }
  return allowance.price.overage === 'charge'
    ? { allowed: true, reason: 'overage', remaining }
    : { allowed: false, reason: 'limit_reached', remaining }
}

export function isWhole(meter: MeterId): boolean {
  return METERS[meter].scale === 0
}

function shareOf(price: Price, share: Rational): Rational {
  const exact = multiply(decimal(price.included), share)
  const whole = isWhole(price.meter) && price.parameters['convert'] === undefined
  return whole ? fromScaled(toScaled(exact, 0, 'floor'), 0) : exact
}

function isAtMost(left: Rational, right: Rational): boolean {
  return left.n * right.d <= right.n * left.d
}

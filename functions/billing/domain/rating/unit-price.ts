import {
  add,
  divide,
  formatDecimal,
  fromScaled,
  larger,
  multiply,
  ONE,
  type Rational,
  type Rounding,
  rational,
  subtract,
  toScaled,
  ZERO,
} from '../rational.ts'
import {
  choiceAt,
  decimalAt,
  type Fields,
  fieldsOf,
  has,
  optionalDecimalAt,
  RatingError,
  roundingAt,
} from './fields.ts'
import { type Component, type Priced, priceGraduated, priceVolume, tiersAt } from './tiers.ts'

/** Models that price a quantity of units. */
export const UNIT_MODELS = ['per_unit', 'graduated', 'volume', 'package', 'graduated_percentage'] as const
export type UnitModel = (typeof UNIT_MODELS)[number]

/** Which part of a period a line prices, when the period is billed in several. */
export const POSITIONS = ['single', 'first', 'mid', 'last'] as const
export type Position = (typeof POSITIONS)[number]

export type UnitUsage = {
  readonly quantity: Rational
  readonly position: Position
  /** Units of the same period that earlier lines have priced. */
  readonly preQuantity: Rational
  /** What earlier lines of the same period charged. */
  readonly previouslyBilled: Rational
  readonly tierQuantity: Rational | undefined
  readonly firstFlatAlreadyBilled: boolean
  /** In place of the price's own allowance: a part of a period has a part of it. */
  readonly included?: Rational
}

/** An exact amount and how it came about. */
export type RatedUnits = {
  readonly amount: Rational
  readonly components: readonly Component[]
  readonly billedQuantity: Rational
  readonly percentDiscount: Rational
  readonly minimumTrueUp: Rational
  readonly maximumDiscount: Rational
}

/**
 * Rates a quantity: convert and round, subtract what is included, price, discount, cap, and in the
 * end raise to the minimum.
 *
 * Everything is exact; rounding to money is the invoice line's, once. Throws `RatingError` when the
 * price data is wrong.
 */
export function rateUnits(model: UnitModel, parameters: Fields, usage: UnitUsage): RatedUnits {
  const included = usage.included ?? decimalAt(parameters, 'included_quantity', ZERO)
  const convert = converterOf(parameters)
  const billable = (quantity: Rational): Rational => larger(subtract(convert(quantity), included), ZERO)
  const before = billable(usage.preQuantity)
  const upTo = billable(add(usage.preQuantity, usage.quantity))
  const priced = price(model, parameters, before, upTo, usage)
  const percentDiscount = multiply(priced.amount, percent(decimalAt(parameters, 'percent_discount', ZERO)))
  const discounted = subtract(priced.amount, percentDiscount)
  const committed = commit(parameters, discounted, usage)
  return {
    components: priced.components,
    billedQuantity: subtract(upTo, before),
    percentDiscount,
    ...committed,
  }
}

/** Usage data in its JSON form. */
export function unitUsageOf(usage: Fields): UnitUsage {
  const quantity = decimalAt(usage, 'quantity')
  const preQuantity = decimalAt(usage, 'pre_quantity', ZERO)
  if (preQuantity.n < 0n) throw new RatingError('pre_quantity must not be negative')
  return {
    quantity,
    position: choiceAt(usage, 'position', POSITIONS, 'single'),
    preQuantity,
    previouslyBilled: decimalAt(usage, 'previously_billed', ZERO),
    tierQuantity: optionalDecimalAt(usage, 'tier_quantity'),
    firstFlatAlreadyBilled: usage['first_flat_already_billed'] === true,
  }
}

/** Rated units in their JSON form (billing.md §13). */
export function ratedUnitsJson(rated: RatedUnits): Record<string, unknown> {
  return {
    amount: formatDecimal(rated.amount),
    billed_quantity: formatDecimal(rated.billedQuantity),
    percent_discount_amount: formatDecimal(rated.percentDiscount),
    minimum_true_up: formatDecimal(rated.minimumTrueUp),
    maximum_discount: formatDecimal(rated.maximumDiscount),
    components: rated.components.map(componentJson),
  }
}

export function componentJson(component: Component): Record<string, unknown> {
  const { tier, kind, quantity, amount } = component
  return {
    tier,
    kind,
    ...(quantity === undefined ? {} : { quantity: formatDecimal(quantity) }),
    amount: formatDecimal(amount),
  }
}

export function percent(value: Rational): Rational {
  return divide(value, rational(100n))
}

function price(
  model: UnitModel,
  parameters: Fields,
  before: Rational,
  upTo: Rational,
  usage: UnitUsage,
): Priced {
  const quantity = subtract(upTo, before)
  switch (model) {
    case 'per_unit':
      return { amount: multiply(quantity, decimalAt(parameters, 'unit_amount')), components: [] }
    case 'graduated':
      return priceGraduated(tiersAt(parameters), before, upTo, usage.firstFlatAlreadyBilled)
    case 'graduated_percentage': {
      const tiers = tiersAt(parameters, 'rate_percent', rational(1n, 100n))
      return priceGraduated(tiers, before, upTo, usage.firstFlatAlreadyBilled)
    }
    case 'volume':
      return priceVolume(tiersAt(parameters), quantity, usage.tierQuantity ?? upTo)
    case 'package': {
      const amount = subtract(packagePrice(parameters, upTo), packagePrice(parameters, before))
      return { amount, components: [] }
    }
  }
}

function packagePrice(parameters: Fields, quantity: Rational): Rational {
  const size = decimalAt(parameters, 'package_size')
  if (size.n <= 0n) throw new RatingError('package_size must be positive')
  const charged = larger(subtract(quantity, decimalAt(parameters, 'free_units', ZERO)), ZERO)
  const packages = toScaled(divide(charged, size), 0, roundingAt(parameters, 'rounding', 'up'))
  return multiply(rational(packages), decimalAt(parameters, 'package_amount'))
}

function converterOf(parameters: Fields): (quantity: Rational) => Rational {
  if (!has(parameters, 'convert')) return (quantity) => quantity
  const convert = fieldsOf(parameters['convert'], 'convert')
  const divideBy = decimalAt(convert, 'divide_by', ONE)
  if (divideBy.n <= 0n) throw new RatingError('divide_by must be positive')
  const mode: Rounding | undefined =
    has(convert, 'rounding') && convert['rounding'] !== 'none' ? roundingAt(convert, 'rounding') : undefined
  return (quantity) => {
    const converted = divide(quantity, divideBy)
    return mode === undefined ? converted : fromScaled(toScaled(converted, 0, mode), 0)
  }
}

/** The cap holds in every part of a period and counts what was billed before; the minimum only at its end. */
function commit(
  parameters: Fields,
  discounted: Rational,
  usage: UnitUsage,
): { amount: Rational; minimumTrueUp: Rational; maximumDiscount: Rational } {
  const commitment = has(parameters, 'commitment') ? fieldsOf(parameters['commitment'], 'commitment') : {}
  const maximum = optionalDecimalAt(commitment, 'maximum')
  const minimum = optionalDecimalAt(commitment, 'minimum')
  const room = maximum === undefined ? discounted : larger(subtract(maximum, usage.previouslyBilled), ZERO)
  const capped = discounted.n * room.d > room.n * discounted.d ? room : discounted
  const closes = usage.position === 'single' || usage.position === 'last'
  const missing =
    minimum === undefined || !closes
      ? ZERO
      : larger(subtract(minimum, add(usage.previouslyBilled, capped)), ZERO)
  return {
    amount: add(capped, missing),
    minimumTrueUp: missing,
    maximumDiscount: subtract(discounted, capped),
  }
}

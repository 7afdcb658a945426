import { METERS } from '#shared/catalogue/meters.ts'
import type { Applied, Grant } from '../grant.ts'
import type { Price } from '../plan.ts'
import { rate } from '../rate.ts'
import { type Fields, fieldsOf, has, optionalDecimalAt } from '../rating/fields.ts'
import { componentJson, rateUnits, UNIT_MODELS, type UnitModel } from '../rating/unit-price.ts'
import {
  add,
  decimal,
  formatDecimal,
  fromScaled,
  larger,
  multiply,
  type Rational,
  smaller,
  subtract,
  toScaled,
  total,
  ZERO,
} from '../rational.ts'
import { burnUnits } from './credits.ts'
import type { PricePart } from './parts.ts'
import type { GroupUsage } from './terms.ts'

/** What the usage of a part costs, exactly, and how it came about. */
export type RatedPart = {
  readonly part: PricePart
  readonly quantity: Rational | undefined
  readonly included: Rational
  /** What grants of units took off. */
  readonly granted: Rational
  readonly billedQuantity: Rational
  readonly amount: Rational
  readonly percentDiscount: Rational
  readonly minimumTrueUp: Rational
  readonly maximumDiscount: Rational
  readonly components: readonly Record<string, unknown>[]
  readonly groups: readonly GroupUsage[]
}

/**
 * Rates each part of a period: what is included by the share of its time, the model, the discount.
 * Then the price's own commitment over all parts of one price: a minimum is raised to on the part that
 * closes, a maximum holds in each and counts those before. Both count by time, as what is included does.
 */
export function rateParts(
  parts: readonly PricePart[],
  usageOf: (part: PricePart) => readonly GroupUsage[],
  grants: readonly Grant[],
): { readonly rated: readonly RatedPart[]; readonly units: readonly Applied[] } {
  const measured = parts.map((part) => {
    const groups = usageOf(part)
    const quantity = totalOf(part, groups)
    const used = quantity === undefined || quantity.n < 0n ? ZERO : quantity
    return { part, groups, quantity, used, included: includedOf(part) }
  })
  const units = burnUnits(measured, grants)
  const rated = measured.map((one) =>
    ratePart(
      one,
      total(units.filter(({ demandId }) => demandId === one.part.key).map(({ amount }) => amount)),
    ),
  )
  const chains = Map.groupBy(rated, ({ part }) => part.price.priceId)
  const committed = new Map([...chains.values()].flatMap(commitChain).map((one) => [one.part.key, one]))
  return { rated: rated.map((one) => committed.get(one.part.key) ?? one), units }
}

type Measured = Pick<RatedPart, 'part' | 'groups' | 'quantity' | 'included'> & { readonly used: Rational }

function ratePart({ used, ...measured }: Measured, granted: Rational): RatedPart {
  const { part, groups, included } = measured
  const { price } = part
  const { commitment: _commitment, included_quantity: _included, ...parameters } = price.parameters
  const charged = larger(subtract(used, granted), ZERO)
  const rated = isUnitModel(price.model)
    ? rateUnitPart(price.model, parameters, charged, included)
    : rateOther(part, parameters, charged, included, groups)
  return { ...measured, granted, ...rated, minimumTrueUp: ZERO, maximumDiscount: ZERO }
}

type Rated = Pick<RatedPart, 'amount' | 'billedQuantity' | 'percentDiscount' | 'components'>

function rateUnitPart(model: UnitModel, parameters: Fields, quantity: Rational, included: Rational): Rated {
  const rated = rateUnits(model, parameters, {
    quantity,
    position: 'single',
    preQuantity: ZERO,
    previouslyBilled: ZERO,
    tierQuantity: undefined,
    firstFlatAlreadyBilled: false,
    included,
  })
  return {
    amount: rated.amount,
    billedQuantity: rated.billedQuantity,
    percentDiscount: rated.percentDiscount,
    components: rated.components.map(componentJson),
  }
}

function rateOther(
  { price }: PricePart,
  parameters: Fields,
  quantity: Rational,
  included: Rational,
  groups: readonly GroupUsage[],
): Rated {
  const billedQuantity = larger(subtract(quantity, included), ZERO)
  const { amount, components } = rate(price.model, parameters, usageOf(price, billedQuantity, groups))
  return {
    amount: decimal(String(amount)),
    billedQuantity,
    percentDiscount: ZERO,
    components: Array.isArray(components) ? components : [],
  }
}

function usageOf(
  { model }: Price,
  billedQuantity: Rational,
  groups: readonly GroupUsage[],
): Record<string, unknown> {
  const quantities = groups.map(({ quantity }) => larger(quantity ?? ZERO, ZERO))
  if (model === 'bucketed') return { buckets: quantities.map(formatDecimal) }
  if (model !== 'percentage') return { quantity: formatDecimal(billedQuantity) }
  const transactions = groups.flatMap((group, index) => group.transactions ?? quantities[index] ?? [])
  return { transactions: transactions.map(formatDecimal) }
}

/** The share of what a whole period includes; whole things are included in whole numbers. */
function includedOf({ price, share }: PricePart): Rational {
  // Each bucket is priced alone: what all of them include together belongs to none.
  if (price.model === 'bucketed') return ZERO
  const exact = multiply(decimal(price.included), share)
  const whole = METERS[price.meter].scale === 0 && price.parameters['convert'] === undefined
  return whole ? fromScaled(toScaled(exact, 0, 'floor'), 0) : exact
}

function totalOf({ price }: PricePart, groups: readonly GroupUsage[]): Rational | undefined {
  const known = groups.flatMap(({ quantity }) => quantity ?? [])
  const [first] = known
  if (METERS[price.meter].aggregation === 'max')
    return first === undefined ? undefined : known.reduce(larger, first)
  return known.reduce(add, ZERO)
}

function commitChain(chain: readonly RatedPart[]): RatedPart[] {
  let billed = ZERO
  let least = ZERO
  let most: Rational | undefined = ZERO
  return chain.map((rated, index) => {
    const { minimum, maximum } = commitmentOf(rated.part.price.parameters)
    least = add(least, multiply(minimum ?? ZERO, rated.part.share))
    // What nothing bounds leaves the whole chain without a bound from there on.
    most =
      maximum === undefined || most === undefined ? undefined : add(most, multiply(maximum, rated.part.share))
    const room = most === undefined ? rated.amount : larger(subtract(most, billed), ZERO)
    const capped = smaller(rated.amount, room)
    const closes = index === chain.length - 1
    const missing = closes ? larger(subtract(least, add(billed, capped)), ZERO) : ZERO
    billed = add(billed, capped)
    return {
      ...rated,
      amount: add(capped, missing),
      minimumTrueUp: missing,
      maximumDiscount: subtract(rated.amount, capped),
    }
  })
}

function commitmentOf(parameters: Fields): { minimum: Rational | undefined; maximum: Rational | undefined } {
  if (!has(parameters, 'commitment')) return { minimum: undefined, maximum: undefined }
  const commitment = fieldsOf(parameters['commitment'], 'commitment')
  return {
    minimum: optionalDecimalAt(commitment, 'minimum'),
    maximum: optionalDecimalAt(commitment, 'maximum'),
  }
}

function isUnitModel(model: string): model is UnitModel {
  return (UNIT_MODELS as readonly string[]).includes(model)
}

import { add, compare, larger, multiply, type Rational, smaller, subtract, ZERO } from '../rational.ts'
import { decimalAt, type Fields, fieldsOf, listAt, optionalDecimalAt, RatingError } from './fields.ts'

/** One step of a tiered price; `upTo` is inclusive, undefined means without end. */
export type Tier = {
  readonly upTo: Rational | undefined
  readonly unitAmount: Rational
  readonly flatAmount: Rational
}

/** What one tier added to an amount. Tiers count from 1. */
export type Component = {
  readonly tier: number
  readonly kind: 'unit' | 'flat'
  readonly quantity?: Rational
  readonly amount: Rational
}

export type Priced = { readonly amount: Rational; readonly components: readonly Component[] }

/** Reads tiers and holds them to ascending bounds: overlapping ones would price a unit twice. */
export function tiersAt(fields: Fields, unitName = 'unit_amount', divisor?: Rational): Tier[] {
  const tiers = listAt(fields, 'tiers').map((raw, index) => {
    const tier = fieldsOf(raw, `tiers[${index}]`)
    const unit = decimalAt(tier, unitName, ZERO)
    return {
      upTo: optionalDecimalAt(tier, 'up_to'),
      unitAmount: divisor === undefined ? unit : multiply(unit, divisor),
      flatAmount: decimalAt(tier, 'flat_amount', ZERO),
    }
  })
  if (tiers.length === 0) throw new RatingError('tiers must not be empty')
  tiers.forEach((tier, index) => {
    const next = tiers[index + 1]
    if (next === undefined) return
    if (tier.upTo === undefined) throw new RatingError('only the last tier may be without end')
    if (next.upTo !== undefined && compare(next.upTo, tier.upTo) <= 0)
      throw new RatingError('tiers must ascend')
  })
  return tiers
}

/**
 * Prices the units after `before` up to `upTo`, each in its own tier.
 *
 * The first tier is always entered, so its flat amount is due even for nothing; a later tier is
 * entered by the first unit above the bound before it.
 */
export function priceGraduated(
  tiers: readonly Tier[],
  before: Rational,
  upTo: Rational,
  firstFlatAlreadyBilled: boolean,
): Priced {
  const components: Component[] = []
  let lower = ZERO
  tiers.forEach((tier, index) => {
    const end = tier.upTo === undefined ? upTo : smaller(upTo, tier.upTo)
    const quantity = subtract(end, larger(before, lower))
    if (quantity.n > 0n && tier.unitAmount.n !== 0n) {
      components.push({
        tier: index + 1,
        kind: 'unit',
        quantity,
        amount: multiply(quantity, tier.unitAmount),
      })
    }
    const entered =
      index === 0
        ? !firstFlatAlreadyBilled && before.n === 0n
        : compare(upTo, lower) > 0 && compare(before, lower) <= 0
    if (entered && tier.flatAmount.n !== 0n) {
      components.push({ tier: index + 1, kind: 'flat', amount: tier.flatAmount })
    }
    lower = tier.upTo ?? lower
  })
  if (tiers.at(-1)?.upTo !== undefined && compare(upTo, lower) > 0)
    throw new RatingError('no tier reaches that far')
  return { amount: components.map((component) => component.amount).reduce(add, ZERO), components }
}

/** Prices all units in one tier: the first whose bound reaches the basis. */
export function priceVolume(tiers: readonly Tier[], quantity: Rational, basis: Rational): Priced {
  const index = tiers.findIndex((tier) => tier.upTo === undefined || compare(basis, tier.upTo) <= 0)
  const tier = tiers[index]
  if (tier === undefined) throw new RatingError('no tier reaches that far')
  const components: Component[] = []
  if (quantity.n !== 0n && tier.unitAmount.n !== 0n) {
    components.push({ tier: index + 1, kind: 'unit', quantity, amount: multiply(quantity, tier.unitAmount) })
  }
  if (tier.flatAmount.n !== 0n) components.push({ tier: index + 1, kind: 'flat', amount: tier.flatAmount })
  return { amount: components.map((component) => component.amount).reduce(add, ZERO), components }
}

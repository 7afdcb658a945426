import { canonicalJson } from '#shared/json.ts'
import { type Currency, minorDigits, toMinor } from '../currency.ts'
import type { Applied } from '../grant.ts'
import { allocate } from '../rating/adjustments.ts'
import {
  add,
  decimal,
  formatDecimal,
  fromScaled,
  larger,
  multiply,
  type Rational,
  rational,
  subtract,
  ZERO,
} from '../rational.ts'
import {
  lineKeyOf,
  NO_ADJUSTMENTS,
  type RatedLine,
  USUAL_TAX_CATEGORY,
  wireFraction,
  wirePeriod,
} from './line.ts'
import { type PricePart, partsOf } from './parts.ts'
import { type RatedPart, rateParts } from './rate-part.ts'
import type { GroupUsage, InvoiceInput } from './terms.ts'

/** What usage costs: a line for each price and part of the period, split by group where the price is; then the plan's commitment. */
export function usageLines(input: InvoiceInput): {
  readonly lines: readonly RatedLine[]
  readonly unitBurns: readonly Applied[]
} {
  const { segments, usage, currency } = input
  const usageOf = (part: PricePart): readonly GroupUsage[] => {
    const groups = usage.get(part.key)
    if (groups === undefined) throw new RangeError(`nothing is known of the usage of ${part.key}`)
    return groups.toSorted(byGroup)
  }
  const { rated, units } = rateParts(partsOf(segments), usageOf, input.grants ?? [])
  const lines = rated.flatMap((one) => partLines(one, currency))
  return {
    lines: [...lines, ...commitmentLines(input, lines)],
    unitBurns: units,
  }
}

function byGroup(left: GroupUsage, right: GroupUsage): number {
  return canonicalJson(left.group) < canonicalJson(right.group) ? -1 : 1
}

/** The rounded amount of a price is split over its groups, so that the lines add up to it. */
function partLines(rated: RatedPart, currency: Currency): RatedLine[] {
  const { part, groups } = rated
  const minor = toMinor(rated.amount, currency)
  const whole = usageLine(rated, minor)
  if (part.price.groupBy.length === 0) return [whole]
  const weights = groups.map(({ quantity }) => larger(quantity ?? ZERO, ZERO))
  if (weights.every(({ n }) => n === 0n)) return [whole]
  const shares = allocate(minor, weights)
  const billed = split(rated.billedQuantity, weights)
  return groups.map((group, index) => ({
    ...whole,
    lineKey: lineKeyOf('usage', part.priceRef, canonicalJson(group.group), part.period),
    group: group.group,
    quantity: formatDecimal(group.quantity ?? ZERO),
    billedQuantity: formatDecimal(billed[index] ?? ZERO),
    minor: shares[index] ?? 0n,
    parent: { lineKey: whole.lineKey, minor },
    evidence: { events: group.events, root: group.root },
  }))
}

function split(whole: Rational, weights: readonly Rational[]): Rational[] {
  const sum = weights.reduce(add, ZERO)
  return weights.map((weight) => multiply(whole, rational(weight.n * sum.d, weight.d * sum.n)))
}

function usageLine(rated: RatedPart, minor: bigint): RatedLine {
  const { part, groups } = rated
  const { price } = part
  const [only] = groups
  return {
    lineKey: lineKeyOf('usage', part.priceRef, '', part.period),
    kind: 'usage',
    description: `${price.meter} per ${price.unit}`,
    meter: price.meter,
    group: {},
    servicePeriod: wirePeriod(part.period),
    priceRef: part.priceRef,
    quantity: formatDecimal(rated.quantity ?? ZERO),
    unit: price.unit,
    included: formatDecimal(rated.included),
    granted: formatDecimal(rated.granted),
    billedQuantity: formatDecimal(rated.billedQuantity),
    components: rated.components,
    adjustments: {
      percentDiscount: formatDecimal(rated.percentDiscount),
      minimumTrueUp: formatDecimal(rated.minimumTrueUp),
      maximumDiscount: formatDecimal(rated.maximumDiscount),
    },
    exact: wireFraction(rated.amount),
    minor,
    parent: null,
    taxCategory: price.taxCategory,
    corrects: null,
    isFee: false,
    evidence: {
      events: groups.reduce((sum, { events }) => sum + events, 0),
      root: groups.length === 1 ? (only?.root ?? null) : null,
    },
  }
}

/**
 * The plan's own minimum and maximum over all usage of the period, by the time each plan held: one line
 * on what closes the period, so that it is compared with what was charged to the last minor unit.
 */
function commitmentLines(input: InvoiceInput, lines: readonly RatedLine[]): RatedLine[] {
  const { segments, period, currency } = input
  const last = segments.at(-1)
  if (last === undefined) return []
  const byTime = (of: 'minimum' | 'maximum'): Rational | undefined =>
    segments.reduce<Rational | undefined>((sum, { plan, share }) => {
      const amount = plan.commitment[of]
      if (amount === undefined) return of === 'minimum' ? sum : undefined
      return sum === undefined ? undefined : add(sum, multiply(decimal(amount), share))
    }, ZERO)
  const used = lines.reduce((sum, { minor }) => sum + minor, 0n)
  const least = byTime('minimum') ?? ZERO
  const most = byTime('maximum')
  const line = (kind: 'minimum' | 'maximum', exact: Rational, minor: bigint): RatedLine => ({
    lineKey: lineKeyOf(kind, `${last.plan.planId}@${last.plan.version}/${kind}`, '', period),
    kind,
    description: kind === 'minimum' ? 'Up to the minimum commitment' : 'Down to the maximum',
    meter: null,
    group: {},
    servicePeriod: wirePeriod({
      fromMs: segments[0]?.period.fromMs ?? period.fromMs,
      toMs: last.period.toMs,
    }),
    priceRef: `${last.plan.planId}@${last.plan.version}/${kind}`,
    quantity: '1',
    unit: 'period',
    included: '0',
    granted: '0',
    billedQuantity: '1',
    components: [],
    adjustments: NO_ADJUSTMENTS,
    exact: wireFraction(subtract(exact, fromScaled(used, minorDigits(currency)))),
    minor,
    parent: null,
    taxCategory: USUAL_TAX_CATEGORY,
    corrects: null,
    isFee: false,
    evidence: { events: 0, root: null },
  })
  const missing = toMinor(least, currency) - used
  if (missing > 0n) return [line('minimum', least, missing)]
  const over = most === undefined ? 0n : used - toMinor(most, currency)
  return most !== undefined && over > 0n ? [line('maximum', most, -over)] : []
}

import type { MeterId } from '#shared/catalogue/meters.ts'
import type { Tier } from '#shared/catalogue/tiers.ts'
import type { Currency } from './currency.ts'
import type { PriceModel } from './price-models.ts'

/** What one meter costs under a plan. `parameters` are those of its model (billing.md §13). */
export type Price = {
  readonly priceId: string
  readonly meter: MeterId
  /** What the quantity on the line is in, after conversion. */
  readonly unit: string
  readonly model: PriceModel
  readonly parameters: Readonly<Record<string, unknown>>
  /** Units included in a whole period, a decimal; a part of a period has that share of it. */
  readonly included: string
  /** Which usage the price is for: one of the values in each dimension named; all of it where empty. */
  readonly filters: Readonly<Record<string, readonly string[]>>
  /** Dimensions whose values get a line each. */
  readonly groupBy: readonly string[]
  /** Beyond what is included: charged, or not allowed (entitlements say no; usage that happens is charged). */
  readonly overage: 'charge' | 'block'
  readonly taxCategory: string
}

/** A recurring fee of each period. */
export type Fee = {
  readonly feeId: string
  readonly description: string
  /** Of a whole period, in the currency's unit, a decimal. */
  readonly amount: string
  readonly term: 'in_advance' | 'in_arrears'
  readonly taxCategory: string
}

/** What all usage lines of a whole period come to at least and at most, in the currency's unit. */
export type Commitment = { readonly minimum?: string | undefined; readonly maximum?: string | undefined }

/** What a plan costs in one currency. */
export type Sheet = {
  readonly fees: readonly Fee[]
  /** Of several prices of one meter, usage belongs to the first whose filters it passes. */
  readonly prices: readonly Price[]
  readonly commitment: Commitment
}

export const LATE_POLICIES = ['correct', 'absorb', 'refuse'] as const

/** What holds in every currency of a plan's version. */
export type PlanTerms = {
  readonly planId: string
  readonly version: number
  readonly name: string
  /** The one tier the plan is for. */
  readonly tier: Tier
  /** Made up to show how plans look; no operator should bill by it. */
  readonly example: boolean
  /** A tenant of the tier begins on it, and moves to it with the tier. */
  readonly isDefault: boolean
  /** Any tenant of the tier may choose it; one that is not is for those whom operators put on it. */
  readonly listed: boolean
  /** From when subscriptions may begin on this version, in milliseconds. */
  readonly validFromMs: number
  /** `prepaid`: a change of plan is charged only as far as credit covers it. */
  readonly payment: 'invoiced' | 'prepaid'
  /** How long after its period an invoice stays a draft, at most 72. */
  readonly graceHours: number
  /** What becomes of usage that comes after its invoice was finalized, and until when. */
  readonly late: { readonly policy: (typeof LATE_POLICIES)[number]; readonly horizonDays: number }
  readonly taxMode: 'per_rate' | 'per_line'
}

/** One immutable version of a plan. A change of price is a new version, never an edit. */
export type PlanVersion = PlanTerms & {
  /** What a subscription is billed in unless it says otherwise. */
  readonly currency: Currency
  readonly currencies: Readonly<Partial<Record<Currency, Sheet>>>
}

/** A plan's version in the one currency of a subscription. */
export type Plan = PlanTerms & Sheet & { readonly currency: Currency }

/** The plan in a currency; undefined where it is not sold in it. */
export function planIn(version: PlanVersion, currency: Currency): Plan | undefined {
  const { currencies, ...terms } = version
  const sheet = currencies[currency]
  return sheet === undefined ? undefined : { ...terms, ...sheet, currency }
}

/** The price of usage of a meter in a group: the first whose filters the group passes. */
export function priceFor(
  prices: readonly Price[],
  meter: MeterId,
  group: Readonly<Record<string, string>>,
): Price | undefined {
  return prices.find(
    (price) =>
      price.meter === meter &&
      Object.entries(price.filters).every(([name, values]) => values.includes(group[name] ?? '')),
  )
}

/** The dimensions by which usage of a meter must be told apart to be priced and put on lines. */
export function dimensionsPriced(prices: readonly Price[], meter: MeterId): string[] {
  const named = prices
    .filter((price) => price.meter === meter)
    .flatMap((price) => [...Object.keys(price.filters), ...price.groupBy])
  return [...new Set(named)].sort()
}

/**
 * The plan a subscription of a tier begins on, which is a listed one: an operator's own before a shipped example, the one that
 * became valid last before others. `candidates` are the versions that hold now.
 */
export function defaultPlan(tier: Tier, candidates: readonly PlanVersion[]): PlanVersion | undefined {
  return candidates
    .filter((plan) => plan.tier === tier && plan.isDefault && plan.listed)
    .sort(
      (left, right) =>
        Number(left.example) - Number(right.example) ||
        right.validFromMs - left.validFromMs ||
        (left.planId < right.planId ? -1 : 1),
    )[0]
}

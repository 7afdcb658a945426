import { type Currency, toMinor } from './currency.ts'
import type { Fee } from './plan.ts'
import { decimal, divide, rational, total } from './rational.ts'
import type { Subscription, Terms } from './subscription.ts'
import { phasesOf } from './subscription-phases.ts'

/** What a subscription is worth in a month (MRR), in whole minor units. */
export type MonthlyRevenue = { readonly tier: string; readonly currency: Currency; readonly minor: bigint }

/** What is paid for at an instant; undefined before the beginning, in the trial and of a cancelled subscription. */
export function termsCharged(subscription: Subscription, atMs: number): Terms | undefined {
  if (atMs < (subscription.trialEndsAtMs ?? 0)) return undefined
  return phasesOf(subscription).findLast(({ fromMs }) => fromMs <= atMs)?.terms
}

/**
 * A plan's recurring fees as what they come to in a month, before credit and tax: of a year a twelfth, added
 * up exactly and rounded once. Periods that a change cut short do not make it smaller, and neither usage nor
 * a minimum, which is owed on usage alone, is in it.
 */
export function monthlyRevenue(
  { tier, currency, interval }: Pick<Terms, 'tier' | 'currency' | 'interval'>,
  fees: readonly Fee[],
): MonthlyRevenue {
  const ofPeriod = total(fees.map(({ amount }) => decimal(amount)))
  const months = rational(interval === 'year' ? 12n : 1n)
  return { tier, currency, minor: toMinor(divide(ofPeriod, months), currency) }
}

import type { Subscription } from '../subscription.ts'
import { type BillingPeriod, periodAt } from '../subscription-phases.ts'
import type { StoredInvoice } from './stored-invoice.ts'

/** The first period that has no invoice but a draft, over or not; undefined of a subscription that was undone. */
export function firstUnbilled(
  subscription: Subscription,
  invoices: readonly StoredInvoice[],
): BillingPeriod | undefined {
  if (subscription.status === 'cancelled') return undefined
  const billed = invoices.filter(({ status }) => status !== 'draft')
  const last = billed.reduce((most, { period }) => Math.max(most, period.toMs), subscription.startedAtMs)
  return periodAt(subscription, last)
}

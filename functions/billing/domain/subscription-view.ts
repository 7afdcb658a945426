import { formatInstant } from './calendar.ts'
import type { Subscription, Terms } from './subscription.ts'
import { periodAt, phasesOf, termsAt } from './subscription-phases.ts'

type TermsView = Omit<Terms, 'anchorMs'> & { readonly anchor: string }

/** A subscription as a caller sees it. */
export type SubscriptionView = TermsView & {
  readonly subscriptionId: string
  readonly tenantId: string
  readonly status: Subscription['status']
  readonly rev: number
  readonly startedAt: string
  readonly trialEndsAt: string | null
  readonly currentPeriod: { readonly from: string; readonly to: string }
  /** Changes that wait for their day. */
  readonly pending: readonly (TermsView & { readonly effectiveAt: string })[]
  readonly history: readonly Record<string, unknown>[]
}

export function viewOfSubscription(
  tenantId: string,
  subscription: Subscription,
  nowMs: number,
): SubscriptionView {
  const { subscriptionId, status, rev, startedAtMs, trialEndsAtMs, history } = subscription
  const period = periodAt(subscription, nowMs)
  return {
    subscriptionId,
    tenantId,
    status,
    rev,
    ...viewOfTerms(termsAt(subscription, nowMs)),
    startedAt: formatInstant(startedAtMs),
    trialEndsAt: trialEndsAtMs === undefined ? null : formatInstant(trialEndsAtMs),
    currentPeriod: { from: formatInstant(period.fromMs), to: formatInstant(period.toMs) },
    pending: phasesOf(subscription)
      .filter(({ fromMs }) => fromMs > nowMs)
      .map(({ fromMs, terms }) => ({ effectiveAt: formatInstant(fromMs), ...viewOfTerms(terms) })),
    history: history.map(({ atMs, decidedAtMs, anchorMs, ...change }) => ({
      at: formatInstant(atMs),
      decidedAt: formatInstant(decidedAtMs ?? atMs),
      ...(anchorMs === undefined ? {} : { anchor: formatInstant(anchorMs) }),
      ...change,
    })),
  }
}

function viewOfTerms({ anchorMs, ...terms }: Terms): TermsView {
  return { ...terms, anchor: formatInstant(anchorMs) }
}

import type { Tier } from '#shared/catalogue/tiers.ts'
import { type Cycle, sameCycle, wholePeriodAt } from './billing-cycle.ts'
import { localDayNumber, type Period } from './calendar.ts'
import type { Currency } from './currency.ts'
import { larger, ONE, type Rational, rational, smaller, subtract, ZERO } from './rational.ts'
import type { Change, Proration, Subscription, Terms } from './subscription.ts'

/** Terms and from when they hold; until the next phase begins. */
export type Phase = {
  readonly fromMs: number
  readonly terms: Terms
  /** How the cut at its beginning divides fees and allowances. */
  readonly proration: Proration
}

/** A period that is invoiced. It is a part of the whole one where a change of time zone or cycle cut it. */
export type BillingPeriod = Period & { readonly whole: Period }

/** A part of a period under one plan. */
export type Segment = Period & {
  readonly planId: string
  readonly planVersion: number
  readonly tier: Tier
  readonly currency: Currency
  /** Of a whole period's fees and allowances; the shares of a period's segments add up exactly. */
  readonly share: Rational
}

/**
 * What held and will hold, in order: a later decision overrides all that was decided before about
 * instants from its own on, and an operation that was undone never was. A cancelled subscription has no phases.
 */
export function phasesOf(subscription: Subscription): Phase[] {
  const { history } = subscription
  if (subscription.status === 'cancelled') return []
  if (history.length === 0) {
    return [{ fromMs: subscription.startedAtMs, terms: termsOf(subscription), proration: 'by_second' }]
  }
  let phases: Phase[] = []
  history.forEach((change, index) => {
    if (change.what === 'cancelled') phases = []
    if (change.what !== 'started' && change.what !== 'changed') return
    if (isUndone(history, change, index)) return
    const phase: Phase = {
      fromMs: change.atMs,
      terms: termsOf({ ...subscription, ...definedOf(change) }),
      proration: change.proration ?? 'by_second',
    }
    phases =
      change.what === 'started' ? [phase] : [...phases.filter(({ fromMs }) => fromMs < change.atMs), phase]
  })
  return phases
}

/** What holds at an instant; before the beginning, what it begins with. */
export function termsAt(subscription: Subscription, atMs: number): Terms {
  const phases = phasesOf(subscription)
  const phase = phases.findLast(({ fromMs }) => fromMs <= atMs) ?? phases[0]
  return phase?.terms ?? termsOf(subscription)
}

/** The invoiced period that contains an instant; periods follow each other without gaps. */
export function periodAt(subscription: Subscription, atMs: number): BillingPeriod {
  const runs = runsOf(subscription)
  const index = Math.max(
    runs.findLastIndex(({ fromMs }) => fromMs <= atMs),
    0,
  )
  const cycle = runs[index]?.cycle ?? cycleOf(subscription)
  const whole = wholePeriodAt(cycle, atMs)
  const run = runs[index]
  const next = runs[index + 1]
  return {
    fromMs: index === 0 || run === undefined ? whole.fromMs : Math.max(whole.fromMs, run.fromMs),
    toMs: next === undefined ? whole.toMs : Math.min(whole.toMs, next.fromMs),
    whole,
  }
}

/**
 * The period cut at every change of plan, without what lies before the subscription or in its trial.
 *
 * A cut by the second is where it is; one by the day is at the beginning of its local day, for fees and
 * allowances: the day belongs to the new plan. Usage always goes by the instant (`fromMs`, `toMs`).
 */
export function segmentsOf(subscription: Subscription, period: BillingPeriod): Segment[] {
  const phases = phasesOf(subscription)
  const begins = Math.max(period.fromMs, subscription.trialEndsAtMs ?? 0)
  let reached = ZERO
  return phases.flatMap((phase, index) => {
    const fromMs = Math.max(phase.fromMs, begins)
    const next = phases[index + 1]
    const toMs = Math.min(next?.fromMs ?? period.toMs, period.toMs)
    if (fromMs >= toMs) return []
    const { planId, planVersion, tier, currency, timeZone } = phase.terms
    const opens = fromMs === phase.fromMs ? phase.proration : 'by_second'
    const closes = next !== undefined && toMs === next.fromMs ? next.proration : 'by_second'
    const from = larger(reached, position(period.whole, fromMs, opens, timeZone))
    const to = larger(from, position(period.whole, toMs, closes, timeZone))
    reached = to
    return [{ fromMs, toMs, planId, planVersion, tier, currency, share: subtract(to, from) }]
  })
}

/** How much of a whole period has passed at a cut. */
function position(whole: Period, atMs: number, proration: Proration, timeZone: string): Rational {
  const { fromMs, toMs } = whole
  if (atMs <= fromMs) return ZERO
  if (atMs >= toMs) return ONE
  if (proration === 'by_second') return rational(BigInt(atMs - fromMs), BigInt(toMs - fromMs))
  const day = (ms: number): bigint => BigInt(localDayNumber(ms, timeZone))
  return smaller(ONE, rational(day(atMs) - day(fromMs), day(toMs) - day(fromMs)))
}

export function termsOf(subscription: Terms): Terms {
  const { planId, planVersion, tier, currency, timeZone, periods, interval, anchorMs } = subscription
  return { planId, planVersion, tier, currency, timeZone, periods, interval, anchorMs }
}

function cycleOf({ periods, interval, timeZone, anchorMs }: Terms): Cycle {
  return { mode: periods, interval, timeZone, anchorMs }
}

/** Phases of one cycle together: only a change of cycle ends a period early. */
function runsOf(subscription: Subscription): { readonly fromMs: number; readonly cycle: Cycle }[] {
  const runs: { fromMs: number; cycle: Cycle }[] = []
  for (const { fromMs, terms } of phasesOf(subscription)) {
    const cycle = cycleOf(terms)
    const last = runs.at(-1)
    if (last === undefined || !sameCycle(last.cycle, cycle)) runs.push({ fromMs, cycle })
  }
  return runs
}

function isUndone(history: readonly Change[], change: Change, index: number): boolean {
  return history.some(
    ({ what, operationId }, later) =>
      what === 'undone' && later > index && operationId === change.operationId && change.what === 'changed',
  )
}

function definedOf(change: Change): Partial<Terms> {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))
}

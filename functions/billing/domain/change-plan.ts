import { z } from 'zod'
import type { Tier } from '#shared/catalogue/tiers.ts'
import { parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { CYCLE_INTERVALS, CYCLE_MODES } from './billing-cycle.ts'
import { isTimeZone } from './calendar.ts'
import { CURRENCIES, type Currency, toMinor } from './currency.ts'
import { type PlanVersion, planIn } from './plan.ts'
import { decimal, multiply } from './rational.ts'
import { type Change, PRORATIONS, type Proration, type Subscription, type Terms } from './subscription.ts'
import { periodAt, phasesOf, segmentsOf, termsAt } from './subscription-phases.ts'

/** What a caller wants of a subscription. What is left out stays. */
export type WantedChange = {
  readonly planId: string
  /** The newest that is valid unless given. */
  readonly planVersion?: number | undefined
  readonly effective: 'now' | 'period_end'
  readonly proration: Proration
  readonly currency?: Currency | undefined
  readonly timeZone?: string | undefined
  readonly periods?: Terms['periods'] | undefined
  readonly interval?: Terms['interval'] | undefined
  /** What anniversaries count from; the beginning of the change's first period unless given. */
  readonly anchor?: string | undefined
  /** The revision that the caller has read. */
  readonly rev?: number | undefined
}

export const parseWantedChange = parser<WantedChange>(
  z.strictObject({
    planId: z.string().min(1).max(64),
    planVersion: z.number().int().min(1).optional(),
    effective: z.enum(['now', 'period_end']),
    proration: z.enum(PRORATIONS).default('by_second'),
    currency: z.enum(CURRENCIES as [Currency, ...Currency[]]).optional(),
    timeZone: z.string().max(64).refine(isTimeZone, 'must be an IANA time zone').optional(),
    periods: z.enum(CYCLE_MODES).optional(),
    interval: z.enum(CYCLE_INTERVALS).optional(),
    anchor: z.iso.datetime({ offset: true }).optional(),
    rev: z.number().int().min(0).optional(),
  }),
)

const MOST_CHANGES = 1_000
/** What changes of plan within a tier are named by; operations on tenants have other names. */
export const PLAN_CHANGE = 'chg_'
/** Names that the runtime knows and IANA does not: an offset changes for nobody. */
const OFFSET = /^[+-]/

/** From when a change holds: now, or with the first period that has not begun. */
export function effectiveMs(
  current: Subscription,
  effective: WantedChange['effective'],
  nowMs: number,
): number {
  return effective === 'now' ? nowMs : periodAt(current, nowMs).toMs
}

/**
 * A subscription with a change of plan or of what goes with it. Only a plan of the tenant's tier: the tier
 * itself is not billing's to change. Currency, time zone and periods change with a new period alone, so that
 * no period is billed in two.
 */
export function changePlan(
  current: Subscription | undefined,
  plan: PlanVersion,
  wanted: WantedChange,
  by: { readonly operationId: string; readonly nowMs: number },
): Result<Subscription> {
  if (current?.status !== 'active') return refuse('resource.not_found', 'no subscription')
  if (wanted.rev !== undefined && wanted.rev !== current.rev) {
    return refuse('subscription.revision_conflict', `is ${current.rev}`)
  }
  const atMs = effectiveMs(current, wanted.effective, by.nowMs)
  const before = termsAt(current, atMs)
  if (plan.tier !== termsAt(current, by.nowMs).tier) {
    return refuse('plan.tier_mismatch', `${plan.planId} is for ${plan.tier}`)
  }
  if (plan.validFromMs > atMs) return invalid('planVersion: is not valid yet')
  const terms = wantedTerms(before, plan, wanted, atMs)
  if (OFFSET.test(terms.timeZone)) return invalid('timeZone: must be an IANA time zone')
  if (planIn(plan, terms.currency) === undefined) {
    return invalid(`currency: ${plan.planId} is not sold in ${terms.currency}`)
  }
  const moved = (['currency', 'timeZone', 'periods', 'interval', 'anchorMs'] as const).find(
    (name) => terms[name] !== before[name],
  )
  if (wanted.effective === 'now' && moved !== undefined) {
    return invalid(`${moved === 'anchorMs' ? 'anchor' : moved}: changes with period_end only`)
  }
  return withChange(current, { terms, atMs, proration: wanted.proration, ...by })
}

/** A subscription on the plan of another tier, because an operation changes the tenant's tier. */
export function changeTier(
  current: Subscription,
  plan: PlanVersion,
  by: { readonly operationId: string; readonly nowMs: number; readonly effective: WantedChange['effective'] },
): Result<Subscription> {
  const atMs = effectiveMs(current, by.effective, by.nowMs)
  const before = termsAt(current, atMs)
  if (before.tier === plan.tier) return ok(current)
  if (planIn(plan, before.currency) === undefined) {
    return refuse('plan.unavailable', `${plan.planId} is not sold in ${before.currency}`)
  }
  const terms = { ...before, planId: plan.planId, planVersion: plan.version, tier: plan.tier }
  return withChange(current, { terms, atMs, proration: 'by_second', ...by })
}

/**
 * Takes back what an operation changed, as if it had never been; undefined where it changed nothing. Plans of
 * its tier that were chosen since go with it: nobody pays for a tier that came to nothing.
 */
export function undoChange(
  current: Subscription | undefined,
  operationId: string,
  nowMs: number,
): Subscription | undefined {
  if (current === undefined || !stands(current, operationId)) return undefined
  const at = current.history.findLastIndex((change) => change.operationId === operationId)
  const undone = without(current, [operationId], nowMs)
  const { tier, atMs = 0 } = current.history[at] ?? {}
  if (tier === termsAt({ ...current, history: current.history.slice(0, at) }, atMs).tier) return undone
  const chosen = current.history
    .slice(at + 1)
    .filter((change) => change.tier === tier && isPlanChange(change.operationId))
  return without(current, [operationId, ...chosen.map((change) => change.operationId)], nowMs)
}

/**
 * The subscription without the changes of tier that came to nothing: whatever another operation made wait
 * for its day, or has moved off the tier that the tenant has.
 */
export function withoutAbandoned(
  current: Subscription,
  by: { readonly operationId: string; readonly fromTier: Tier; readonly nowMs: number },
): Subscription {
  const { operationId, fromTier, nowMs } = by
  const off = phasesOf(current)
    .filter(({ fromMs }, index, phases) => (phases[index + 1]?.fromMs ?? Infinity) > nowMs || fromMs > nowMs)
    .filter(({ terms }) => terms.tier !== fromTier)
  const abandoned = current.history.filter(
    (change) =>
      change.operationId !== operationId &&
      off.some(({ fromMs, terms }) => fromMs === change.atMs && terms.tier === change.tier) &&
      stands(current, change.operationId),
  )
  if (abandoned.length === 0) return current
  const next = without(
    current,
    abandoned.map((change) => change.operationId),
    nowMs,
  )
  // One that was hidden behind another may have come to light.
  return withoutAbandoned(next, by)
}

function isPlanChange(operationId: string): boolean {
  return operationId.startsWith(PLAN_CHANGE)
}

/** Whether the last word of an operation is a change. */
function stands({ history }: Subscription, operationId: string): boolean {
  return history.findLast((change) => change.operationId === operationId)?.what === 'changed'
}

/** As if the operations had changed nothing. */
function without(current: Subscription, operationIds: readonly string[], nowMs: number): Subscription {
  const { planId, planVersion } = current
  const undone = [...new Set(operationIds)].map(
    (operationId): Change => ({
      atMs: nowMs,
      decidedAtMs: nowMs,
      what: 'undone',
      planId,
      planVersion,
      operationId,
    }),
  )
  return inForce({ ...current, history: [...current.history, ...undone], rev: current.rev + 1 }, nowMs)
}

/**
 * What a change adds to the fees that are due in advance for the rest of the running period, in minor
 * units; below zero it takes from them.
 */
export function chargeOfChange(
  before: Subscription,
  after: Subscription,
  planOf: (planId: string, version: number) => PlanVersion,
  nowMs: number,
): bigint {
  const fees = (subscription: Subscription): bigint => {
    const period = periodAt(before, nowMs)
    return segmentsOf(subscription, { ...period, fromMs: Math.max(nowMs, period.fromMs) })
      .flatMap(({ planId, planVersion, currency, share }) => {
        const plan = planIn(planOf(planId, planVersion), currency)
        const advance = plan?.fees.filter(({ term }) => term === 'in_advance') ?? []
        return advance.map(({ amount }) => toMinor(multiply(decimal(amount), share), currency))
      })
      .reduce((sum, minor) => sum + minor, 0n)
  }
  return fees(after) - fees(before)
}

/** Every version of a plan that a subscription names. */
export function plansNamed(subscription: Subscription): { planId: string; version: number }[] {
  return [
    { planId: subscription.planId, version: subscription.planVersion },
    ...subscription.history.map(({ planId, planVersion }) => ({ planId, version: planVersion })),
  ]
}

function wantedTerms(before: Terms, plan: PlanVersion, wanted: WantedChange, atMs: number): Terms {
  const periods = wanted.periods ?? before.periods
  const timeZone = wanted.timeZone ?? before.timeZone
  const interval = wanted.interval ?? before.interval
  // Anniversaries of something else begin with the change; those that there are go on.
  const goesOn = periods === before.periods && timeZone === before.timeZone && interval === before.interval
  const anchorMs = wanted.anchor !== undefined ? Date.parse(wanted.anchor) : goesOn ? before.anchorMs : atMs
  return {
    planId: plan.planId,
    planVersion: plan.version,
    tier: plan.tier,
    currency: wanted.currency ?? before.currency,
    timeZone,
    periods,
    interval,
    anchorMs,
  }
}

function withChange(
  current: Subscription,
  change: {
    readonly terms: Terms
    readonly atMs: number
    readonly proration: Proration
    readonly operationId: string
    readonly nowMs: number
  },
): Result<Subscription> {
  const { terms, atMs, proration, operationId, nowMs } = change
  const entry: Change = { ...terms, atMs, decidedAtMs: nowMs, what: 'changed', proration, operationId }
  const changed = { ...current, history: [...current.history, entry], rev: current.rev + 1 }
  if (saysTheSame(current, changed)) return ok(current)
  if (current.history.length >= MOST_CHANGES) return refuse('subscription.too_many_changes', operationId)
  return ok(inForce(changed, nowMs))
}

/** The terms beside the history are those of now. */
function inForce(subscription: Subscription, nowMs: number): Subscription {
  return { ...subscription, ...termsAt(subscription, nowMs) }
}

/** Whether nothing that holds at any time is another. */
function saysTheSame(left: Subscription, right: Subscription): boolean {
  const said = (subscription: Subscription): string => {
    const phases = phasesOf(subscription).map(({ fromMs, terms }) => ({
      fromMs,
      terms: JSON.stringify(terms),
    }))
    return JSON.stringify(phases.filter(({ terms }, index) => terms !== phases[index - 1]?.terms))
  }
  return said(left) === said(right)
}

function invalid(hint: string): Result<never> {
  return refuse('subscription.invalid', hint, hint)
}

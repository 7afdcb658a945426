import { z } from 'zod'
import { TIERS, type Tier } from '#shared/catalogue/tiers.ts'
import { chargeRefused } from '#shared/contracts/events/charge-refused.ts'
import { subscriptionReady } from '#shared/contracts/events/subscription-ready.ts'
import { parser } from '#shared/json.ts'
import type { RefusalCode } from '#shared/refusals.ts'
import { CYCLE_INTERVALS, CYCLE_MODES } from './billing-cycle.ts'
import { isTimeZone } from './calendar.ts'
import { CURRENCIES, type Currency } from './currency.ts'
import type { PlanVersion } from './plan.ts'
import { termsAt } from './subscription-phases.ts'

export const PRORATIONS = ['by_second', 'by_day'] as const
export type Proration = (typeof PRORATIONS)[number]

/** What is paid for, in what, and when periods begin. */
export type Terms = {
  readonly planId: string
  readonly planVersion: number
  readonly tier: Tier
  readonly currency: Currency
  /** Its days, months and years are the subscription's (IANA). */
  readonly timeZone: string
  readonly periods: (typeof CYCLE_MODES)[number]
  readonly interval: (typeof CYCLE_INTERVALS)[number]
  /** What anniversaries are counted from, in milliseconds. */
  readonly anchorMs: number
}

/**
 * What a tenant pays for. The terms here are those that held when it was last decided upon; what holds at
 * an instant, a change that waits for its day included, follows from `history` (`phasesOf`).
 */
export type Subscription = Terms & {
  readonly subscriptionId: string
  readonly status: 'active' | 'cancelled'
  /** Grows with each change. */
  readonly rev: number
  /** When it began, in milliseconds. */
  readonly startedAtMs: number
  /** Until when nothing is charged, in milliseconds. */
  readonly trialEndsAtMs?: number | undefined
  /** The operation that brought this subscription about. */
  readonly operationId: string
  /**
   * The operations that were told it is theirs: it ends when the last of them is cancelled. Absent: only
   * the one that brought it about.
   */
  readonly holders?: readonly string[] | undefined
  /** Only ever longer. */
  readonly history: readonly Change[]
}

/** `undone` takes back what the same operation changed, as if it had never been. */
export type Change = { readonly [K in keyof Terms]?: Terms[K] | undefined } & {
  /** From when it holds; it overrides what was decided before about any instant from there on. */
  readonly atMs: number
  readonly what: 'started' | 'changed' | 'undone' | 'cancelled'
  readonly planId: string
  readonly planVersion: number
  readonly operationId: string
  readonly decidedAtMs?: number | undefined
  readonly proration?: Proration | undefined
}

/** What became of one operation's request; a cancelled one may be asked for again, as a new round. */
export type OperationAnswer = {
  readonly outcome: 'ready' | 'refused' | 'cancelled'
  /** The fact that answered it, as it was published: asking again gets the same bytes. */
  readonly fact?: string | undefined
  readonly round: number
  /** Orders the request and the cancellation of an operation, whichever arrives first. */
  readonly order: string
}

const tier = z.enum(TIERS)
const currency = z.enum(CURRENCIES as [Currency, ...Currency[]])
const timeZone = z.string().refine(isTimeZone)
const periods = z.enum(CYCLE_MODES)
const interval = z.enum(CYCLE_INTERVALS)

export const parseSubscription = parser<Subscription>(
  z.object({
    subscriptionId: z.string(),
    status: z.enum(['active', 'cancelled']),
    rev: z.number().int().default(1),
    planId: z.string(),
    planVersion: z.number().int(),
    tier,
    currency,
    timeZone,
    periods: periods.default('calendar'),
    interval: interval.default('month'),
    anchorMs: z.number().default(0),
    startedAtMs: z.number(),
    trialEndsAtMs: z.number().optional(),
    operationId: z.string(),
    holders: z.array(z.string()).optional(),
    history: z.array(
      z.object({
        atMs: z.number(),
        what: z.enum(['started', 'changed', 'undone', 'cancelled']),
        planId: z.string(),
        planVersion: z.number().int(),
        operationId: z.string(),
        decidedAtMs: z.number().optional(),
        proration: z.enum(PRORATIONS).optional(),
        ...z.object({ tier, currency, timeZone, periods, interval, anchorMs: z.number() }).partial().shape,
      }),
    ),
  }),
)

export const parseOperationAnswer = parser<OperationAnswer>(
  z.object({
    outcome: z.enum(['ready', 'refused', 'cancelled']),
    fact: z.string().optional(),
    round: z.number().int(),
    order: z.string(),
  }),
)

export type Request = {
  readonly tier: Tier
  readonly operationId: string
  readonly trialEndsAtMs: number | undefined
  readonly nowMs: number
  /** What a subscription of the tier begins on; undefined when there is none. */
  readonly plan: PlanVersion | undefined
}

export type Decision =
  | { readonly outcome: 'ready'; readonly subscription: Subscription; readonly change: 'started' | 'joined' }
  | { readonly outcome: 'refused'; readonly reason: RefusalCode }

/**
 * Gives a tenant a subscription on its tier's plan. One that exists already is the answer when it is
 * of the same tier; one of another tier is a mismatch that only a tier change can solve.
 *
 * Whoever is answered with one that exists holds it too: the cancellation of the operation that began
 * it may come late, and must not take away what another was promised.
 */
export function requestSubscription(
  tenantId: string,
  current: Subscription | undefined,
  request: Request,
): Decision {
  const { plan, operationId, nowMs } = request
  if (current?.status === 'active') {
    if (termsAt(current, nowMs).tier !== request.tier)
      return { outcome: 'refused', reason: 'plan.tier_mismatch' }
    const holders = [...new Set([...holdersOf(current), operationId])]
    return {
      outcome: 'ready',
      subscription: { ...current, holders, rev: current.rev + 1 },
      change: 'joined',
    }
  }
  if (plan === undefined) return { outcome: 'refused', reason: 'plan.unavailable' }
  const terms: Terms = {
    planId: plan.planId,
    planVersion: plan.version,
    tier: plan.tier,
    currency: plan.currency,
    timeZone: 'UTC',
    periods: 'calendar',
    interval: 'month',
    anchorMs: nowMs,
  }
  const subscription: Subscription = {
    ...terms,
    subscriptionId: `sub_${tenantId}`,
    status: 'active',
    rev: (current?.rev ?? 0) + 1,
    startedAtMs: nowMs,
    trialEndsAtMs: request.trialEndsAtMs,
    operationId,
    holders: [operationId],
    history: [...(current?.history ?? []), { ...terms, atMs: nowMs, what: 'started', operationId }],
  }
  return { outcome: 'ready', subscription, change: 'started' }
}

/** Undoes what this operation's request did: what another operation holds too goes on for that one. */
export function cancelSubscription(
  current: Subscription | undefined,
  operationId: string,
  nowMs: number,
): Subscription | undefined {
  if (current?.status !== 'active' || !holdersOf(current).includes(operationId)) return undefined
  const holders = holdersOf(current).filter((holder) => holder !== operationId)
  const rev = current.rev + 1
  if (holders.length > 0) return { ...current, rev, holders }
  const { planId, planVersion } = current
  const change: Change = { atMs: nowMs, what: 'cancelled', planId, planVersion, operationId }
  return { ...current, rev, status: 'cancelled', holders, history: [...current.history, change] }
}

/** Ends what is there, whoever holds it: the tenant is leaving. */
export function endSubscription(
  current: Subscription,
  operationId: string,
  nowMs: number,
): Subscription | undefined {
  if (current.status !== 'active') return undefined
  const { planId, planVersion, rev } = current
  const change: Change = { atMs: nowMs, what: 'cancelled', planId, planVersion, operationId }
  return { ...current, rev: rev + 1, status: 'cancelled', holders: [], history: [...current.history, change] }
}

function holdersOf(subscription: Subscription): readonly string[] {
  return subscription.holders ?? [subscription.operationId]
}

/** The event type and id of the fact that answers an operation; a round after a cancellation is a new fact. */
export function answerFact(
  outcome: 'ready' | 'refused',
  operationId: string,
  round: number,
): { type: string; id: string } {
  const suffix = round === 1 ? '' : `.${round}`
  return outcome === 'ready'
    ? { type: subscriptionReady.type, id: `subscription-ready.${operationId}${suffix}` }
    : { type: chargeRefused.type, id: `charge-refused.${operationId}${suffix}` }
}

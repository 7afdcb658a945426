import { z } from 'zod'
import { TIERS, type Tier } from '#shared/catalogue/tiers.ts'
import { chargeRefused } from '#shared/contracts/events/charge-refused.ts'
import { subscriptionReady } from '#shared/contracts/events/subscription-ready.ts'
import { parser } from '#shared/json.ts'
import type { RefusalCode } from '#shared/refusals.ts'
import { isTimeZone } from './calendar.ts'
import { CURRENCIES, type Currency } from './currency.ts'
import { planForTier } from './plans.ts'

/** What a tenant pays for. Only the newest is kept here; what changed stands in `history`. */
export type Subscription = {
  readonly subscriptionId: string
  readonly status: 'active' | 'cancelled'
  readonly planId: string
  readonly planVersion: number
  readonly tier: Tier
  readonly currency: Currency
  readonly timeZone: string
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
  readonly history: readonly Change[]
}

export type Change = {
  readonly atMs: number
  readonly what: 'started' | 'cancelled'
  readonly planId: string
  readonly planVersion: number
  readonly operationId: string
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

export const parseSubscription = parser<Subscription>(
  z.object({
    subscriptionId: z.string(),
    status: z.enum(['active', 'cancelled']),
    planId: z.string(),
    planVersion: z.number().int(),
    tier: z.enum(TIERS),
    currency: z.enum(CURRENCIES as [Currency, ...Currency[]]),
    timeZone: z.string().refine(isTimeZone),
    startedAtMs: z.number(),
    trialEndsAtMs: z.number().optional(),
    operationId: z.string(),
    holders: z.array(z.string()).optional(),
    history: z.array(
      z.object({
        atMs: z.number(),
        what: z.enum(['started', 'cancelled']),
        planId: z.string(),
        planVersion: z.number().int(),
        operationId: z.string(),
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
  if (current?.status === 'active') {
    if (current.tier !== request.tier) return { outcome: 'refused', reason: 'plan.tier_mismatch' }
    const holders = [...new Set([...holdersOf(current), request.operationId])]
    return { outcome: 'ready', subscription: { ...current, holders }, change: 'joined' }
  }
  const plan = planForTier(request.tier)
  const change: Change = {
    atMs: request.nowMs,
    what: 'started',
    planId: plan.planId,
    planVersion: plan.version,
    operationId: request.operationId,
  }
  const subscription: Subscription = {
    subscriptionId: `sub_${tenantId}`,
    status: 'active',
    planId: plan.planId,
    planVersion: plan.version,
    tier: plan.tier,
    currency: plan.currency,
    timeZone: 'UTC',
    startedAtMs: request.nowMs,
    trialEndsAtMs: request.trialEndsAtMs,
    operationId: request.operationId,
    holders: [request.operationId],
    history: [...(current?.history ?? []), change],
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
  if (holders.length > 0) return { ...current, holders }
  const { planId, planVersion } = current
  const change: Change = { atMs: nowMs, what: 'cancelled', planId, planVersion, operationId }
  return { ...current, status: 'cancelled', holders, history: [...current.history, change] }
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

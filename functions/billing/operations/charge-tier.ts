import type { Tier } from '#shared/catalogue/tiers.ts'
import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import { chargeRefused } from '#shared/contracts/events/charge-refused.ts'
import { charged } from '#shared/contracts/events/charged.ts'
import type { TierChargeRequested } from '#shared/contracts/events/tier-charge-requested.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { DependencyFailed } from '#shared/deadline.ts'
import { RESERVED_TENANT_IDS } from '#shared/ids.ts'
import { canonicalJson } from '#shared/json.ts'
import type { ReceivedEvent } from '#shared/pubsub/types.ts'
import type { RefusalCode } from '#shared/refusals.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import {
  changeTier,
  chargeOfChange,
  effectiveMs,
  plansNamed,
  undoChange,
  withoutAbandoned,
} from '../domain/change-plan.ts'
import { isStatable, minorDigits, money } from '../domain/currency.ts'
import { balanceAt, type Grant, inBurnOrder } from '../domain/grant.ts'
import type { PlanVersion } from '../domain/plan.ts'
import { compare, fromScaled, total } from '../domain/rational.ts'
import type { Subscription } from '../domain/subscription.ts'
import { termsAt } from '../domain/subscription-phases.ts'
import { admitUsage } from '../domain/tenant-projection.ts'
import type { BillingDeps } from '../ports.ts'

const SOURCE = '//energent.ai/billing'

type Received = ReceivedEvent<TierChargeRequested>
type Charge = { readonly subscription: Subscription; readonly minor: bigint }

/**
 * Answers an operation that changes the tenant's tier, with `charged` or `charge-refused`: by whether there
 * is a plan of the tier in the tenant's currency, and where it is prepaid, by the credit that is left.
 *
 * Plan, answer and fact are one commit. Asked again, the operation gets the same fact, byte for byte.
 */
export async function chargeTier(
  deps: Pick<BillingDeps, 'plans' | 'subscriptions' | 'tenants'>,
  received: Received,
): Promise<Result<unknown>> {
  const { ctx, claim, event, nowMs } = received
  if (RESERVED_TENANT_IDS.includes(ctx.tenantId)) return refuse('event.malformed', 'reserved tenant')
  if (admitUsage(await deps.tenants.findFresh(ctx)) === 'refuse') return ok('the tenant is going')
  const { operationId, tier, effective = 'now', fromTier } = event.data
  const before = await deps.subscriptions.findAnswer(ctx, keyOf(operationId))
  if (before?.outcome === 'cancelled') return ok('over already')
  if (before?.fact !== undefined) {
    await deps.subscriptions.publishAgain(ctx, before.fact)
    return ok('answered again')
  }
  const plan = await deps.plans.forTier(tier, nowMs)
  const planOf = await plansOf(deps, await deps.subscriptions.find(ctx), plan)
  return deps.subscriptions.changeOnCredit(ctx, claim, keyOf(operationId), (current, answer, { grants }) => {
    if (answer !== undefined) return undefined
    const decided = decide(current, plan, planOf, grants, {
      operationId,
      nowMs,
      effective,
      fromTier,
    })
    const fact = decided.ok ? chargedFact(received, decided.value) : refusedFact(received, decided.code)
    return {
      ...(decided.ok && decided.value.subscription !== current
        ? { subscription: decided.value.subscription, audit: 'subscription.tier_changed' }
        : {}),
      answer: {
        outcome: decided.ok ? 'ready' : 'refused',
        fact: canonicalJson(fact),
        round: 1,
        order: '0',
      },
      fact,
    }
  })
}

/** Takes back what a tier change did that came to nothing; its request, should it come late, does nothing. */
export async function undoCharge(
  deps: Pick<BillingDeps, 'subscriptions'>,
  ctx: TenantContext,
  operationId: string,
  nowMs: number,
): Promise<void> {
  const undone = await deps.subscriptions.change(ctx, undefined, keyOf(operationId), (current, answer) => {
    if (answer?.outcome === 'cancelled') return undefined
    const subscription = undoChange(current, operationId, nowMs)
    return {
      ...(subscription === undefined ? {} : { subscription, audit: 'subscription.tier_change_undone' }),
      answer: { outcome: 'cancelled', round: 1, order: '0' },
    }
  })
  if (!undone.ok) throw new Error(`undoing a charge was refused: ${undone.detail}`)
}

type Occasion = {
  readonly operationId: string
  readonly nowMs: number
  readonly effective: 'now' | 'period_end'
  readonly fromTier: Tier | undefined
}

function decide(
  current: Subscription | undefined,
  plan: PlanVersion | undefined,
  planOf: (planId: string, version: number) => PlanVersion,
  grants: readonly Grant[],
  occasion: Occasion,
): Result<Charge> {
  const { nowMs, operationId, fromTier } = occasion
  if (current?.status !== 'active') return refuse('resource.not_found', 'no subscription')
  if (plan === undefined) return refuse('plan.unavailable', 'no plan of the tier')
  const base = fromTier === undefined ? current : withoutAbandoned(current, { operationId, fromTier, nowMs })
  const changed = changeTier(base, plan, occasion)
  if (!changed.ok) return changed
  const minor = chargeOfChange(base, changed.value, planOf, nowMs)
  if (!isStatable(minor)) return refuse('invoice.out_of_range', `${minor} minor units`)
  const { currency } = termsAt(base, nowMs)
  const credit = inBurnOrder(grants)
    .filter(({ measure, scope }) => 'currency' in measure && measure.currency === currency && scope.fees)
    .map((grant) => balanceAt(grant, nowMs))
  const owed = fromScaled(minor, minorDigits(currency))
  if (plan.payment === 'prepaid' && minor > 0n && compare(total(credit), owed) < 0) {
    return refuse('credit.insufficient', 'prepaid')
  }
  return ok({ subscription: changed.value, minor })
}

/** The versions that a charge may be computed from; one that is named meanwhile is met by the redelivery. */
async function plansOf(
  deps: Pick<BillingDeps, 'plans'>,
  current: Subscription | undefined,
  plan: PlanVersion | undefined,
): Promise<(planId: string, version: number) => PlanVersion> {
  const named = current === undefined ? [] : plansNamed(current)
  const found = await Promise.all(named.map(({ planId, version }) => deps.plans.find(planId, version)))
  const known = [...found, plan].filter((one) => one !== undefined)
  return (planId, version) => {
    const match = known.find((one) => one.planId === planId && one.version === version)
    if (match === undefined) throw new DependencyFailed(`the plan ${planId}@${version} came meanwhile`)
    return match
  }
}

function chargedFact(received: Received, { subscription, minor }: Charge): CloudEvent {
  const { event, nowMs } = received
  const atMs = effectiveMs(subscription, event.data.effective ?? 'now', nowMs)
  const { planId, planVersion, tier, currency } = termsAt(subscription, atMs)
  return factOf(received, charged.type, `charged.${event.data.operationId}`, {
    subscriptionId: subscription.subscriptionId,
    planId,
    planVersion,
    tier,
    effectiveAt: new Date(atMs).toISOString(),
    charge: money(minor, currency),
  })
}

function refusedFact(received: Received, reason: RefusalCode): CloudEvent {
  return factOf(received, chargeRefused.type, `charge-refused.${received.event.data.operationId}`, { reason })
}

function factOf(received: Received, type: string, id: string, data: object): CloudEvent {
  const { ctx, event, nowMs, trace } = received
  const { operationId } = event.data
  return newEvent({
    id,
    source: SOURCE,
    type,
    tenantId: ctx.tenantId,
    nowMs,
    data: { tenantId: ctx.tenantId, operationId, ...data },
    causationId: event.id,
    correlationId: event.correlationid ?? operationId,
    trace,
  })
}

/** An operation may have asked for the subscription too: that is another answer. */
function keyOf(operationId: string): string {
  return `${operationId} charge`
}

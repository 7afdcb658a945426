import type { Claim } from '#shared/firestore/claim.ts'
import { hashedId } from '#shared/ids.ts'
import { canonicalJson } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { changePlan, effectiveMs, PLAN_CHANGE, type WantedChange } from '../domain/change-plan.ts'
import { isOffered, staysOn } from '../domain/offer.ts'
import type { PlanVersion } from '../domain/plan.ts'
import type { Subscription } from '../domain/subscription.ts'
import { periodAt, termsAt } from '../domain/subscription-phases.ts'
import { type SubscriptionView, viewOfSubscription } from '../domain/subscription-view.ts'
import type { BillingDeps } from '../ports.ts'
import { type InvoicePreview, previewLines } from './preview-lines.ts'

type Asked = {
  readonly ctx: TenantContext
  readonly wanted: WantedChange
  /** To operators every plan is for sale; to a tenant, those that are listed. */
  readonly byOperator: boolean
  readonly nowMs: number
  readonly signal: AbortSignal
}

/** What is bought; `onlyToStay`: by a tenant that is on it already and by no other. */
type Purchase = { readonly plan: PlanVersion; readonly onlyToStay: boolean }

export type ChangedSubscription = SubscriptionView & {
  /** The invoice of the period that the change falls into; null where it is too much to compute at once. */
  readonly preview: InvoicePreview | null
}

type Deps = Pick<BillingDeps, 'plans' | 'subscriptions' | 'reads'> & Parameters<typeof previewLines>[0]

/** What a tenant pays for now, and what it will. */
export async function getSubscription(
  deps: Pick<BillingDeps, 'subscriptions'>,
  { ctx, nowMs }: { readonly ctx: TenantContext; readonly nowMs: number },
): Promise<Result<SubscriptionView>> {
  const subscription = await deps.subscriptions.find(ctx)
  if (subscription === undefined) return refuse('resource.not_found', 'no subscription')
  return ok(viewOfSubscription(ctx.tenantId, subscription, nowMs))
}

/**
 * Changes the plan, or what goes with it, and shows the invoice that comes of it. What is the same already
 * is no change. The change stands also where its invoice cannot be shown.
 */
export async function changeSubscription(
  deps: Deps,
  asked: Asked & { readonly claim: Claim | undefined },
): Promise<Result<ChangedSubscription>> {
  const { ctx, claim, nowMs } = asked
  const bought = await planToBuy(deps, asked)
  if (!bought.ok) return bought
  const changed = await deps.subscriptions.amend(ctx, claim, (current) => {
    const next = decide(current, bought.value, asked)
    if (!next.ok) return next
    return ok(next.value === current ? {} : { subscription: next.value, audit: 'subscription.plan_changed' })
  })
  if (!changed.ok) return changed
  const preview = await previewOf(deps, asked, changed.value)
  const view = viewOfSubscription(ctx.tenantId, changed.value, nowMs)
  return ok({ ...view, preview: preview.ok ? preview.value : null })
}

/** The same without a write: what the change would make of the period that it falls into. */
export async function previewChange(deps: Deps, asked: Asked): Promise<Result<ChangedSubscription>> {
  const { ctx, nowMs } = asked
  const bought = await planToBuy(deps, asked)
  if (!bought.ok) return bought
  const next = decide(await deps.subscriptions.find(ctx), bought.value, asked)
  if (!next.ok) return next
  const preview = await previewOf(deps, asked, next.value)
  if (!preview.ok) return preview
  return ok({ ...viewOfSubscription(ctx.tenantId, next.value, nowMs), preview: preview.value })
}

function decide(
  current: Subscription | undefined,
  { plan, onlyToStay }: Purchase,
  { ctx, wanted, nowMs }: Asked,
): Result<Subscription> {
  // It may have been moved since it was looked at.
  if (onlyToStay && !staysOn(current, plan, wanted.effective, nowMs)) return noSuchPlan()
  // A revision is changed once: the same decision about it has the same name.
  const operationId = `${PLAN_CHANGE}${hashedId(ctx.tenantId, String(current?.rev ?? 0), canonicalJson(wanted))}`
  return changePlan(current, plan, wanted, { operationId, nowMs })
}

/**
 * A plan that is sold, in the version that was asked for or the newest that is valid. One that a tenant may
 * not choose is refused to it as one that does not exist is, before anything else is said of it; one that it
 * is on it keeps, in that version.
 */
async function planToBuy(
  deps: Pick<BillingDeps, 'plans' | 'subscriptions'>,
  { ctx, wanted, byOperator, nowMs }: Asked,
): Promise<Result<Purchase>> {
  const { planId, planVersion, effective } = wanted
  const entry = await deps.plans.findEntry(planId)
  const newest = await deps.plans.at(planId, nowMs)
  const named = planVersion === undefined ? newest : await deps.plans.find(planId, planVersion)
  if (entry === undefined || named === undefined) return noSuchPlan()
  const onlyToStay = !byOperator && !isOffered(named, newest)
  let plan = named
  if (onlyToStay) {
    const current = await deps.subscriptions.find(ctx)
    plan = planVersion === undefined ? ((await planHeld(deps, current, wanted, nowMs)) ?? named) : named
    if (!staysOn(current, plan, effective, nowMs)) return noSuchPlan()
  }
  return entry.retiredAtMs === null ? ok({ plan, onlyToStay }) : refuse('plan.retired', planId)
}

/** The version of the plan that a tenant has when the change would hold. */
async function planHeld(
  deps: Pick<BillingDeps, 'plans'>,
  current: Subscription | undefined,
  { planId, effective }: WantedChange,
  nowMs: number,
): Promise<PlanVersion | undefined> {
  if (current === undefined) return undefined
  const held = termsAt(current, effectiveMs(current, effective, nowMs))
  return held.planId === planId ? deps.plans.find(planId, held.planVersion) : undefined
}

function noSuchPlan(): Result<never> {
  const hint = 'planId: there is no such plan, or no such version'
  return refuse('subscription.invalid', hint, hint)
}

function previewOf(deps: Deps, asked: Asked, subscription: Subscription): Promise<Result<InvoicePreview>> {
  const { ctx, wanted, nowMs, signal } = asked
  const period = periodAt(subscription, effectiveMs(subscription, wanted.effective, nowMs))
  const question = `subscription ${subscription.rev} ${canonicalJson(wanted)}`
  return deps.reads.share(
    ctx,
    question,
    (reading) => previewLines(deps, { ctx, subscription, period, nowMs, reading }),
    signal,
  )
}

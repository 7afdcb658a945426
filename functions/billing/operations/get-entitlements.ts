import { z } from 'zod'
import { METER_IDS, type MeterId } from '#shared/catalogue/meters.ts'
import { TIER_LIMITS } from '#shared/catalogue/tiers.ts'
import { parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { type Allowance, allowanceOf, decideUse } from '../domain/allowance.ts'
import { formatInstant } from '../domain/calendar.ts'
import { balanceAt, type Grant, inBurnOrder, isLive } from '../domain/grant.ts'
import { quantityUnit } from '../domain/meter.ts'
import { dimensionsPriced, type Plan, planIn, priceFor } from '../domain/plan.ts'
import { amountSchema } from '../domain/price-models.ts'
import { add, decimal, formatDecimal, type Rational, ZERO } from '../domain/rational.ts'
import { liveLeases } from '../domain/slots.ts'
import type { Subscription } from '../domain/subscription.ts'
import { type BillingPeriod, periodAt, segmentsOf, termsAt } from '../domain/subscription-phases.ts'
import { mayBeginWorkflows } from '../domain/tenant-projection.ts'
import type { SlotState } from '../ports/slots.ts'
import type { BillingDeps } from '../ports.ts'

type Deps = Pick<BillingDeps, 'grants' | 'plans' | 'reads' | 'slots' | 'subscriptions' | 'usage'>
type Request = { readonly ctx: TenantContext; readonly nowMs: number; readonly signal: AbortSignal }

/** What a caller asks to use: so much of a meter, in its unit. */
export type Use = {
  readonly meter: MeterId
  readonly amount: string
  readonly dimensions: Readonly<Record<string, string>>
}

export const parseUse = parser<Use>(
  z.strictObject({
    meter: z.enum(METER_IDS as [MeterId, ...MeterId[]]),
    amount: amountSchema,
    dimensions: z.record(z.string().max(32), z.string().max(64)).default({}),
  }),
)

type Counted = {
  readonly plan: Plan
  readonly period: BillingPeriod
  readonly allowances: readonly Allowance[]
  readonly exactThroughMs: number
  readonly provisional: boolean
}

/** What a tenant may use: its tier's limits, what is left of allowances and credit, and until when that is exact. */
export async function getEntitlements(
  deps: Deps,
  request: Request,
): Promise<Result<Record<string, unknown>>> {
  const { ctx, nowMs } = request
  const state = await deps.slots.find(ctx)
  if (state === undefined) return refuse('resource.not_found', 'no such tenant')
  const [counted, { grants }] = await Promise.all([count(deps, request), deps.grants.read(ctx)])
  if (!counted.ok) return counted
  const { tier } = state.tenant
  const { vcpu, memoryGib, storageGib, concurrentWorkflows } = TIER_LIMITS[tier]
  const usage = counted.value
  return ok({
    tenantId: ctx.tenantId,
    asOf: formatInstant(nowMs),
    tier,
    restricted: !mayBeginWorkflows(state.tenant),
    limits: { vcpu, memoryGib, storageGib, concurrentWorkflows },
    workflows: {
      active: activeIn(state),
      limit: concurrentWorkflows,
      frozen: state.slots.freeze !== null,
    },
    plan:
      usage === undefined
        ? null
        : { planId: usage.plan.planId, version: usage.plan.version, example: usage.plan.example },
    period:
      usage === undefined
        ? null
        : { from: formatInstant(usage.period.fromMs), to: formatInstant(usage.period.toMs) },
    allowances: (usage?.allowances ?? []).map(({ price, included, used, left }) => ({
      priceId: price.priceId,
      meter: price.meter,
      unit: price.unit,
      included: formatDecimal(included),
      used: formatDecimal(used),
      left: formatDecimal(left),
      overage: price.overage,
    })),
    credits: creditsAt(grants, nowMs),
    exactThrough: formatInstant(usage?.exactThroughMs ?? nowMs),
    provisional: usage?.provisional ?? false,
  })
}

/**
 * Whether a tenant may use so much more now. Answered from counters: `provisional` says that the last hours
 * may count a copy twice, which the roll-up mends. `unit` is what `remaining`, and the amount that was asked
 * for, are in: the meter's, not the price's, in which allowances are.
 */
export async function checkEntitlement(
  deps: Deps,
  request: Request,
  use: Use,
): Promise<Result<Record<string, unknown>>> {
  const { ctx, nowMs } = request
  const state = await deps.slots.find(ctx)
  if (state === undefined) return refuse('resource.not_found', 'no such tenant')
  if (!mayBeginWorkflows(state.tenant)) return refuse('entitlement.restricted', state.tenant.state)
  const amount = decimal(use.amount)
  const unit = quantityUnit(use.meter)
  if (use.meter === 'concurrent_workflows_peak') return ok({ ...slotsLeft(state, amount), unit })
  const [counted, { grants }] = await Promise.all([count(deps, request, use.meter), deps.grants.read(ctx)])
  if (!counted.ok) return counted
  if (counted.value === undefined) {
    return ok({ allowed: false, reason: 'no_subscription', remaining: '0', unit, provisional: false })
  }
  const { plan, allowances, provisional } = counted.value
  const price = priceFor(plan.prices, use.meter, use.dimensions)
  const allowance = allowances.find((one) => one.price.priceId === price?.priceId)
  const granted = grants
    .filter(({ measure, scope }) => {
      const pays = scope.priceIds === undefined || scope.priceIds.includes(price?.priceId ?? '')
      return 'meter' in measure && measure.meter === use.meter && pays
    })
    .map((grant) => balanceAt(grant, nowMs))
    .reduce(add, ZERO)
  const { allowed, reason, remaining } = decideUse(allowance, amount, granted)
  return ok({
    allowed,
    reason,
    remaining: remaining === undefined ? null : formatDecimal(remaining),
    unit,
    provisional,
  })
}

/** Usage against allowances in the running period; undefined without a subscription. */
async function count(deps: Deps, request: Request, only?: MeterId): Promise<Result<Counted | undefined>> {
  const { ctx, nowMs } = request
  const subscription = await deps.subscriptions.find(ctx)
  if (subscription?.status !== 'active') return ok(undefined)
  const period = periodAt(subscription, nowMs)
  const plans = await plansIn(deps, subscription, period)
  const { planId, planVersion, currency } = termsAt(subscription, nowMs)
  const version = await deps.plans.find(planId, planVersion)
  const plan = version === undefined ? undefined : planIn(version, currency)
  if (plan === undefined) throw new RangeError(`no plan ${planId}@${planVersion} in ${currency}`)
  const prices = plan.prices.filter(({ meter }) => only === undefined || meter === only)
  const used = await usedBy(
    deps,
    request,
    plan,
    prices.map(({ meter }) => meter),
    {
      fromMs: Math.max(period.fromMs, plans[0]?.fromMs ?? period.fromMs),
      toMs: period.toMs,
    },
  )
  if (!used.ok) return used
  const allowances = prices.map((price) => {
    const segments = plans.map(({ plan: ofSegment, share }) => ({
      price: ofSegment.prices.find(
        ({ priceId, meter }) => priceId === price.priceId && meter === price.meter,
      ),
      share,
    }))
    return allowanceOf(price, segments, used.value.byPrice.get(price.priceId) ?? ZERO)
  })
  const { exactThroughMs, provisional } = used.value
  return ok({ plan, period, allowances, exactThroughMs, provisional })
}

/** The plan of each segment of the period, with its share. */
async function plansIn(deps: Deps, subscription: Subscription, period: BillingPeriod) {
  return Promise.all(
    segmentsOf(subscription, period).map(async ({ planId, planVersion, currency, share, fromMs }) => {
      const version = await deps.plans.find(planId, planVersion)
      const plan = version === undefined ? undefined : planIn(version, currency)
      if (plan === undefined) throw new RangeError(`no plan ${planId}@${planVersion} in ${currency}`)
      return { plan, share, fromMs }
    }),
  )
}

type Used = {
  readonly byPrice: ReadonlyMap<string, Rational>
  readonly exactThroughMs: number
  readonly provisional: boolean
}

/** From counters, where a meter has one price for all; by groups from the ledger, where usage is split. */
async function usedBy(
  deps: Deps,
  { ctx, nowMs, signal }: Request,
  plan: Plan,
  meters: readonly MeterId[],
  period: { readonly fromMs: number; readonly toMs: number },
): Promise<Result<Used>> {
  const split = [...new Set(meters)].filter((meter) =>
    plan.prices.some((price) => price.meter === meter && Object.keys(price.filters).length > 0),
  )
  const estimate = await deps.usage.estimate(ctx, { meters: [...new Set(meters)], ...period, nowMs })
  const byPrice = new Map<string, Rational>()
  for (const price of plan.prices) {
    const value = split.includes(price.meter) ? undefined : estimate.values[price.meter]?.value
    if (value !== undefined) byPrice.set(price.priceId, value)
  }
  for (const meter of split) {
    const groupBy = dimensionsPriced(plan.prices, meter)
    const query = { meters: [meter], groupBy, ...period, nowMs }
    const found = await deps.reads.share(
      ctx,
      `allowance ${meter} ${period.fromMs}`,
      (reading) => deps.usage.quantities(ctx, query, reading),
      signal,
    )
    if (!found.ok) return found
    for (const { group, value = ZERO } of found.value.rows) {
      const price = priceFor(plan.prices, meter, group)
      if (price !== undefined) byPrice.set(price.priceId, add(byPrice.get(price.priceId) ?? ZERO, value))
    }
  }
  return ok({ byPrice, exactThroughMs: estimate.exactThroughMs, provisional: estimate.provisional })
}

function activeIn({ slots, atMs }: SlotState): number {
  return Object.keys(liveLeases(slots, atMs)).length
}

function slotsLeft(state: SlotState, amount: Rational): Record<string, unknown> {
  const free = Math.max(TIER_LIMITS[state.tenant.tier].concurrentWorkflows - activeIn(state), 0)
  const allowed = state.slots.freeze === null && amount.n <= BigInt(free) * amount.d
  return {
    allowed,
    reason: allowed ? 'included' : 'limit_reached',
    remaining: String(state.slots.freeze === null ? free : 0),
    provisional: false,
  }
}

function creditsAt(grants: readonly Grant[], atMs: number): Record<string, unknown>[] {
  return inBurnOrder(grants)
    .filter((grant) => isLive(grant, atMs))
    .map((grant) => ({
      grantId: grant.grantId,
      ...('currency' in grant.measure ? { currency: grant.measure.currency } : { unit: grant.measure.meter }),
      balance: formatDecimal(balanceAt(grant, atMs)),
      expiresAt: grant.expiresAtMs === null ? null : formatInstant(grant.expiresAtMs),
    }))
}

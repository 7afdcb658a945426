import { canonicalJson } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { dimensionsOf, groupIn, rowsOf, usageOf } from '../domain/invoice/assign-usage.ts'
import type { MeasuredPeriod } from '../domain/invoice/draft-invoice.ts'
import { type PricePart, partsOf } from '../domain/invoice/parts.ts'
import type { GroupUsage, Segment } from '../domain/invoice/terms.ts'
import { type Plan, planIn } from '../domain/plan.ts'
import type { Quantity } from '../domain/quantities.ts'
import type { Rational } from '../domain/rational.ts'
import type { Subscription } from '../domain/subscription.ts'
import { type BillingPeriod, segmentsOf, termsAt } from '../domain/subscription-phases.ts'
import type { BillingDeps, Reading } from '../ports.ts'
import { eventsOfHour, openEvidence } from './line-evidence.ts'

/** What measuring takes: single events only for a price by transaction. */
export type MeasureDeps = Pick<
  BillingDeps,
  'plans' | 'usage' | 'ledger' | 'live' | 'corrections' | 'versionOf' | 'counts'
>

export type Measurement = {
  readonly measured: MeasuredPeriod
  /** The plan that closes the period; undefined where nothing is charged. */
  readonly plan: Plan | undefined
  readonly exactThroughMs: number
  readonly provisional: boolean
}

/**
 * What was used in a period under each price of its plans: cut by the millisecond where a price changes,
 * told apart by the dimensions that prices name.
 */
export async function measurePeriod(
  deps: MeasureDeps,
  request: {
    readonly ctx: TenantContext
    readonly subscription: Subscription
    readonly period: BillingPeriod
    readonly nowMs: number
    readonly reading: Reading
  },
): Promise<Result<Measurement>> {
  const { ctx, subscription, period, nowMs, reading } = request
  const priced = await pricedSegments(deps, subscription, period)
  const segments = priced.map(({ segment }) => segment)
  const parts = partsOf(segments)
  const queries = Map.groupBy(parts, (part) =>
    JSON.stringify([part.period.fromMs, part.period.toMs, dimensionsOf(part, segments)]),
  )
  const rows = new Map<string, readonly Quantity[]>()
  let exactThroughMs = period.toMs
  for (const ofQuery of queries.values()) {
    const [first] = ofQuery
    if (first === undefined) continue
    const query = {
      meters: [...new Set(ofQuery.map(({ price }) => price.meter))],
      ...first.period,
      nowMs,
      groupBy: dimensionsOf(first, segments),
    }
    const found = await deps.usage.quantities(ctx, query, reading)
    if (!found.ok) return found
    // A part is exact by itself: what lies before another's beginning says nothing about the whole.
    if (found.value.provisional) exactThroughMs = Math.min(exactThroughMs, found.value.exactThroughMs)
    for (const part of ofQuery) rows.set(part.key, rowsOf(part, segments, found.value.rows))
  }
  const usage = new Map<string, readonly GroupUsage[]>()
  for (const part of parts) {
    const groups = usageOf(part, segments, rows.get(part.key) ?? [])
    const told =
      part.price.model === 'percentage' ? await withTransactions(deps, request, part, groups) : ok(groups)
    if (!told.ok) return told
    usage.set(part.key, told.value)
  }
  const last = priced.at(-1)?.plan
  const terms = termsAt(subscription, period.toMs - 1)
  if (priced.some(({ plan }) => plan.currency !== terms.currency)) {
    return refuse('invoice.state', 'two currencies in one period', 'A period is billed in one currency.')
  }
  return ok({
    measured: {
      period: { fromMs: period.fromMs, toMs: period.toMs },
      currency: terms.currency,
      timeZone: terms.timeZone,
      subscriptionId: subscription.subscriptionId,
      segments,
      usage,
      rollups: new Map(parts.map((part) => [part.key, rollupsOf(rows.get(part.key) ?? [])])),
      taxMode: last?.taxMode ?? 'per_rate',
    },
    plan: last,
    exactThroughMs: parts.length === 0 ? Math.min(nowMs, period.toMs) : exactThroughMs,
    provisional: exactThroughMs < period.toMs || nowMs < period.toMs,
  })
}

/** The parts of a period under one version of a plan each. */
export async function segmentsIn(
  deps: Pick<BillingDeps, 'plans'>,
  subscription: Subscription,
  period: BillingPeriod,
): Promise<Segment[]> {
  return (await pricedSegments(deps, subscription, period)).map(({ segment }) => segment)
}

type Priced = { readonly segment: Segment; readonly plan: Plan }

async function pricedSegments(
  deps: Pick<BillingDeps, 'plans'>,
  subscription: Subscription,
  period: BillingPeriod,
): Promise<Priced[]> {
  const priced: Priced[] = []
  for (const { planId, planVersion, currency, fromMs, toMs, share } of segmentsOf(subscription, period)) {
    const version = await deps.plans.find(planId, planVersion)
    const plan = version === undefined ? undefined : planIn(version, currency)
    // A stored subscription names versions that exist and are sold in its currency.
    if (plan === undefined) throw new RangeError(`no plan ${planId}@${planVersion} in ${currency}`)
    priced.push({ segment: { period: { fromMs, toMs }, plan, share }, plan })
  }
  return priced
}

function rollupsOf(rows: readonly Quantity[]): string[] {
  return [...new Set(rows.flatMap(({ rollups }) => rollups))].sort()
}

/** The values of a part's events in order of time: a price by transaction has a fee for each. */
async function withTransactions(
  deps: MeasureDeps,
  { ctx, reading }: { readonly ctx: TenantContext; readonly reading: Reading },
  { price, period }: PricePart,
  groups: readonly GroupUsage[],
): Promise<Result<readonly GroupUsage[]>> {
  const query = await openEvidence(deps, { ctx, period, isIn: () => true, asOfMs: undefined, reading })
  const transactions = new Map<string, Rational[]>()
  for (const hour of query.hours.keys()) {
    const events = await eventsOfHour(deps, query, hour)
    if (!events.ok) return events
    for (const { meter, dimensions, value, timeMs } of events.value) {
      if (!deps.counts({ meter, version: deps.versionOf(meter, timeMs), group: dimensions })) continue
      const passes = Object.entries(price.filters).every(([name, values]) =>
        values.includes(dimensions[name] ?? ''),
      )
      if (meter !== price.meter || !passes || value === undefined) continue
      const group = canonicalJson(groupIn(price, dimensions))
      transactions.set(group, [...(transactions.get(group) ?? []), value])
    }
  }
  return ok(
    groups.map((group) => ({ ...group, transactions: transactions.get(canonicalJson(group.group)) ?? [] })),
  )
}

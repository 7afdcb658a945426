import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { dayKey } from '../domain/calendar.ts'
import { type Accrual, accrualOf } from '../domain/invoice/revenue.ts'
import { firstUnbilled } from '../domain/invoice/unbilled.ts'
import { type MonthlyRevenue, monthlyRevenue, termsCharged } from '../domain/monthly-revenue.ts'
import { planIn } from '../domain/plan.ts'
import type { Subscription } from '../domain/subscription.ts'
import { periodAt, termsAt } from '../domain/subscription-phases.ts'
import type { BillingDeps, Reading } from '../ports.ts'
import type { MeasureDeps } from './measure-period.ts'
import { previewLines } from './preview-lines.ts'

type Deps = MeasureDeps & Pick<BillingDeps, 'invoices' | 'taxRates' | 'revenue'>

/** Periods without an invoice that are looked at: a tenant has one, or two within a grace. */
const MOST_PERIODS = 24

/**
 * Keeps, once a day (UTC), what a tenant has used and is not invoiced yet, and what its subscription is worth
 * in a month at that moment: the revenue report adds these up, for nobody can measure all tenants while an
 * operator waits.
 */
export async function keepAccrual(
  deps: Deps,
  run: { readonly ctx: TenantContext; readonly nowMs: number; readonly reading: Reading },
): Promise<Result<'kept' | 'known'>> {
  const { ctx, nowMs } = run
  const keptMs = await deps.revenue.accruedAtMs(ctx.tenantId)
  if (keptMs !== undefined && dayKey(keptMs) === dayKey(nowMs)) return ok('known')
  const { subscription, invoices } = await deps.invoices.read(ctx)
  if (subscription === undefined || (subscription.status === 'cancelled' && keptMs === undefined))
    return ok('known')
  const accruals: Accrual[] = []
  let period = firstUnbilled(subscription, invoices)
  for (let at = 0; at < MOST_PERIODS && period !== undefined && period.fromMs <= nowMs; at += 1) {
    const preview = await previewLines(deps, { ...run, subscription, period })
    if (!preview.ok) return preview
    const { tier } = termsAt(subscription, Math.min(period.toMs - 1, nowMs))
    accruals.push(accrualOf(preview.value.lines, { tier, currency: preview.value.currency }))
    period = periodAt(subscription, period.toMs)
  }
  const mrr = await mrrOf(deps, subscription, nowMs)
  await deps.revenue.keepAccruals(ctx.tenantId, { atMs: nowMs, accruals, mrr })
  return ok('kept')
}

async function mrrOf(
  deps: Pick<BillingDeps, 'plans'>,
  subscription: Subscription,
  nowMs: number,
): Promise<MonthlyRevenue | undefined> {
  const terms = termsCharged(subscription, nowMs)
  if (terms === undefined) return undefined
  const { planId, planVersion, currency } = terms
  const version = await deps.plans.find(planId, planVersion)
  const plan = version === undefined ? undefined : planIn(version, currency)
  // A stored subscription names versions that exist and are sold in its currency.
  if (plan === undefined) throw new RangeError(`no plan ${planId}@${planVersion} in ${currency}`)
  return monthlyRevenue(terms, plan.fees)
}

import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { formatInstant, type Period } from '../domain/calendar.ts'
import { exactThroughMs } from '../domain/exactness.ts'
import { computeInvoice, type Invoice } from '../domain/invoice.ts'
import { folding, STALENESS_MS } from '../domain/meter-usage.ts'
import { planIn } from '../domain/plan.ts'
import type { Subscription } from '../domain/subscription.ts'
import type { BillingDeps, Reading } from '../ports.ts'

export type InvoicePreview = Invoice & { readonly exactThrough: string; readonly provisional: boolean }

/**
 * The invoice of a period as it would be on what is known now, under a subscription as it is or might be.
 * Nothing is written.
 */
export async function previewLines(
  deps: Pick<BillingDeps, 'ledger' | 'plans'>,
  request: {
    readonly ctx: TenantContext
    readonly subscription: Subscription
    readonly period: Period
    readonly nowMs: number
    readonly reading: Reading
  },
): Promise<Result<InvoicePreview>> {
  const { ctx, subscription, period, nowMs, reading } = request
  const held = { fromMs: period.fromMs - STALENESS_MS, toMs: period.toMs }
  const events = await deps.ledger.read(ctx, held, reading)
  if (!events.ok) return events
  const folded = await reading.work(folding(events.value, period))
  const version = await deps.plans.find(subscription.planId, subscription.planVersion)
  const plan = version === undefined ? undefined : planIn(version, subscription.currency)
  if (plan === undefined) throw new RangeError(`no plan ${subscription.planId}@${subscription.planVersion}`)
  const input = { tenantId: ctx.tenantId, subscription, plan, period, events: folded.events }
  const invoice = computeInvoice(input)
  if (!invoice.ok) return invoice
  const exactMs = exactThroughMs(period, nowMs)
  return ok({ ...invoice.value, exactThrough: formatInstant(exactMs), provisional: exactMs < period.toMs })
}

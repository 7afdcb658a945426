import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { InvoiceLine } from '../domain/invoice/line.ts'
import { invoiceIdOf } from '../domain/invoice/line.ts'
import {
  familyOf,
  invoiceJson,
  invoiceSummary,
  type StoredInvoice,
  sortKeyOf,
} from '../domain/invoice/stored-invoice.ts'
import type { Subscription } from '../domain/subscription.ts'
import { type BillingPeriod, periodAt } from '../domain/subscription-phases.ts'
import type { BillingDeps, Reading } from '../ports.ts'
import type { MeasureDeps } from './measure-period.ts'
import { previewLines } from './preview-lines.ts'

/** Periods looked through for an id that is only a draft's so far. */
const MOST_PERIODS = 15

type Deps = MeasureDeps & Pick<BillingDeps, 'invoices' | 'subscriptions' | 'taxRates'>

/** A tenant's invoices, the newest period first, without their lines. */
export async function listInvoices(
  deps: Pick<BillingDeps, 'invoices'>,
  ctx: TenantContext,
  page: { readonly after: string | undefined; readonly pageSize: number },
): Promise<{ readonly items: readonly Record<string, unknown>[]; readonly last: string | undefined }> {
  const found = await deps.invoices.list(ctx, page.after, page.pageSize + 1)
  const items = found.slice(0, page.pageSize)
  const end = items.at(-1)
  return {
    items: items.map(invoiceSummary),
    last: found.length > page.pageSize && end !== undefined ? sortKeyOf(end) : undefined,
  }
}

export type ReadInvoice = { readonly stored: StoredInvoice; readonly lines: readonly InvoiceLine[] }

/** An invoice that is more than a draft, with its lines. */
export async function findInvoice(
  deps: Pick<BillingDeps, 'invoices'>,
  ctx: TenantContext,
  invoiceId: string,
): Promise<ReadInvoice | undefined> {
  const stored = await deps.invoices.find(ctx, invoiceId)
  if (stored === undefined || stored.status === 'draft') return undefined
  return { stored, lines: await deps.invoices.lines(ctx, invoiceId) }
}

/** An invoice with all its lines: as it was finalized, or, of a draft, as it would be now. */
export async function getInvoice(
  deps: Deps,
  request: {
    readonly ctx: TenantContext
    readonly invoiceId: string
    readonly nowMs: number
    readonly reading: Reading
  },
): Promise<Result<Record<string, unknown>>> {
  const { ctx, invoiceId, nowMs } = request
  const found = await findInvoice(deps, ctx, invoiceId)
  if (found !== undefined) return ok(invoiceJson(found.stored, found.lines))
  const subscription = await deps.subscriptions.find(ctx)
  const period = subscription === undefined ? undefined : periodOfInvoice(ctx, subscription, invoiceId, nowMs)
  if (subscription === undefined || period === undefined)
    return refuse('resource.not_found', 'no such invoice')
  const drafted = await previewLines(deps, { ...request, subscription, period })
  // The period's invoice may have been taken back since: the id of its first revision names no draft then.
  if (drafted.ok && drafted.value.invoiceId !== invoiceId) return refuse('resource.not_found', 'replaced')
  return drafted
}

/** The period whose invoice has an id, among those of the last year and the running one. */
export function periodOfInvoice(
  ctx: TenantContext,
  subscription: Subscription,
  invoiceId: string,
  nowMs: number,
): BillingPeriod | undefined {
  const { subscriptionId } = subscription
  const of = { tenantId: ctx.tenantId, subscriptionId, revision: 1 }
  let period = periodAt(subscription, nowMs)
  for (let at = 0; at < MOST_PERIODS && period.toMs > subscription.startedAtMs; at += 1) {
    if (invoiceIdOf(of, period) === familyOf(invoiceId)) return period
    period = periodAt(subscription, period.fromMs - 1)
  }
  return undefined
}

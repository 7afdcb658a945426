import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { formatInstant, type Period } from '../domain/calendar.ts'
import type { InvoiceDraft } from '../domain/invoice/calculate-invoice.ts'
import type { Subscription } from '../domain/subscription.ts'
import { periodAt } from '../domain/subscription-phases.ts'
import type { BillingDeps, Reading } from '../ports.ts'
import { draftOf, gatherPeriod, nextRevision } from './draft-period.ts'
import type { MeasureDeps } from './measure-period.ts'

export type InvoicePreview = InvoiceDraft & {
  readonly status: 'draft'
  readonly exactThrough: string
  readonly provisional: boolean
}

/**
 * The invoice of a period as it would be on what is known now, under a subscription as it is or might be.
 * Nothing is written, and nothing else is calculated when it is finalized.
 */
export async function previewLines(
  deps: MeasureDeps & Pick<BillingDeps, 'invoices' | 'taxRates'>,
  request: {
    readonly ctx: TenantContext
    readonly subscription: Subscription
    readonly period: Period
    readonly nowMs: number
    readonly reading: Reading
  },
): Promise<Result<InvoicePreview>> {
  const { ctx, subscription } = request
  const period = periodAt(subscription, request.period.fromMs)
  const book = await deps.invoices.read(ctx)
  const gathered = await gatherPeriod(deps, { ...request, period, invoices: book.invoices })
  if (!gathered.ok) return gathered
  const revision = nextRevision(book.invoices, period.fromMs)
  const drafted = draftOf(deps, ctx, gathered.value, book, revision)
  if (!drafted.ok) return drafted
  const { exactThroughMs, provisional } = gathered.value
  return ok({
    ...drafted.value.draft,
    status: 'draft',
    exactThrough: formatInstant(exactThroughMs),
    provisional,
  })
}

import type { Claim } from '#shared/firestore/claim.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import type { Draft } from '../domain/invoice/draft-invoice.ts'
import { invoiceFact } from '../domain/invoice/invoice-fact.ts'
import { revenueOf } from '../domain/invoice/revenue.ts'
import { finalizedStored } from '../domain/invoice/settle.ts'
import { invoiceSummary, type StoredInvoice } from '../domain/invoice/stored-invoice.ts'
import { termsAt } from '../domain/subscription-phases.ts'
import type { InvoiceBook, InvoiceChange } from '../ports/invoices.ts'
import type { BillingDeps } from '../ports.ts'
import { draftOf, type Gathered, nextRevision } from './draft-period.ts'

export type Settled = {
  readonly ctx: TenantContext
  readonly nowMs: number
  readonly trace: Trace
  readonly reason?: string | undefined
}

/**
 * Finalizes the invoice of a period that was gathered: invoice, lines, burnt credit and facts in one
 * commit, which fails as a whole if the subscription, a grant or another invoice has changed since.
 *
 * Usage that arrives in between is late for this invoice, and corrected by a later one.
 */
export function finalizeInvoice(
  deps: Pick<BillingDeps, 'invoices' | 'taxRates'>,
  settled: Settled,
  gathered: Gathered,
  claim?: Claim,
): Promise<Result<{ readonly duplicate: boolean; readonly value: Record<string, unknown> }>> {
  const { ctx, nowMs, reason } = settled
  const { period } = gathered.measured
  return deps.invoices.change(ctx, claim, (book) => {
    const changed = faultIn(book, gathered)
    if (changed !== undefined) return changed
    const revision = nextRevision(book.invoices, period.fromMs)
    if (revision !== 1)
      return refuse('invoice.state', 'finalized already', 'The period has its invoice already.')
    const drafted = draftOf(deps, ctx, gathered, book, revision)
    if (!drafted.ok) return drafted
    const invoice = {
      ...finalizedStored(drafted.value, { period, ingestedBeforeMs: gathered.ingestedBeforeMs, nowMs }),
      reason,
    }
    return ok(finalization(settled, book, invoice, drafted.value))
  })
}

/** Whatever was measured was measured under this subscription: another one needs another measurement. */
export function faultIn(book: InvoiceBook, gathered: Gathered): Result<never> | undefined {
  const { subscription } = book
  if (subscription === undefined || subscription.rev !== gathered.subscriptionRev) throw new StaleBook()
  const closed = new Set(gathered.closed.keys())
  const known = new Set(book.invoices.map(({ invoiceId }) => invoiceId))
  if ([...closed].some((invoiceId) => !known.has(invoiceId))) throw new StaleBook()
  return undefined
}

/** What was gathered is no longer what is there: worth gathering again. */
export class StaleBook extends Error {
  override readonly name = 'StaleBook'
}

/** All that becomes true when an invoice is finalized. */
export function finalization(
  { ctx, nowMs, trace }: Settled,
  book: InvoiceBook,
  invoice: StoredInvoice,
  draft: Draft,
): InvoiceChange<Record<string, unknown>> {
  const told = { tenantId: ctx.tenantId, nowMs, trace }
  const facts = [invoiceFact('finalized', invoice, told)]
  if (invoice.status === 'paid') facts.push(invoiceFact('paid', invoice, told))
  const tier =
    book.subscription === undefined ? 'none' : termsAt(book.subscription, invoice.period.toMs - 1).tier
  return {
    value: invoiceSummary(invoice),
    invoices: [{ invoice, lines: draft.draft.lines }],
    burns: { invoiceId: invoice.invoiceId, applied: draft.burns },
    facts,
    revenue: [revenueOf(invoice, { tenantId: ctx.tenantId, tier, nowMs })],
    audit: [{ action: 'invoice.finalized', target: invoice.invoiceId }],
  }
}

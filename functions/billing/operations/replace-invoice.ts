import type { Claim } from '#shared/firestore/claim.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { creditNoteJson } from '../domain/invoice/credit-note.ts'
import { invoiceFact } from '../domain/invoice/invoice-fact.ts'
import { stepTo } from '../domain/invoice/life-cycle.ts'
import { revenueBack, revenueOf } from '../domain/invoice/revenue.ts'
import { finalizedStored, replaced, restsOn } from '../domain/invoice/settle.ts'
import { invoiceSummary, type StoredInvoice } from '../domain/invoice/stored-invoice.ts'
import { termsAt } from '../domain/subscription-phases.ts'
import type { InvoiceBook } from '../ports/invoices.ts'
import type { BillingDeps } from '../ports.ts'
import { draftOf, type Gathered } from './draft-period.ts'
import { faultIn, finalization, type Settled } from './finalize-invoice.ts'

type Answer = Promise<Result<{ readonly duplicate: boolean; readonly value: Record<string, unknown> }>>

/** Takes an unpaid invoice back: what it burnt of prepaid credit is there again. */
export function voidInvoice(
  deps: Pick<BillingDeps, 'invoices'>,
  settled: Settled,
  named: { readonly invoiceId: string; readonly revision: number },
  claim?: Claim,
): Answer {
  const { ctx, nowMs, trace, reason } = settled
  return deps.invoices.change(ctx, claim, (book) => {
    const found = namedIn(book, named)
    if (!found.ok) return found
    const status = stepTo(found.value.status, 'void')
    if (!status.ok) return status
    const later = restsOn(found.value, book.invoices)
    if (later !== undefined) return resting(later)
    const invoice = { ...found.value, status: status.value, amountDueMinor: 0n, reason }
    return ok({
      value: invoiceSummary(invoice),
      invoices: [{ invoice }],
      unburn: [invoice.invoiceId],
      facts: [invoiceFact('voided', invoice, { tenantId: ctx.tenantId, nowMs, trace })],
      revenue: [revenueBack(rowOf(book, ctx, found.value, nowMs), nowMs)],
      audit: [{ action: 'invoice.voided', target: invoice.invoiceId }],
    })
  })
}

/**
 * Bills a period anew, by the plans and usage as they are now: the old invoice is void and the next
 * revision takes its place, or, where it was paid, a credit note takes it back and pays the new one.
 */
export function rebillInvoice(
  deps: Pick<BillingDeps, 'invoices' | 'taxRates'>,
  settled: Settled,
  named: { readonly invoiceId: string; readonly revision: number },
  gathered: Gathered,
  claim?: Claim,
): Answer {
  const { ctx, nowMs, trace, reason = '' } = settled
  return deps.invoices.change(ctx, claim, (book) => {
    faultIn(book, gathered)
    const found = namedIn(book, named)
    if (!found.ok) return found
    const old = found.value
    if (old.status === 'draft' || old.replacedBy !== undefined) {
      return refuse('invoice.state', old.status, 'Only the newest finalized invoice of a period is rebilled.')
    }
    const without = book.invoices.filter(({ invoiceId }) => invoiceId !== old.invoiceId)
    const drafted = draftOf(deps, ctx, gathered, { ...book, invoices: [...without, old] }, old.revision + 1)
    if (!drafted.ok) return drafted
    const { period } = gathered.measured
    const fresh = finalizedStored(drafted.value, {
      period,
      ingestedBeforeMs: gathered.ingestedBeforeMs,
      nowMs,
    })
    const later = restsOn(old, book.invoices)
    if (later !== undefined && fresh.carriedForwardMinor !== old.carriedForwardMinor) return resting(later)
    const { old: ended, next, creditNote } = replaced(old, fresh, reason, nowMs)
    const told = { tenantId: ctx.tenantId, nowMs, trace }
    const made = finalization(settled, book, next, drafted.value)
    const back = old.status === 'void' ? [] : [revenueBack(rowOf(book, ctx, old, nowMs), nowMs)]
    const ending = creditNote === undefined ? 'voided' : 'credited'
    return ok({
      ...made,
      value: {
        ...invoiceSummary(next),
        ...(creditNote === undefined ? {} : { creditNote: creditNoteJson(creditNote) }),
      },
      invoices: [{ invoice: ended }, ...made.invoices],
      unburn: [old.invoiceId],
      creditNote,
      facts: [...(old.status === 'void' ? [] : [invoiceFact(ending, ended, told)]), ...(made.facts ?? [])],
      revenue: [...back, ...(made.revenue ?? [])],
      audit: [...(made.audit ?? []), { action: `invoice.${ending}`, target: old.invoiceId }],
    })
  })
}

function namedIn(
  book: InvoiceBook,
  { invoiceId, revision }: { readonly invoiceId: string; readonly revision: number },
): Result<StoredInvoice> {
  const found = book.invoices.find((invoice) => invoice.invoiceId === invoiceId)
  if (found === undefined) return refuse('resource.not_found', 'no such invoice')
  return found.revision === revision ? ok(found) : refuse('invoice.revision_conflict', `is ${found.revision}`)
}

function rowOf(book: InvoiceBook, ctx: TenantContext, invoice: StoredInvoice, nowMs: number) {
  const tier =
    book.subscription === undefined ? 'none' : termsAt(book.subscription, invoice.period.toMs - 1).tier
  return revenueOf(invoice, { tenantId: ctx.tenantId, tier, nowMs })
}

function resting(later: StoredInvoice): Result<never> {
  const hint = `The invoice ${later.invoiceId} has used what this one left over.`
  return refuse('invoice.state', 'another rests on it', hint)
}

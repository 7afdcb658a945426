import { ok, type Result, refuse } from '#shared/result.ts'

export const INVOICE_STATUSES = ['draft', 'open', 'paid', 'past_due', 'uncollectible', 'void'] as const
export type InvoiceStatus = (typeof INVOICE_STATUSES)[number]

/** What can happen to an invoice. To finalize it makes it open, or paid where nothing is due. */
export type InvoiceStep = 'finalize' | 'pay' | 'overdue' | 'write_off' | 'void'

const NEXT: Readonly<Record<InvoiceStep, Readonly<Partial<Record<InvoiceStatus, InvoiceStatus>>>>> = {
  finalize: { draft: 'open' },
  pay: { open: 'paid', past_due: 'paid', uncollectible: 'paid' },
  overdue: { open: 'past_due' },
  write_off: { past_due: 'uncollectible', open: 'uncollectible' },
  void: { open: 'void', past_due: 'void', uncollectible: 'void' },
}

/**
 * The status after a step, or `invoice.state` where the step cannot be taken. A finalized invoice is
 * never changed back: what was wrong with it is void, or credited where it was paid.
 */
export function stepTo(status: InvoiceStatus, step: InvoiceStep): Result<InvoiceStatus> {
  const next = NEXT[step][status]
  return next === undefined
    ? refuse('invoice.state', `${step} of ${status}`, `An invoice that is ${status} cannot do that.`)
    : ok(next)
}

/**
 * Whether an invoice is more than a draft and was not taken back, by a void or a credit note: it counts
 * among what was billed.
 */
export function counts(invoice: {
  readonly status: InvoiceStatus
  readonly creditNoteId: string | undefined
}): boolean {
  return invoice.status !== 'draft' && invoice.status !== 'void' && invoice.creditNoteId === undefined
}

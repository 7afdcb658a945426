import type { Plan } from '../plan.ts'
import { type CreditNote, creditNoteFor } from './credit-note.ts'
import type { Draft } from './draft-invoice.ts'
import { billedCorrections, chargedLine } from './late.ts'
import { counts, type InvoiceStatus } from './life-cycle.ts'
import { familyOf, type StoredInvoice } from './stored-invoice.ts'

const DAY_MS = 24 * 3_600_000
/** How long an invoice may be open. */
export const DUE_DAYS = 14
/** No draft stays one for longer, whatever a plan says. */
const MOST_GRACE_HOURS = 72

/** Until when an invoice stays a draft, so that usage under way still gets in. */
export function graceEndsMs(periodEndMs: number, plan: Pick<Plan, 'graceHours'> | undefined): number {
  return periodEndMs + Math.min(plan?.graceHours ?? 0, MOST_GRACE_HOURS) * 3_600_000
}

type Made = {
  readonly period: StoredInvoice['period']
  readonly ingestedBeforeMs: number
  readonly nowMs: number
}

/** A draft as it is kept: what it says is calculated anew whenever it is read. */
export function draftStored(draft: Draft, { period, ingestedBeforeMs }: Made): StoredInvoice {
  const { lines: _lines, ...head } = draft.draft
  const { invoiceId, revision, subscriptionId, currency } = head
  return {
    invoiceId,
    family: familyOf(invoiceId),
    revision,
    status: 'draft',
    subscriptionId,
    period,
    currency,
    head,
    charged: draft.charged.map((line) => chargedLine(invoiceId, line)),
    corrections: billedCorrections(draft.corrections),
    carriedForwardMinor: BigInt(head.carriedForward.minor),
    amountDueMinor: BigInt(head.total.minor),
    finalizedAtMs: undefined,
    dueAtMs: undefined,
    ingestedBeforeMs,
    reason: undefined,
    replacedBy: undefined,
    replaces: undefined,
    creditNoteId: undefined,
  }
}

/** The invoice that a draft becomes: open, or paid where nothing is due. */
export function finalizedStored(draft: Draft, made: Made): StoredInvoice {
  const stored = draftStored(draft, made)
  return {
    ...stored,
    status: stored.amountDueMinor > 0n ? 'open' : 'paid',
    finalizedAtMs: made.nowMs,
    dueAtMs: made.nowMs + DUE_DAYS * DAY_MS,
  }
}

/**
 * An invoice and what takes its place: void where it was unpaid; credited in full, against the new one,
 * where it was paid.
 */
export function replaced(
  old: StoredInvoice,
  next: StoredInvoice,
  reason: string,
  nowMs: number,
): {
  readonly old: StoredInvoice
  readonly next: StoredInvoice
  readonly creditNote: CreditNote | undefined
} {
  const links = { replacedBy: next.invoiceId, reason }
  const replacement = { ...next, replaces: old.invoiceId }
  if (old.status !== 'paid') {
    return {
      old: { ...old, ...links, status: 'void', amountDueMinor: 0n },
      next: replacement,
      creditNote: undefined,
    }
  }
  const creditNote = creditNoteFor(old, next, reason, nowMs)
  const amountDueMinor = next.amountDueMinor - creditNote.appliedMinor
  const status: InvoiceStatus = amountDueMinor > 0n ? 'open' : 'paid'
  return {
    old: { ...old, ...links, creditNoteId: creditNote.creditNoteId },
    next: { ...replacement, amountDueMinor, status },
    creditNote,
  }
}

/** Why an invoice cannot be taken back, or undefined where it can: a later one lives on what it left over. */
export function restsOn(invoice: StoredInvoice, others: readonly StoredInvoice[]): StoredInvoice | undefined {
  return others.find(
    (one) =>
      counts(one) &&
      one.head.deductions.some(
        ({ kind, reference }) => kind === 'carried' && reference === invoice.invoiceId,
      ),
  )
}

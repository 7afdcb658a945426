import { formatInstant } from '../calendar.ts'
import type { Currency } from '../currency.ts'
import { money } from '../currency.ts'
import { hashOf } from './line.ts'
import type { StoredInvoice } from './stored-invoice.ts'

/** Takes back an invoice that was paid. What its replacement does not use up is to be paid back. */
export type CreditNote = {
  readonly creditNoteId: string
  readonly invoiceId: string
  readonly currency: Currency
  readonly netMinor: bigint
  readonly taxMinor: bigint
  readonly totalMinor: bigint
  /** The invoice that took the place, and how much of it the note pays. */
  readonly appliedTo: string
  readonly appliedMinor: bigint
  readonly reason: string
  readonly atMs: number
}

/** Credits all that was paid, tax as it was charged, against the invoice that takes its place. */
export function creditNoteFor(
  paid: StoredInvoice,
  replacement: Pick<StoredInvoice, 'invoiceId' | 'head'>,
  reason: string,
  nowMs: number,
): CreditNote {
  const { net, tax, total } = paid.head
  const totalMinor = BigInt(total.minor)
  const newTotal = BigInt(replacement.head.total.minor)
  return {
    creditNoteId: `cn_${hashOf(paid.invoiceId)}`,
    invoiceId: paid.invoiceId,
    currency: paid.currency,
    netMinor: BigInt(net.minor),
    taxMinor: BigInt(tax.minor),
    totalMinor,
    appliedTo: replacement.invoiceId,
    appliedMinor: totalMinor < newTotal ? totalMinor : newTotal,
    reason,
    atMs: nowMs,
  }
}

export function creditNoteJson(note: CreditNote): Record<string, unknown> {
  const amount = (minor: bigint): unknown => money(minor, note.currency)
  return {
    creditNoteId: note.creditNoteId,
    invoiceId: note.invoiceId,
    net: amount(note.netMinor),
    tax: amount(note.taxMinor),
    total: amount(note.totalMinor),
    appliedTo: note.appliedTo,
    applied: amount(note.appliedMinor),
    refundable: amount(note.totalMinor - note.appliedMinor),
    reason: note.reason,
    at: formatInstant(note.atMs),
  }
}

import { z } from 'zod'
import { METER_IDS, type MeterId } from '#shared/catalogue/meters.ts'
import { asRecord, parser } from '#shared/json.ts'
import { formatInstant, type Period } from '../calendar.ts'
import { CURRENCIES, type Currency, money } from '../currency.ts'
import type { InvoiceDraft, InvoiceStatement } from './calculate-invoice.ts'
import { INVOICE_STATUSES, type InvoiceStatus } from './life-cycle.ts'
import type { InvoiceLine } from './line.ts'
import type { CorrectedLine } from './terms.ts'

/** A line of an invoice as later corrections start from it; minor units. */
export type ChargedLine = CorrectedLine & { readonly minor: bigint }

/** What an invoice corrected of an earlier period's. */
export type BilledCorrection = {
  readonly family: string
  readonly line: CorrectedLine
  readonly minor: bigint
}

/** An invoice as it is kept, without its lines. What it says never changes once it is no draft. */
export type StoredInvoice = {
  readonly invoiceId: string
  /** The same for all revisions of one period's invoice. */
  readonly family: string
  readonly revision: number
  readonly status: InvoiceStatus
  readonly subscriptionId: string
  readonly period: Period
  readonly currency: Currency
  /** All it says but for the lines. */
  readonly head: Omit<InvoiceDraft, 'lines'>
  readonly charged: readonly ChargedLine[]
  readonly corrections: readonly BilledCorrection[]
  readonly carriedForwardMinor: bigint
  /** What is still to be paid. */
  readonly amountDueMinor: bigint
  readonly finalizedAtMs: number | undefined
  readonly dueAtMs: number | undefined
  /** Usage that was received later is not in it. */
  readonly ingestedBeforeMs: number
  readonly reason: string | undefined
  /** The invoice in its place, and the one whose place it took. */
  readonly replacedBy: string | undefined
  readonly replaces: string | undefined
  readonly creditNoteId: string | undefined
}

/** All revisions of a period's invoice share the first part of their ids. */
export function familyOf(invoiceId: string): string {
  return invoiceId.replace(/_r\d+$/, '')
}

/** An invoice as it is answered: what is digested, and beside it what is not. */
export function invoiceJson(invoice: StoredInvoice, lines: readonly InvoiceLine[]): Record<string, unknown> {
  const { digest, ...statement } = invoice.head
  return { ...statement, lines, digest, ...stateJson(invoice) }
}

/** An invoice in a list: without its lines. */
export function invoiceSummary(invoice: StoredInvoice): Record<string, unknown> {
  const { invoiceId, revision, period, subtotal, tax, total, digest } = invoice.head
  return { invoiceId, revision, period, subtotal, tax, total, digest, ...stateJson(invoice) }
}

/** The members of an answer that the digest leaves out. */
export const NOT_DIGESTED = [
  'digest',
  'status',
  'amountDue',
  'finalizedAt',
  'dueAt',
  'ingestedBefore',
  'reason',
  'replaces',
  'replacedBy',
  'creditNoteId',
  'exactThrough',
  'provisional',
] as const

function stateJson(invoice: StoredInvoice): Record<string, unknown> {
  const instant = (ms: number | undefined): string | null => (ms === undefined ? null : formatInstant(ms))
  return {
    status: invoice.status,
    amountDue: money(invoice.amountDueMinor, invoice.currency),
    finalizedAt: instant(invoice.finalizedAtMs),
    dueAt: instant(invoice.dueAtMs),
    ingestedBefore: instant(invoice.ingestedBeforeMs),
    reason: invoice.reason ?? null,
    replaces: invoice.replaces ?? null,
    replacedBy: invoice.replacedBy ?? null,
    creditNoteId: invoice.creditNoteId ?? null,
  }
}

const line = z.object({
  lineId: z.string(),
  lineKey: z.string(),
  description: z.string(),
  meter: z.enum(METER_IDS as [MeterId, ...MeterId[]]).nullable(),
  isFee: z.boolean(),
  group: z.record(z.string(), z.string()),
  servicePeriod: z.object({ from: z.string(), to: z.string() }),
  priceRef: z.string(),
  quantity: z.string(),
  unit: z.string(),
  taxCategory: z.string(),
})
const minor = z.string().transform((text) => BigInt(text))
const json = <T>(schema: z.ZodType<T>) => z.string().transform((text) => schema.parse(JSON.parse(text)))

/** Reads the document's fields: what is never searched for stands in it as JSON. */
export const parseStoredInvoice = parser<StoredInvoice>(
  z
    .object({
      invoiceId: z.string(),
      revision: z.number().int(),
      status: z.enum(INVOICE_STATUSES),
      subscriptionId: z.string(),
      periodFromMs: z.number(),
      periodToMs: z.number(),
      currency: z.enum(CURRENCIES as [Currency, ...Currency[]]),
      head: z.string(),
      charged: json(z.array(line.extend({ minor }))),
      corrections: json(z.array(z.object({ family: z.string(), line, minor }))),
      carriedForwardMinor: minor,
      amountDueMinor: minor,
      finalizedAtMs: z.number().optional(),
      dueAtMs: z.number().optional(),
      ingestedBeforeMs: z.number(),
      reason: z.string().optional(),
      replacedBy: z.string().optional(),
      replaces: z.string().optional(),
      creditNoteId: z.string().optional(),
    })
    .transform(
      ({ periodFromMs, periodToMs, head, ...fields }): StoredInvoice => ({
        finalizedAtMs: undefined,
        dueAtMs: undefined,
        reason: undefined,
        replacedBy: undefined,
        replaces: undefined,
        creditNoteId: undefined,
        ...fields,
        family: familyOf(fields.invoiceId),
        period: { fromMs: periodFromMs, toMs: periodToMs },
        head: headOf(JSON.parse(head)),
      }),
    ),
)

/** Sorts invoices by period, then revision: unique, so that a list can go on behind any of them. */
export function sortKeyOf({ period, revision }: Pick<StoredInvoice, 'period' | 'revision'>): string {
  return `${String(period.fromMs).padStart(15, '0')}.${String(revision).padStart(6, '0')}`
}

/** The fields of its document. */
export function storedFields(invoice: StoredInvoice): Record<string, unknown> {
  const { family: _family, period, head, charged, corrections, ...fields } = invoice
  return {
    ...fields,
    periodFromMs: period.fromMs,
    periodToMs: period.toMs,
    sortKey: sortKeyOf(invoice),
    head: JSON.stringify(head),
    charged: JSON.stringify(charged, bigintText),
    corrections: JSON.stringify(corrections, bigintText),
    carriedForwardMinor: String(invoice.carriedForwardMinor),
    amountDueMinor: String(invoice.amountDueMinor),
  }
}

function bigintText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}

/** What we wrote ourselves from an invoice that was calculated. */
function headOf(raw: unknown): StoredInvoice['head'] {
  if (asRecord(raw) === undefined) throw new TypeError('an invoice without a head')
  return raw as Omit<InvoiceStatement, 'lines'> & { readonly digest: string }
}

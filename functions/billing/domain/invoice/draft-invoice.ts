import type { Result } from '#shared/result.ts'
import type { Period } from '../calendar.ts'
import type { Currency } from '../currency.ts'
import type { Grant } from '../grant.ts'
import { type CalculatedInvoice, calculateInvoice } from './calculate-invoice.ts'
import { feeLines } from './fee-lines.ts'
import { correctionsFor } from './late.ts'
import { counts } from './life-cycle.ts'
import type { RatedLine } from './line.ts'
import type { StoredInvoice } from './stored-invoice.ts'
import type { Correction, Deduction, GroupUsage, InvoiceInput, Segment, TaxTable } from './terms.ts'
import { usageLines } from './usage-lines.ts'

/** What is known of a period: which plans held in it, and what was used under each of their prices. */
export type MeasuredPeriod = {
  readonly period: Period
  readonly currency: Currency
  readonly timeZone: string
  readonly subscriptionId: string
  readonly segments: readonly Segment[]
  readonly usage: ReadonlyMap<string, readonly GroupUsage[]>
  /** The roll-ups that each part's usage was read from, by the part's key. */
  readonly rollups: ReadonlyMap<string, readonly string[]>
  readonly taxMode: TaxTable['mode']
}

export type DraftInput = {
  readonly tenantId: string
  readonly revision: number
  readonly measured: MeasuredPeriod
  /** Closed periods that are still corrected, as they measure now, by the id of their invoice. */
  readonly closed: ReadonlyMap<string, MeasuredPeriod>
  readonly invoices: readonly StoredInvoice[]
  readonly grants: readonly Grant[]
  readonly taxRates: TaxTable['rates']
}

export type Draft = CalculatedInvoice & { readonly corrections: readonly Correction[] }

/**
 * The invoice of a period on what is known: its own charges, what closed periods still owe, and what
 * comes off. The same for a preview, a draft and the invoice that is finalized.
 */
export function draftInvoice(input: DraftInput): Result<Draft> {
  const { measured, invoices } = input
  // An invoice that is made anew must not find its own burns and corrections in its way.
  const others = invoices.filter(({ period }) => period.fromMs !== measured.period.fromMs)
  const corrections = correctionsOf(input, others)
  const own = new Set(
    invoices
      .filter(({ period }) => period.fromMs === measured.period.fromMs)
      .map(({ invoiceId }) => invoiceId),
  )
  const grants = input.grants.map((grant) => ({
    ...grant,
    burns: grant.burns.filter(({ invoiceId }) => !own.has(invoiceId)),
  }))
  const calculated = calculateInvoice({
    ...inputOf(input.tenantId, input.revision, measured),
    corrections,
    grants,
    deductions: carriedInto(measured, others),
    tax: { mode: measured.taxMode, rates: input.taxRates },
  })
  return calculated.ok ? { ok: true, value: { ...calculated.value, corrections } } : calculated
}

/** What a measured period charges by itself. */
function inputOf(tenantId: string, revision: number, measured: MeasuredPeriod): InvoiceInput {
  const { subscriptionId, timeZone, currency, period, segments, usage } = measured
  return { tenantId, subscriptionId, timeZone, currency, revision, period, segments, usage }
}

function correctionsOf(input: DraftInput, others: readonly StoredInvoice[]): Correction[] {
  return others.flatMap((invoice) => {
    const measured = input.closed.get(invoice.invoiceId)
    if (measured === undefined || !counts(invoice)) return []
    if (invoice.currency !== input.measured.currency) return []
    const now = ratedAgain(input, invoice, measured)
    return correctionsFor(
      invoice,
      others.filter((other) => other !== invoice),
      now,
    )
  })
}

/** The lines of a closed period as they would be now; units of grants are those that it burnt, and no more. */
function ratedAgain(
  { tenantId, grants }: DraftInput,
  invoice: StoredInvoice,
  measured: MeasuredPeriod,
): readonly RatedLine[] {
  const spent = grants.flatMap((grant) => spentBy(invoice.invoiceId, grant))
  const input = { ...inputOf(tenantId, invoice.revision, measured), grants: spent }
  return [...feeLines(input), ...usageLines(input).lines]
}

/** What an invoice took from a grant, as a grant of its own for each time. */
function spentBy(invoiceId: string, grant: Grant): Grant[] {
  return grant.burns
    .filter((burn) => burn.invoiceId === invoiceId && 'meter' in grant.measure)
    .map(({ atMs, amount }) => ({
      ...grant,
      amount,
      effectiveAtMs: Math.min(grant.effectiveAtMs, atMs),
      recurrence: null,
      voidedAtMs: null,
      expiresAtMs: atMs + 1,
      burns: [],
    }))
}

/** What the invoice of the period before left over. */
function carriedInto(measured: MeasuredPeriod, others: readonly StoredInvoice[]): Deduction[] {
  const before = others
    .filter((one) => counts(one) && one.period.fromMs < measured.period.fromMs)
    .reduce<StoredInvoice | undefined>(
      (latest, one) => (latest === undefined || one.period.fromMs > latest.period.fromMs ? one : latest),
      undefined,
    )
  if (before === undefined || before.currency !== measured.currency) return []
  const { carriedForwardMinor: amountMinor, invoiceId: reference } = before
  return amountMinor > 0n ? [{ kind: 'carried', reference, amountMinor }] : []
}

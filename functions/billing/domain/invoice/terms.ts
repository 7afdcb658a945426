import type { MeterId } from '#shared/catalogue/meters.ts'
import type { Period } from '../calendar.ts'
import type { Currency } from '../currency.ts'
import type { Grant } from '../grant.ts'
import type { Plan } from '../plan.ts'
import type { Rational } from '../rational.ts'

/** What of a plan an invoice needs. */
export type InvoicedPlan = Pick<Plan, 'planId' | 'version' | 'example' | 'fees' | 'prices' | 'commitment'>

/** A part of the billing period in which one version of a plan held; in order, without gaps. */
export type Segment = {
  readonly period: Period
  readonly plan: InvoicedPlan
  /** Of a whole period's fees and allowances. */
  readonly share: Rational
}

/** How much of a price's meter was used in one group. */
export type GroupUsage = {
  readonly group: Readonly<Record<string, string>>
  /** Undefined for the maximum of nothing. */
  readonly quantity: Rational | undefined
  readonly events: number
  /** Merkle root over the events, hex. */
  readonly root: string
  /** The events' values in order, for a price by transaction. */
  readonly transactions?: readonly Rational[] | undefined
}

/** What comes off an invoice besides prepaid credit, before tax. */
export type Deduction = {
  readonly kind: 'sla' | 'carried'
  /** What it rests on: a month's SLA record, or the invoice that left it over. */
  readonly reference: string
  readonly amountMinor: bigint
}

/** A difference to what was billed for an earlier period. */
export type Correction = {
  readonly invoiceId: string
  /** The line it corrects, as it would be now. */
  readonly line: CorrectedLine
  readonly amountMinor: bigint
  /** What was billed for the line before. */
  readonly billedMinor: bigint
  /** Of the line as it would be now. */
  readonly evidence: { readonly events: number; readonly root: string | null }
}

export type CorrectedLine = {
  readonly lineId: string
  readonly lineKey: string
  readonly description: string
  readonly meter: MeterId | null
  readonly isFee: boolean
  readonly group: Readonly<Record<string, string>>
  readonly servicePeriod: { readonly from: string; readonly to: string }
  readonly priceRef: string
  readonly quantity: string
  readonly unit: string
  readonly taxCategory: string
}

export type TaxRate = {
  readonly rateId: string
  readonly category: string
  /** A decimal: `19` is 19 %. */
  readonly percent: string
}

/** Rates by category, and whether each is rounded once in all or on each line. */
export type TaxTable = { readonly mode: 'per_rate' | 'per_line'; readonly rates: readonly TaxRate[] }

/** All that an invoice is computed from. */
export type InvoiceInput = {
  readonly tenantId: string
  readonly subscriptionId: string
  readonly timeZone: string
  readonly currency: Currency
  /** 1 for the first invoice of a period; one more for each that replaces another. */
  readonly revision: number
  /** The whole billing period. */
  readonly period: Period
  /** What of it is charged. */
  readonly segments: readonly Segment[]
  /** By the key of each of `partsOf(segments)`. */
  readonly usage: ReadonlyMap<string, readonly GroupUsage[]>
  readonly corrections?: readonly Correction[] | undefined
  /** Prepaid credit, with what other invoices have burnt of it. */
  readonly grants?: readonly Grant[] | undefined
  readonly deductions?: readonly Deduction[] | undefined
  readonly tax?: TaxTable | undefined
}

import { createHash } from 'node:crypto'
import type { MeterId } from '#shared/catalogue/meters.ts'
import { formatInstant, type Period } from '../calendar.ts'
import { type Currency, type Money, money } from '../currency.ts'
import type { Rational } from '../rational.ts'

/** What a line is for. `minimum` and `maximum` are of the plan, over all its usage. */
export const LINE_KINDS = ['fee', 'fee_credit', 'usage', 'minimum', 'maximum', 'correction'] as const
export type LineKind = (typeof LINE_KINDS)[number]

/** One line of an invoice, as it is answered and digested. */
export type InvoiceLine = {
  readonly lineId: string
  /** The same for the same thing on every revision of the period's invoice. */
  readonly lineKey: string
  readonly kind: LineKind
  readonly description: string
  readonly meter: MeterId | null
  readonly group: Readonly<Record<string, string>>
  readonly servicePeriod: { readonly from: string; readonly to: string }
  readonly priceRef: string
  readonly quantity: string
  readonly unit: string
  readonly included: string
  /** What grants of units took off the quantity, as events count it. */
  readonly granted: string
  readonly billedQuantity: string
  readonly components: readonly Record<string, unknown>[]
  /** What changed the rated amount before it was rounded; decimals. */
  readonly adjustments: {
    readonly percentDiscount: string
    readonly minimumTrueUp: string
    readonly maximumDiscount: string
  }
  /** The amount before its one rounding, as a fraction of the currency's unit. Of a group's line: its parent's. */
  readonly exact: { readonly n: string; readonly d: string }
  readonly amount: Money
  /** The sum of the lines of all groups, which was rounded; only where a price is split by group. */
  readonly parent: { readonly lineKey: string; readonly amount: Money } | null
  readonly taxCategory: string
  /** The line of an earlier invoice that this one corrects. */
  readonly corrects: { readonly invoiceId: string; readonly lineId: string; readonly lineKey: string } | null
  /** What prepaid credit pays of it. */
  readonly credits: readonly { readonly grantId: string; readonly amount: Money }[]
  readonly evidence: { readonly events: number; readonly root: string | null }
}

/** A line whose amount is exact in minor units, however large, before any credit. */
export type RatedLine = Omit<InvoiceLine, 'lineId' | 'amount' | 'parent' | 'credits'> & {
  /** Whether it is about recurring fees. */
  readonly isFee: boolean
  readonly minor: bigint
  readonly parent: { readonly lineKey: string; readonly minor: bigint } | null
}

export const NO_ADJUSTMENTS = { percentDiscount: '0', minimumTrueUp: '0', maximumDiscount: '0' } as const
export const USUAL_TAX_CATEGORY = 'standard'

/** The name of a line within its period: what it is for, by which price, in which group and segment. */
export function lineKeyOf(kind: LineKind, price: string, group: string, segment: Period): string {
  return hashOf(kind, price, group, `${segment.fromMs}-${segment.toMs}`)
}

/** The line's id on one invoice. */
export function lineIdOf(invoiceId: string, lineKey: string): string {
  return `il_${hashOf(invoiceId, lineKey)}`
}

/**
 * The id of a period's invoice: the same for whoever computes it. One that replaces another tells by its
 * revision, so that neither can overwrite the other.
 */
export function invoiceIdOf(
  of: { readonly tenantId: string; readonly subscriptionId: string; readonly revision: number },
  period: Period,
): string {
  const first = hashOf(of.tenantId, of.subscriptionId, formatInstant(period.fromMs), 'cycle')
  return of.revision === 1 ? `inv_${first}` : `inv_${first}_r${of.revision}`
}

export function hashOf(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0'), 'utf8').digest('hex').slice(0, 32)
}

export function wirePeriod(period: Period): { from: string; to: string } {
  return { from: formatInstant(period.fromMs), to: formatInstant(period.toMs) }
}

export function wireFraction(value: Rational): { n: string; d: string } {
  return { n: String(value.n), d: String(value.d) }
}

/** A rated line in its wire form. */
export function lineOf(
  invoiceId: string,
  rated: RatedLine,
  currency: Currency,
  credits: readonly { readonly grantId: string; readonly minor: bigint }[],
): InvoiceLine {
  const { minor, parent, corrects, evidence, isFee: _isFee, ...line } = rated
  return {
    lineId: lineIdOf(invoiceId, line.lineKey),
    ...line,
    amount: money(minor, currency),
    parent: parent === null ? null : { lineKey: parent.lineKey, amount: money(parent.minor, currency) },
    corrects,
    credits: credits.map(({ grantId, minor: paid }) => ({ grantId, amount: money(paid, currency) })),
    evidence,
  }
}

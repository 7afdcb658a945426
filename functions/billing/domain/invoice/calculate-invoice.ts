import { digestOf } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { formatInstant } from '../calendar.ts'
import { type Currency, isStatable, type Money, minorDigits, money } from '../currency.ts'
import type { Applied } from '../grant.ts'
import { merkleRoot } from '../merkle.ts'
import { formatDecimal, fromScaled, type Rational } from '../rational.ts'
import { burnMoney, type Paid } from './credits.ts'
import { feeLines } from './fee-lines.ts'
import {
  type InvoiceLine,
  invoiceIdOf,
  lineKeyOf,
  lineOf,
  NO_ADJUSTMENTS,
  type RatedLine,
  wireFraction,
  wirePeriod,
} from './line.ts'
import { type TaxLine, taxOn } from './tax.ts'
import type { Correction, Deduction, InvoiceInput } from './terms.ts'
import { usageLines } from './usage-lines.ts'

/** What an invoice says: all of it is digested, and none of it changes once it is finalized. */
export type InvoiceStatement = {
  readonly invoiceId: string
  readonly tenantId: string
  readonly subscriptionId: string
  readonly revision: number
  readonly planId: string | null
  readonly planVersion: number | null
  readonly examplePlan: boolean
  readonly plans: readonly { planId: string; version: number; from: string; to: string }[]
  readonly currency: Currency
  readonly timeZone: string
  readonly period: { readonly from: string; readonly to: string }
  readonly lines: readonly InvoiceLine[]
  /** The sum of all lines. */
  readonly subtotal: Money
  /** What prepaid credit pays. */
  readonly creditsApplied: Money
  /** What came off before tax; `applied` in all is what there was to take it from. */
  readonly deductions: readonly { kind: Deduction['kind']; reference: string; amount: Money }[]
  readonly net: Money
  readonly taxes: readonly {
    rateId: string
    category: string
    percent: string
    taxable: Money
    amount: Money
  }[]
  readonly tax: Money
  readonly total: Money
  /** What was more than there was to pay; it comes off the next invoice. */
  readonly carriedForward: Money
  readonly inputs: { readonly ledgerRoot: string }
}

export type InvoiceDraft = InvoiceStatement & {
  /** Hex SHA-256 over the canonical JSON (RFC 8785) of all the other members. */
  readonly digest: string
}

/** What a draft takes from elsewhere when it is finalized. */
export type CalculatedInvoice = {
  readonly draft: InvoiceDraft
  /** What it takes from grants, in their measures. */
  readonly burns: readonly Applied[]
  /** What is charged for the period itself: what later corrections start from. */
  readonly charged: readonly RatedLine[]
}

/**
 * Computes the invoice of one subscription and period. Pure: the same input gives the same bytes,
 * whatever the order of usage, credits or rates in it, the time zone of the host or the version of Node.
 *
 * Each line is exact until it is rounded once, halves away from zero. Corrections of earlier periods come
 * as they are; then prepaid credit, what else comes off, and tax on the rest. The total is never negative:
 * what is left over is carried forward. An amount that JSON cannot state is refused with
 * `invoice.out_of_range`.
 */
export function calculateInvoice(input: InvoiceInput): Result<CalculatedInvoice> {
  const { currency, period } = input
  const usage = usageLines(input)
  const own = [...feeLines(input), ...usage.lines]
  const rated = [
    ...own,
    ...(input.corrections ?? []).map((one) => correctionLine(one, currency)).toSorted(byLineKey),
  ]
  const { paid, burns } = burnMoney(rated, input.grants ?? [], currency, period.toMs)
  const nets = rated.map(({ lineKey, taxCategory, minor }) => ({
    lineKey,
    taxCategory,
    minor: minor - sumOf(paid.filter((one) => one.lineKey === lineKey)),
  }))
  const deductions = (input.deductions ?? []).toSorted(byReference)
  const due = sumOf(nets) - deductions.reduce((sum, { amountMinor }) => sum + amountMinor, 0n)
  const net = due > 0n ? due : 0n
  const taxes = taxOn(nets, net, input.tax)
  const tax = taxes.reduce((sum, { taxMinor }) => sum + taxMinor, 0n)
  const amounts = {
    subtotal: sumOf(rated),
    creditsApplied: sumOf(paid),
    net,
    tax,
    total: net + tax,
    carriedForward: net - due,
  }
  const everything = [
    ...Object.values(amounts),
    ...rated.flatMap(({ minor, parent }) => [minor, parent?.minor ?? 0n]),
    ...deductions.map(({ amountMinor }) => amountMinor),
  ]
  const tooLarge = everything.find((minor) => !isStatable(minor))
  if (tooLarge !== undefined) return refuse('invoice.out_of_range', `${tooLarge} minor units`)
  const statement: InvoiceStatement = {
    ...headOf(input),
    lines: linesOf(input, rated, paid),
    subtotal: money(amounts.subtotal, currency),
    creditsApplied: money(amounts.creditsApplied, currency),
    deductions: deductions.map(({ kind, reference, amountMinor }) => ({
      kind,
      reference,
      amount: money(amountMinor, currency),
    })),
    net: money(amounts.net, currency),
    taxes: taxes.map((line) => taxJson(line, currency)),
    tax: money(amounts.tax, currency),
    total: money(amounts.total, currency),
    carriedForward: money(amounts.carriedForward, currency),
    inputs: { ledgerRoot: merkleRoot(own.flatMap(({ evidence }) => evidence.root ?? [])) },
  }
  return ok({
    draft: { ...statement, digest: digestOf(statement) },
    burns: [...usage.unitBurns, ...burns],
    charged: own,
  })
}

/** The digest of an invoice as it was answered: whoever holds one can check it. */
export function digestOfInvoice(answered: InvoiceStatement): string {
  return digestOf(answered)
}

function headOf(
  input: InvoiceInput,
): Pick<
  InvoiceStatement,
  | 'invoiceId'
  | 'tenantId'
  | 'subscriptionId'
  | 'revision'
  | 'planId'
  | 'planVersion'
  | 'examplePlan'
  | 'plans'
  | 'currency'
  | 'timeZone'
  | 'period'
> {
  const { segments, period } = input
  const last = segments.at(-1)?.plan
  return {
    invoiceId: invoiceIdOf(input, period),
    tenantId: input.tenantId,
    subscriptionId: input.subscriptionId,
    revision: input.revision,
    planId: last?.planId ?? null,
    planVersion: last?.version ?? null,
    examplePlan: segments.some(({ plan }) => plan.example),
    plans: segments.map(({ plan, period: held }) => ({
      planId: plan.planId,
      version: plan.version,
      from: formatInstant(held.fromMs),
      to: formatInstant(held.toMs),
    })),
    currency: input.currency,
    timeZone: input.timeZone,
    period: wirePeriod(period),
  }
}

function linesOf(input: InvoiceInput, rated: readonly RatedLine[], paid: readonly Paid[]): InvoiceLine[] {
  const invoiceId = invoiceIdOf(input, input.period)
  return rated.map((line) =>
    lineOf(
      invoiceId,
      line,
      input.currency,
      paid.filter(({ lineKey }) => lineKey === line.lineKey),
    ),
  )
}

/** The difference to what was billed; its amount was rounded where it came about, and is taken as it is. */
function correctionLine(correction: Correction, currency: Currency): RatedLine {
  const { invoiceId, line, amountMinor, billedMinor, evidence } = correction
  const exact = (minor: bigint): Rational => fromScaled(minor, minorDigits(currency))
  const period = { fromMs: Date.parse(line.servicePeriod.from), toMs: Date.parse(line.servicePeriod.to) }
  return {
    lineKey: lineKeyOf('correction', invoiceId, line.lineKey, period),
    kind: 'correction',
    description: `Correction: ${line.description}`,
    meter: line.meter,
    group: line.group,
    servicePeriod: line.servicePeriod,
    priceRef: line.priceRef,
    quantity: line.quantity,
    unit: line.unit,
    included: '0',
    granted: '0',
    billedQuantity: '0',
    components: [
      { kind: 'now', amount: formatDecimal(exact(billedMinor + amountMinor)) },
      { kind: 'billed', amount: formatDecimal(exact(-billedMinor)) },
    ],
    adjustments: NO_ADJUSTMENTS,
    exact: wireFraction(exact(amountMinor)),
    minor: amountMinor,
    parent: null,
    taxCategory: line.taxCategory,
    corrects: { invoiceId, lineId: line.lineId, lineKey: line.lineKey },
    isFee: line.isFee,
    evidence,
  }
}

function taxJson(line: TaxLine, currency: Currency): InvoiceStatement['taxes'][number] {
  const { rateId, category, percent, taxableMinor, taxMinor } = line
  return {
    rateId,
    category,
    percent,
    taxable: money(taxableMinor, currency),
    amount: money(taxMinor, currency),
  }
}

function sumOf(of: readonly { readonly minor: bigint }[]): bigint {
  return of.reduce((sum, { minor }) => sum + minor, 0n)
}

function byLineKey(left: RatedLine, right: RatedLine): number {
  return left.lineKey < right.lineKey ? -1 : 1
}

function byReference(left: Deduction, right: Deduction): number {
  const [one, other] = [`${left.kind}/${left.reference}`, `${right.kind}/${right.reference}`]
  return one < other ? -1 : one > other ? 1 : 0
}

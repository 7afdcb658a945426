import { createHash } from 'node:crypto'
import { METERS } from '#shared/catalogue/meters.ts'
import { digestOf } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { formatInstant, type Period } from './calendar.ts'
import { type Currency, isStatable, type Money, money, toMinor } from './currency.ts'
import { type MeterEvents, measure } from './meter-usage.ts'
import type { Fee, Plan, Price } from './plan.ts'
import { componentJson, type RatedUnits, rateUnits, UNIT_MODELS } from './rating/unit-price.ts'
import {
  decimal,
  formatDecimal,
  fromScaled,
  multiply,
  type Rational,
  rational,
  toScaled,
  ZERO,
} from './rational.ts'
import type { Subscription } from './subscription.ts'

/** One line of an invoice, as it is answered and digested. */
export type InvoiceLine = {
  readonly lineId: string
  readonly kind: 'fee' | 'usage'
  readonly description: string
  readonly meter: string | null
  readonly servicePeriod: { readonly from: string; readonly to: string }
  readonly priceRef: string
  readonly quantity: string
  readonly unit: string
  readonly included: string
  readonly billedQuantity: string
  readonly components: readonly Record<string, unknown>[]
  /** The amount before its one rounding, as a fraction of the currency's unit. */
  readonly exact: { readonly n: string; readonly d: string }
  readonly amount: Money
  readonly evidence: { readonly events: number }
}

export type Invoice = {
  readonly invoiceId: string
  readonly tenantId: string
  readonly subscriptionId: string
  readonly planId: string
  readonly planVersion: number
  readonly examplePlan: boolean
  readonly status: 'draft'
  readonly currency: Currency
  readonly timeZone: string
  readonly period: { readonly from: string; readonly to: string }
  readonly lines: readonly InvoiceLine[]
  readonly subtotal: Money
  readonly total: Money
  /** Hex SHA-256 over the canonical JSON (RFC 8785) of all the other members. */
  readonly digest: string
}

export type InvoiceInput = {
  readonly tenantId: string
  readonly subscription: Subscription
  readonly plan: Plan
  /** The whole billing period. */
  readonly period: Period
  readonly events: MeterEvents
}

/**
 * Computes the invoice of one subscription and period. Pure: the same input gives the same bytes.
 *
 * A period is charged from the later of its beginning, the subscription's and the trial's end; fee
 * and allowances are cut to that share of the period, exactly. Each line is exact until it is rounded
 * once, halves away from zero, and the lines add up to the total. An amount that JSON cannot state
 * exactly is refused with `invoice.out_of_range`.
 */
export function computeInvoice(input: InvoiceInput): Result<Invoice> {
  const { tenantId, subscription, plan, period } = input
  const charged = chargedPart(subscription, period)
  const invoiceId = `inv_${hash(tenantId, subscription.subscriptionId, formatInstant(period.fromMs), 'cycle')}`
  const rated = charged === undefined ? [] : linesOf(input, invoiceId, charged)
  const sum = rated.reduce((minor, line) => minor + line.minor, 0n)
  const tooLarge = [...rated.map((line) => line.minor), sum].find((minor) => !isStatable(minor))
  if (tooLarge !== undefined) return refuse('invoice.out_of_range', `${tooLarge} minor units`)
  const lines = rated.map(
    ({ minor, evidence, ...line }): InvoiceLine => ({
      ...line,
      amount: money(minor, plan.currency),
      evidence,
    }),
  )
  const invoice = {
    invoiceId,
    tenantId,
    subscriptionId: subscription.subscriptionId,
    planId: plan.planId,
    planVersion: plan.version,
    examplePlan: plan.example,
    status: 'draft' as const,
    currency: plan.currency,
    timeZone: subscription.timeZone,
    period: wire(period),
    lines,
    subtotal: money(sum, plan.currency),
    total: money(sum < 0n ? 0n : sum, plan.currency),
  }
  return ok({ ...invoice, digest: digestOf(invoice) })
}

/**
 * The part of the period that is charged, or undefined when none is.
 *
 * A cancelled subscription owes nothing. What cancels one is the operation that began it, when it undoes
 * what it did: the tenant never became active, and must not pay for our attempt.
 */
export function chargedPart(subscription: Subscription, period: Period): Period | undefined {
  if (subscription.status === 'cancelled') return undefined
  const fromMs = Math.max(period.fromMs, subscription.startedAtMs, subscription.trialEndsAtMs ?? 0)
  return fromMs < period.toMs ? { fromMs, toMs: period.toMs } : undefined
}

/** A line whose amount is exact in minor units, however large. */
type RatedLine = Omit<InvoiceLine, 'amount'> & { readonly minor: bigint }

function linesOf(input: InvoiceInput, invoiceId: string, charged: Period): RatedLine[] {
  const { plan, period, events } = input
  const share = rational(BigInt(charged.toMs - charged.fromMs), BigInt(period.toMs - period.fromMs))
  const fees = plan.fees.map((fee) => feeLine(plan, fee, invoiceId, charged, share))
  const usage = plan.prices.map((price) => {
    const { value = ZERO, events: count } = measure(price.meter, events, charged)
    const included = allowance(price, share)
    const model = UNIT_MODELS.find((unitModel) => unitModel === price.model)
    if (model === undefined) throw new RangeError(`${price.model} cannot be billed yet`)
    const rated = rateUnits(model, price.parameters, {
      // A negative total, left by corrections, is not money that the tenant is owed twice.
      quantity: value.n < 0n ? ZERO : value,
      position: 'single',
      preQuantity: ZERO,
      previouslyBilled: ZERO,
      tierQuantity: undefined,
      firstFlatAlreadyBilled: false,
      included,
    })
    return usageLine(plan, price, invoiceId, charged, { value, count, included, rated })
  })
  return [...fees, ...usage]
}

function feeLine(plan: Plan, fee: Fee, invoiceId: string, charged: Period, share: Rational): RatedLine {
  const exact = multiply(decimal(fee.amount), share)
  return {
    lineId: lineId(invoiceId, 'fee', fee.feeId, '', charged),
    kind: 'fee',
    description: fee.description,
    meter: null,
    servicePeriod: wire(charged),
    priceRef: `${plan.planId}@${plan.version}/${fee.feeId}`,
    quantity: '1',
    unit: 'period',
    included: '0',
    billedQuantity: formatDecimal(share),
    components: [],
    ...amounts(exact, plan.currency),
    evidence: { events: 0 },
  }
}

function usageLine(
  plan: Plan,
  price: Price,
  invoiceId: string,
  charged: Period,
  usage: { value: Rational; count: number; included: Rational; rated: RatedUnits },
): RatedLine {
  return {
    lineId: lineId(invoiceId, 'usage', price.priceId, '', charged),
    kind: 'usage',
    description: `${price.meter} per ${price.unit}`,
    meter: price.meter,
    servicePeriod: wire(charged),
    priceRef: `${plan.planId}@${plan.version}/${price.priceId}`,
    quantity: formatDecimal(usage.value),
    unit: price.unit,
    included: formatDecimal(usage.included),
    billedQuantity: formatDecimal(usage.rated.billedQuantity),
    components: usage.rated.components.map(componentJson),
    ...amounts(usage.rated.amount, plan.currency),
    evidence: { events: usage.count },
  }
}

/** The share of what a whole period includes; whole things are included in whole numbers. */
function allowance(price: Price, share: Rational): Rational {
  const exact = multiply(decimal(price.included), share)
  const whole = METERS[price.meter].scale === 0 && price.parameters['convert'] === undefined
  return whole ? fromScaled(toScaled(exact, 0, 'floor'), 0) : exact
}

function amounts(exact: Rational, currency: Currency): Pick<RatedLine, 'exact' | 'minor'> {
  return {
    exact: { n: String(exact.n), d: String(exact.d) },
    minor: toMinor(exact, currency),
  }
}

function lineId(invoiceId: string, kind: string, price: string, group: string, segment: Period): string {
  return `il_${hash(invoiceId, kind, price, group, `${segment.fromMs}-${segment.toMs}`)}`
}

function hash(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0'), 'utf8').digest('hex').slice(0, 32)
}

function wire(period: Period): { from: string; to: string } {
  return { from: formatInstant(period.fromMs), to: formatInstant(period.toMs) }
}

import { canonicalJson } from '#shared/json.ts'
import type { Period } from '../calendar.ts'
import { type Currency, toMinor } from '../currency.ts'
import type { Fee } from '../plan.ts'
import { add, decimal, formatDecimal, multiply, negate, type Rational, total } from '../rational.ts'
import { lineKeyOf, NO_ADJUSTMENTS, type RatedLine, wireFraction, wirePeriod } from './line.ts'
import type { InvoiceInput, Segment } from './terms.ts'

/** A fee over segments in which it stayed the same. */
type FeeRun = {
  readonly fee: Fee
  readonly planRef: string
  readonly period: Period
  /** Of the period: while it held, and what of the period comes after it. */
  readonly held: Rational
  readonly rest: Rational
}

/**
 * The recurring fees of a period, each prorated by time and rounded once.
 *
 * A fee in arrears is due for the time it held. One in advance is due from its beginning to the end of
 * the period; when it ends before, what is left of it comes back on a line of its own.
 */
export function feeLines(input: InvoiceInput): RatedLine[] {
  const { currency, segments } = input
  const endMs = segments.at(-1)?.period.toMs ?? input.period.toMs
  return runsOf(segments).flatMap((run) => {
    const { fee, period, held, rest } = run
    if (fee.term === 'in_arrears') return [feeLine(run, period, held, currency)]
    const charge = feeLine(run, { fromMs: period.fromMs, toMs: endMs }, add(held, rest), currency)
    if (period.toMs >= endMs) return [charge]
    return [charge, creditLine(run, { fromMs: period.toMs, toMs: endMs }, rest, currency)]
  })
}

function runsOf(segments: readonly Segment[]): FeeRun[] {
  const runs: FeeRun[] = []
  const open = new Map<string, number>()
  segments.forEach(({ period, plan, share }, at) => {
    const rest = total(segments.slice(at + 1).map((later) => later.share))
    for (const fee of plan.fees) {
      const index = open.get(fee.feeId)
      const last = index === undefined ? undefined : runs[index]
      if (last?.period.toMs === period.fromMs && index !== undefined && isSame(last.fee, fee)) {
        const longer = { fromMs: last.period.fromMs, toMs: period.toMs }
        runs[index] = { ...last, period: longer, held: add(last.held, share), rest }
      } else {
        open.set(fee.feeId, runs.length)
        runs.push({ fee, planRef: `${plan.planId}@${plan.version}`, period, held: share, rest })
      }
    }
  })
  return runs
}

function isSame(left: Fee, right: Fee): boolean {
  return canonicalJson(left) === canonicalJson(right)
}

function feeLine(run: FeeRun, served: Period, share: Rational, currency: Currency): RatedLine {
  return line(run, 'fee', run.fee.description, served, share, currency)
}

function creditLine(run: FeeRun, rest: Period, share: Rational, currency: Currency): RatedLine {
  return line(run, 'fee_credit', `${run.fee.description}: unused rest`, rest, negate(share), currency)
}

function line(
  { fee, planRef }: FeeRun,
  kind: 'fee' | 'fee_credit',
  description: string,
  served: Period,
  share: Rational,
  currency: Currency,
): RatedLine {
  const exact = multiply(decimal(fee.amount), share)
  const priceRef = `${planRef}/${fee.feeId}`
  return {
    lineKey: lineKeyOf(kind, priceRef, '', served),
    kind,
    description,
    meter: null,
    group: {},
    servicePeriod: wirePeriod(served),
    priceRef,
    quantity: '1',
    unit: 'period',
    included: '0',
    granted: '0',
    billedQuantity: formatDecimal(share),
    components: [],
    adjustments: NO_ADJUSTMENTS,
    exact: wireFraction(exact),
    minor: toMinor(exact, currency),
    parent: null,
    taxCategory: fee.taxCategory,
    corrects: null,
    isFee: true,
    evidence: { events: 0, root: null },
  }
}

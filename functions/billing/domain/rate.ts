import {
  rateAllocation,
  rateCreditNote,
  rateDynamic,
  rateFlat,
  rateInvoiceTax,
  rateMinimumTrueUp,
  ratePlanChange,
  rateProgressive,
  rateProration,
  rateRounding,
} from './rating/adjustments.ts'
import { rateBillingPeriods } from './rating/billing-periods.ts'
import { rateCreditBurn } from './rating/credit-burn.ts'
import { type Fields, fieldsOf, RatingError } from './rating/fields.ts'
import {
  rateBuckets,
  rateCreditOrder,
  rateCreditsOnInvoice,
  rateRerate,
  rateRerateByPeriod,
} from './rating/phases.ts'
import { rateBlocks, ratePercentage } from './rating/transactions.ts'
import { ratedUnitsJson, rateUnits, UNIT_MODELS, type UnitModel, unitUsageOf } from './rating/unit-price.ts'

type Rater = (parameters: Fields, usage: Fields) => Record<string, unknown>

const RATERS: Readonly<Record<string, Rater>> = {
  ...Object.fromEntries(UNIT_MODELS.map((model) => [model, unitRater(model)])),
  flat: rateFlat,
  percentage: ratePercentage,
  block_tiered: rateBlocks,
  dynamic: rateDynamic,
  bucketed: (parameters, usage) => rateBuckets(rate, parameters, usage),
  rerate: (parameters, usage) => rateRerate(rate, parameters, usage),
  rerate_by_period: (parameters, usage) => rateRerateByPeriod(rate, parameters, usage),
  minimum_true_up: rateMinimumTrueUp,
  proration: rateProration,
  plan_change: ratePlanChange,
  credit_note: rateCreditNote,
  invoice_tax: rateInvoiceTax,
  progressive: rateProgressive,
  credits_on_invoice: (parameters, usage) => rateCreditsOnInvoice(rate, parameters, usage),
  credit_burn: rateCreditBurn,
  credit_order: rateCreditOrder,
  allocation: rateAllocation,
  rounding: rateRounding,
  billing_periods: rateBillingPeriods,
}

/** The models that `rate` knows. */
export const MODELS: readonly string[] = Object.keys(RATERS)

/**
 * Rates usage by any price model, all of it data (billing.md §13): decimal strings in and out, exact
 * in between. Pure. Throws `RatingError` on an unknown model and on data the model does not understand.
 */
export function rate(model: string, parameters: unknown, usage: unknown): Record<string, unknown> {
  const rater = Object.hasOwn(RATERS, model) ? RATERS[model] : undefined
  if (rater === undefined) throw new RatingError(`there is no price model '${model}'`)
  return rater(fieldsOf(parameters, 'parameters'), fieldsOf(usage, 'usage'))
}

function unitRater(model: UnitModel): Rater {
  return (parameters, usage) => ratedUnitsJson(rateUnits(model, parameters, unitUsageOf(usage)))
}

import { z } from 'zod'
import { METER_IDS, METERS, type MeterId } from '#shared/catalogue/meters.ts'
import { TIERS } from '#shared/catalogue/tiers.ts'
import { parser } from '#shared/json.ts'
import { CURRENCIES, type Currency } from './currency.ts'
import { type Fee, LATE_POLICIES, type PlanVersion, type Price, type Sheet } from './plan.ts'
import { amountSchema, commitmentSchema, faultsInPrice, PRICE_MODELS } from './price-models.ts'

const label = z
  .string()
  .min(1)
  .max(80)
  .regex(/^[^\p{C}]+$/u, 'must have no control characters')
const partId = z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/, 'must be lower-case letters, digits, - and _')
export const planIdSchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,61}[a-z0-9]$/, 'must be lower-case letters, digits and -')
const taxCategory = partId.default('standard')
const currencyName = z.enum(CURRENCIES as [Currency, ...Currency[]])

const feeSchema: z.ZodType<Fee> = z.strictObject({
  feeId: partId,
  description: label,
  amount: amountSchema,
  term: z.enum(['in_advance', 'in_arrears']),
  taxCategory,
})

const priceSchema: z.ZodType<Price> = z
  .strictObject({
    priceId: partId,
    meter: z.enum(METER_IDS as [MeterId, ...MeterId[]]),
    unit: label,
    model: z.enum(PRICE_MODELS),
    parameters: z.record(z.string(), z.unknown()),
    included: amountSchema.default('0'),
    filters: z.record(z.string(), z.array(z.string().max(64)).min(1).max(100)).default({}),
    groupBy: z.array(z.string()).max(4).default([]),
    overage: z.enum(['charge', 'block']).default('charge'),
    taxCategory,
  })
  .superRefine((price, context) => {
    for (const message of faultsIn(price))
      context.addIssue({ code: 'custom', message, path: [price.priceId] })
  })

const sheetSchema: z.ZodType<Sheet> = z
  .strictObject({
    fees: z.array(feeSchema).max(20),
    prices: z.array(priceSchema).max(100),
    commitment: commitmentSchema.default({}),
  })
  .superRefine((sheet, context) => {
    for (const message of faultsInSheet(sheet)) context.addIssue({ code: 'custom', message })
  })

const shape = {
  planId: planIdSchema,
  version: z.number().int().min(1).max(1_000_000),
  name: label,
  tier: z.enum(TIERS),
  example: z.boolean().default(false),
  isDefault: z.boolean().default(false),
  // Also for the versions that were stored before there was such a thing.
  listed: z.boolean().default(true),
  payment: z.enum(['invoiced', 'prepaid']).default('invoiced'),
  graceHours: z.number().int().min(0).max(72).default(24),
  late: z
    .strictObject({
      policy: z.enum(LATE_POLICIES),
      horizonDays: z.number().int().min(0).max(396),
    })
    .default({ policy: 'correct', horizonDays: 62 }),
  taxMode: z.enum(['per_rate', 'per_line']).default('per_rate'),
  currency: currencyName,
  currencies: z.partialRecord(currencyName, sheetSchema),
}

type Currencies = Pick<PlanVersion, 'currency' | 'currencies'>

/** What an operator says of a plan; the version's number and its beginning may be left out. */
export type WantedPlan = Omit<PlanVersion, 'version' | 'validFromMs'> & {
  readonly version?: number | undefined
  readonly validFrom?: string | undefined
}

/** A plan from outside: strict, and every price is tried on usage before anybody is billed by it. */
export const parseWantedPlan = parser<WantedPlan>(
  z
    .strictObject({
      ...shape,
      version: shape.version.optional(),
      validFrom: z.iso.datetime({ offset: true }).optional(),
    })
    // Only what is shipped is an example.
    .refine(({ example }) => !example, { path: ['example'], message: 'only shipped plans are examples' })
    .superRefine(checkCurrencies),
)

export const parsePlanVersion = parser<PlanVersion>(
  z.object({ ...shape, validFromMs: z.number().int() }).superRefine(checkCurrencies),
)

function checkCurrencies(plan: Currencies, context: z.RefinementCtx): void {
  for (const message of faultsInCurrencies(plan)) {
    context.addIssue({ code: 'custom', message, path: ['currencies'] })
  }
}

/** The same things are sold in each currency: only amounts differ. */
function faultsInCurrencies({ currency, currencies }: Currencies): string[] {
  const own = currencies[currency]
  if (own === undefined) return [`${currency} must be one of them`]
  const sold = (sheet: Sheet): string =>
    JSON.stringify([
      sheet.fees.map(({ feeId, term }) => [feeId, term]),
      sheet.prices.map(({ priceId, meter, filters, groupBy, included }) => [
        ...[priceId, meter, filters, groupBy, included],
      ]),
    ])
  return Object.entries(currencies)
    .filter(([, sheet]) => sold(sheet) !== sold(own))
    .map(([name]) => `${name} must have the fees and prices of ${currency}`)
}

function faultsIn(price: Price): string[] {
  const { meter, filters, groupBy, included, model } = price
  const dimensions: readonly string[] = METERS[meter].dimensions
  const unknown = [...Object.keys(filters), ...groupBy].filter((name) => !dimensions.includes(name))
  const takesAllowance = !['percentage', 'bucketed'].includes(model)
  return [
    ...faultsInPrice(model, price.parameters),
    ...unknown.map((name) => `${meter} has no dimension ${name}`),
    ...(takesAllowance || /^0(\.0+)?$/.test(included) ? [] : [`${model} includes nothing`]),
    ...(METERS[meter].aggregation === 'max' && groupBy.length > 0 ? ['a maximum has no groups'] : []),
  ]
}

function faultsInSheet({ fees, prices }: Sheet): string[] {
  const ids = [...fees.map(({ feeId }) => feeId), ...prices.map(({ priceId }) => priceId)]
  const repeated = ids.filter((id, index) => ids.indexOf(id) !== index)
  const unreachable = prices.filter((price, index) =>
    prices.slice(0, index).some(({ meter, filters }) => meter === price.meter && isEmpty(filters)),
  )
  return [
    ...repeated.map((id) => `${id} stands twice`),
    ...unreachable.map(({ priceId }) => `${priceId} stands behind one that takes all of its meter`),
  ]
}

function isEmpty(record: object): boolean {
  return Object.keys(record).length === 0
}

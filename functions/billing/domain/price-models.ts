import { z } from 'zod'
import { asRecord } from '#shared/json.ts'
import { rate } from './rate.ts'
import { RatingError } from './rating/fields.ts'
import { UNIT_MODELS } from './rating/unit-price.ts'
import { compare, decimal, findDecimal, ROUNDINGS } from './rational.ts'

/** What a meter can be priced by; `flat` is a fee's. */
export const PRICE_MODELS = [...UNIT_MODELS, 'block_tiered', 'percentage', 'dynamic', 'bucketed'] as const
export type PriceModel = (typeof PRICE_MODELS)[number]

/** A decimal from outside: no sign, so that no price pays the tenant. */
export const amountSchema = z.string().regex(/^\d{1,15}(\.\d{1,12})?$/, 'must be a decimal, not negative')
const positive = amountSchema.refine(isPositive, 'must be positive')
const percentage = amountSchema.refine(
  (text) => findDecimal(text) !== undefined && compare(decimal(text), decimal('100')) <= 0,
  'must be at most 100',
)
const rounding = z.enum(ROUNDINGS)
const digits = z.number().int().min(0).max(12)

export const commitmentSchema = z
  .strictObject({ minimum: amountSchema.optional(), maximum: amountSchema.optional() })
  .refine(
    ({ minimum, maximum }) =>
      minimum === undefined || maximum === undefined || compare(decimal(minimum), decimal(maximum)) <= 0,
    'minimum must not be above maximum',
  )

const convert = z.strictObject({
  divide_by: positive.optional(),
  rounding: z.enum([...ROUNDINGS, 'none']).optional(),
})

/** What every model of units takes. What is included stands beside the model, as a part of the price. */
const ofUnits = {
  convert: convert.optional(),
  percent_discount: percentage.optional(),
  commitment: commitmentSchema.optional(),
}
const bound = amountSchema.nullable()

/** The parameters of each model of billing.md §13 that prices usage, and nothing besides. */
const PARAMETERS: Readonly<Record<PriceModel, z.ZodType>> = {
  per_unit: z.strictObject({ ...ofUnits, unit_amount: amountSchema }),
  graduated: z.strictObject({ ...ofUnits, tiers: tiersOf('unit_amount') }),
  volume: z.strictObject({ ...ofUnits, tiers: tiersOf('unit_amount') }),
  graduated_percentage: z.strictObject({ ...ofUnits, tiers: tiersOf('rate_percent') }),
  package: z.strictObject({
    ...ofUnits,
    package_size: positive,
    package_amount: amountSchema,
    free_units: amountSchema.optional(),
    rounding: rounding.optional(),
  }),
  block_tiered: z.strictObject({
    policy: z.enum(['all_tiers', 'top_tier']),
    tiers: z
      .array(
        z.strictObject({
          block_size: positive,
          max_blocks: positive.nullable().optional(),
          block_amount: amountSchema,
        }),
      )
      .min(1)
      .max(50),
  }),
  percentage: z.strictObject({
    rate_percent: amountSchema,
    fixed_amount: amountSchema.optional(),
    free_events: amountSchema.optional(),
    free_amount: amountSchema.optional(),
    per_transaction_min: amountSchema.optional(),
    per_transaction_max: amountSchema.optional(),
  }),
  dynamic: z.strictObject({ multiplier: amountSchema, minor_digits: digits }),
  bucketed: z.strictObject({ price: z.looseObject({ model: z.enum(UNIT_MODELS) }) }),
}

/** Usage that every model can rate, to find what the schemas cannot see. */
const SAMPLES: Readonly<Record<PriceModel, Record<string, unknown>>> = {
  per_unit: { quantity: '1' },
  graduated: { quantity: '1000000000000' },
  volume: { quantity: '1000000000000' },
  graduated_percentage: { quantity: '1000000000000' },
  package: { quantity: '1' },
  block_tiered: { quantity: '1' },
  percentage: { transactions: ['1', '100'] },
  dynamic: { quantity: '1' },
  bucketed: { buckets: ['1', '2'] },
}

/** What is wrong with the parameters of a model, by path; nothing where they can price any usage. */
export function faultsInPrice(model: PriceModel, parameters: unknown): string[] {
  const parsed = PARAMETERS[model].safeParse(parameters)
  if (!parsed.success) {
    return parsed.error.issues.map(({ path, message }) => `${['parameters', ...path].join('.')}: ${message}`)
  }
  const inner = model === 'bucketed' ? asRecord(asRecord(parameters)?.['price']) : undefined
  if (inner !== undefined) {
    const { model: innerModel, ...rest } = inner
    const faults = faultsInPrice(innerModel as PriceModel, rest)
    if (faults.length > 0) return faults.map((fault) => `parameters.price.${fault}`)
  }
  try {
    rate(model, parameters, SAMPLES[model])
    return []
  } catch (error) {
    if (error instanceof RatingError) return [`parameters: ${error.message}`]
    throw error
  }
}

/** The last tier is without end: an invoice must be possible whatever was used. */
function tiersOf(unit: 'unit_amount' | 'rate_percent') {
  const tier = z.strictObject({
    up_to: bound,
    [unit]: amountSchema.optional(),
    flat_amount: amountSchema.optional(),
  })
  return z
    .array(tier)
    .min(1)
    .max(50)
    .refine((tiers) => tiers.at(-1)?.['up_to'] === null, 'the last tier must have up_to null')
}

function isPositive(text: string): boolean {
  const value = findDecimal(text)
  return value !== undefined && value.n > 0n
}

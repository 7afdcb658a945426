import type { MeterId } from '#shared/catalogue/meters.ts'
import type { Tier } from '#shared/catalogue/tiers.ts'
import type { Currency } from './currency.ts'
import type { PlanVersion, Price, Sheet } from './plan.ts'
import { decimal, formatDecimal, multiply, type Rational } from './rational.ts'

/** What one US dollar is on the example sheets: made up, and round so that amounts stay readable. */
const EXAMPLE_RATES = { USD: '1', EUR: '0.9', JPY: '150', KWD: '0.3' } as const satisfies Partial<
  Record<Currency, string>
>

/**
 * The plans that are shipped. They are EXAMPLES: amounts and allowances are the operator's to decide, who
 * makes plans of their own with `isDefault`, before which these step back.
 */
export const EXAMPLE_PLANS: readonly PlanVersion[] = [
  examplePlan('basic', '49.00', 1n),
  examplePlan('standard', '199.00', 5n),
  examplePlan('premium', '799.00', 25n, { percent_discount: '5' }),
  examplePlan('enterprise', '2499.00', 100n, { percent_discount: '10' }),
]

/** `allowance` multiplies what the smallest tier includes. */
function examplePlan(
  tier: Tier,
  baseFee: string,
  allowance: bigint,
  discount: { readonly percent_discount?: string } = {},
): PlanVersion {
  return {
    planId: `example-${tier}`,
    version: 1,
    name: `Example plan of the ${tier} tier`,
    tier,
    example: true,
    isDefault: true,
    listed: true,
    validFromMs: 0,
    payment: 'invoiced',
    graceHours: 24,
    late: { policy: 'correct', horizonDays: 62 },
    taxMode: 'per_rate',
    currency: 'USD',
    currencies: Object.fromEntries(
      Object.entries(EXAMPLE_RATES).map(([currency, rate]) => [
        currency,
        exampleSheet(tier, baseFee, allowance, discount, decimal(rate)),
      ]),
    ),
  }
}

function exampleSheet(
  tier: Tier,
  baseFee: string,
  allowance: bigint,
  discount: { readonly percent_discount?: string },
  rate: Rational,
): Sheet {
  const priced = (usDollars: string): string =>
    rate.n === rate.d ? usDollars : formatDecimal(multiply(decimal(usDollars), rate))
  const perUnit = (
    meter: MeterId,
    unit: string,
    amount: string,
    included: bigint,
    divideBy?: string,
    besides: Partial<Price> = {},
  ): Price => ({
    priceId: `${meter}-per-unit`,
    meter,
    unit,
    model: 'per_unit',
    parameters: {
      unit_amount: priced(amount),
      ...(divideBy === undefined ? {} : { convert: { divide_by: divideBy } }),
      ...discount,
    },
    included: String(included * allowance),
    filters: {},
    groupBy: [],
    overage: 'charge',
    taxCategory: 'standard',
    ...besides,
  })
  const step = (upTo: string | null, amount: string) => ({
    up_to: upTo,
    unit_amount: priced(amount),
    flat_amount: '0',
  })
  return {
    // What a plan may cap is shown by the smallest one: nobody gets a bill they did not expect.
    commitment: tier === 'basic' ? { maximum: priced('500') } : {},
    fees: [
      {
        feeId: 'base-fee',
        description: 'Base fee',
        amount: priced(baseFee),
        term: 'in_advance',
        taxCategory: 'standard',
      },
    ],
    prices: [
      {
        priceId: 'workflow_runs-graduated',
        meter: 'workflow_runs',
        unit: 'run',
        model: 'graduated',
        parameters: { tiers: [step('1000', '0.05'), step('10000', '0.04'), step(null, '0.03')] },
        included: String(100n * allowance),
        filters: {},
        groupBy: [],
        overage: 'charge',
        taxCategory: 'standard',
      },
      perUnit('agent_minutes', 'minute', '0.02', 1_000n, '60'),
      perUnit('vcpu_seconds', 'vCPU hour', '0.045', 50n, '3600'),
      perUnit('memory_gib_seconds', 'GiB hour', '0.005', 100n, '3600'),
      perUnit('storage_gib_hours', 'GiB hour', '0.00014', 7_300n),
      perUnit('llm_tokens_in', 'million tokens', '3.00', 1n, '1000000'),
      perUnit('llm_tokens_out', 'million tokens', '15.00', 0n, '1000000'),
      perUnit('egress_bytes', 'GB', '0.09', 10n, '1000000000'),
      perUnit('active_users', 'user', '4.00', 5n),
    ],
  }
}

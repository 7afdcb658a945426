import type { MeterId } from '#shared/catalogue/meters.ts'
import type { Tier } from '#shared/catalogue/tiers.ts'
import type { Currency } from './currency.ts'
import type { UnitModel } from './rating/unit-price.ts'

/** What one meter costs under a plan. `parameters` are those of its model (billing.md §13). */
export type Price = {
  readonly priceId: string
  readonly meter: MeterId
  /** What the quantity on the line is in, after conversion. */
  readonly unit: string
  readonly model: UnitModel
  readonly parameters: Readonly<Record<string, unknown>>
  /** Units included in a whole period, a decimal. */
  readonly included: string
}

/** One immutable version of a plan. A change of price is a new version, never an edit. */
export type Plan = {
  readonly planId: string
  readonly version: number
  /** The one tier the plan is for. */
  readonly tier: Tier
  readonly currency: Currency
  /** Due in advance for each period, in whole currency units. */
  readonly baseFee: string
  readonly prices: readonly Price[]
  /** Made up to show how plans look; no operator should bill by it. */
  readonly example: boolean
}

/** The plans there are. They are EXAMPLES: amounts and allowances are the operator's to decide. */
export const PLANS: readonly Plan[] = [
  examplePlan('basic', '49.00', 1n),
  examplePlan('standard', '199.00', 5n),
  examplePlan('premium', '799.00', 25n),
  examplePlan('enterprise', '2499.00', 100n),
]

/** The plan that a subscription of this tier begins on. */
export function planForTier(tier: Tier): Plan {
  const plan = PLANS.find((candidate) => candidate.tier === tier)
  if (plan === undefined) throw new RangeError(`no plan is for the tier ${tier}`)
  return plan
}

/** Throws when the version never existed: a stored subscription names one that did. */
export function getPlan(planId: string, version: number): Plan {
  const plan = PLANS.find((candidate) => candidate.planId === planId && candidate.version === version)
  if (plan === undefined) throw new RangeError(`no plan ${planId} version ${version}`)
  return plan
}

/** `allowance` multiplies what the smallest tier includes. */
function examplePlan(tier: Tier, baseFee: string, allowance: bigint): Plan {
  const perUnit = (
    meter: MeterId,
    unit: string,
    amount: string,
    included: bigint,
    divideBy?: string,
  ): Price => ({
    priceId: `${meter}-per-unit`,
    meter,
    unit,
    model: 'per_unit',
    parameters: {
      unit_amount: amount,
      ...(divideBy === undefined ? {} : { convert: { divide_by: divideBy } }),
    },
    included: String(included * allowance),
  })
  return {
    planId: `example-${tier}`,
    version: 1,
    tier,
    currency: 'USD',
    baseFee,
    example: true,
    prices: [
      {
        priceId: 'workflow_runs-graduated',
        meter: 'workflow_runs',
        unit: 'run',
        model: 'graduated',
        parameters: {
          tiers: [
            { up_to: '1000', unit_amount: '0.05', flat_amount: '0' },
            { up_to: '10000', unit_amount: '0.04', flat_amount: '0' },
            { up_to: null, unit_amount: '0.03', flat_amount: '0' },
          ],
        },
        included: String(100n * allowance),
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

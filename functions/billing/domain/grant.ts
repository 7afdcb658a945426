import { z } from 'zod'
import { METER_IDS, type MeterId } from '#shared/catalogue/meters.ts'
import { parser } from '#shared/json.ts'
import { CURRENCIES, type Currency } from './currency.ts'
import { amountSchema } from './price-models.ts'
import { burnOrder } from './rating/phases.ts'
import { add, compare, decimal, type Rational, smaller, subtract, ZERO } from './rational.ts'

/** What a grant counts in: money of one currency, or units of one meter as its events count them. */
export type GrantMeasure = { readonly currency: Currency } | { readonly meter: MeterId }

/** What a grant may pay for; everything where a list is absent. */
export type GrantScope = {
  readonly meters?: readonly MeterId[] | undefined
  readonly priceIds?: readonly string[] | undefined
  /** Whether recurring fees are paid by it; money only. */
  readonly fees: boolean
}

/** Part of a grant that an invoice has used up. */
export type Burn = {
  readonly invoiceId: string
  /** At which instant, in milliseconds: a recurring grant is full again after it. */
  readonly atMs: number
  readonly amount: string
}

/** Prepaid credit. Its terms never change; `burns` only grows and `voidedAtMs` is set once. */
export type Grant = {
  readonly grantId: string
  readonly measure: GrantMeasure
  readonly amount: string
  /** 0 burns first. */
  readonly priority: number
  readonly effectiveAtMs: number
  readonly expiresAtMs: number | null
  /** Full again at every so many days after the anchor. */
  readonly recurrence: { readonly everyDays: number; readonly anchorMs: number } | null
  readonly scope: GrantScope
  readonly reason: string
  readonly createdAtMs: number
  readonly voidedAtMs: number | null
  readonly burns: readonly Burn[]
}

/** Something that credit may pay: a line's amount in money, or a quantity of a meter. */
export type Demand = {
  readonly id: string
  readonly measure: GrantMeasure
  readonly kind: 'fee' | 'usage'
  readonly meter?: MeterId | undefined
  readonly priceId?: string | undefined
  readonly amount: Rational
  /** The instant at which it burns. */
  readonly atMs: number
}

export type Applied = {
  readonly grantId: string
  readonly demandId: string
  readonly atMs: number
  readonly amount: Rational
}

const DAY_MS = 24 * 3_600_000
const meter = z.enum(METER_IDS as [MeterId, ...MeterId[]])

export const parseGrant = parser<Grant>(
  z.object({
    grantId: z.string(),
    measure: z.union([
      z.strictObject({ currency: z.enum(CURRENCIES as [Currency, ...Currency[]]) }),
      z.strictObject({ meter }),
    ]),
    amount: amountSchema,
    priority: z.number().int(),
    effectiveAtMs: z.number().int(),
    expiresAtMs: z.number().int().nullable(),
    recurrence: z.object({ everyDays: z.number().int(), anchorMs: z.number().int() }).nullable(),
    scope: z.object({
      meters: z.array(meter).optional(),
      priceIds: z.array(z.string()).optional(),
      fees: z.boolean(),
    }),
    reason: z.string(),
    createdAtMs: z.number().int(),
    voidedAtMs: z.number().int().nullable(),
    burns: z.array(z.object({ invoiceId: z.string(), atMs: z.number().int(), amount: amountSchema })),
  }),
)

/**
 * What is left of a grant at an instant: nothing before it begins, from its expiry on, and from when it
 * was voided. A recurring one is full again at each of its instants, whatever was left.
 */
export function balanceAt(grant: Grant, atMs: number): Rational {
  if (!isLive(grant, atMs)) return ZERO
  const fullMs = filledAt(grant, atMs)
  const burnt = grant.burns
    .filter((burn) => burn.atMs >= fullMs && burn.atMs <= atMs)
    .reduce((sum, burn) => add(sum, decimal(burn.amount)), ZERO)
  const left = subtract(decimal(grant.amount), burnt)
  return left.n < 0n ? ZERO : left
}

export function isLive({ effectiveAtMs, expiresAtMs, voidedAtMs }: Grant, atMs: number): boolean {
  return (
    effectiveAtMs <= atMs &&
    (expiresAtMs === null || atMs < expiresAtMs) &&
    (voidedAtMs === null || atMs < voidedAtMs)
  )
}

/**
 * Pays demands from grants, in order of their instants: priority, expiry with none last, creation, id.
 * No grant gives more than it has at the demand's instant, and none pays outside its scope.
 */
export function burnGrants(grants: readonly Grant[], demands: readonly Demand[]): Applied[] {
  const ordered = inBurnOrder(grants)
  const taken: Applied[] = []
  const byTime = demands
    .map((demand, index) => ({ demand, index }))
    .sort((left, right) => left.demand.atMs - right.demand.atMs || left.index - right.index)
  for (const { demand } of byTime) {
    let owed = demand.amount
    for (const grant of ordered) {
      if (owed.n <= 0n) break
      if (!pays(grant, demand)) continue
      const left = subtract(balanceAt(grant, demand.atMs), takenSinceFilled(grant, taken, demand.atMs))
      const amount = smaller(left, owed)
      if (amount.n <= 0n) continue
      taken.push({ grantId: grant.grantId, demandId: demand.id, atMs: demand.atMs, amount })
      owed = subtract(owed, amount)
    }
  }
  return taken
}

/** The order in which grants burn. */
export function inBurnOrder(grants: readonly Grant[]): Grant[] {
  const minute = (ms: number): number => Math.floor(ms / 60_000) * 60_000
  const keyed = grants.map((grant) => ({
    grant,
    id: grant.grantId,
    priority: BigInt(grant.priority),
    expiresAtMs: grant.expiresAtMs === null ? Number.POSITIVE_INFINITY : minute(grant.expiresAtMs),
    createdAtMs: minute(grant.createdAtMs),
  }))
  return keyed.sort(burnOrder).map(({ grant }) => grant)
}

export function sameMeasure(left: GrantMeasure, right: GrantMeasure): boolean {
  return 'currency' in left
    ? 'currency' in right && left.currency === right.currency
    : 'meter' in right && left.meter === right.meter
}

function pays({ measure, scope }: Grant, demand: Demand): boolean {
  if (!sameMeasure(measure, demand.measure)) return false
  if (demand.kind === 'fee') return scope.fees
  return (
    (scope.meters === undefined || (demand.meter !== undefined && scope.meters.includes(demand.meter))) &&
    (scope.priceIds === undefined ||
      (demand.priceId !== undefined && scope.priceIds.includes(demand.priceId)))
  )
}

/** When the grant was last full. */
function filledAt({ effectiveAtMs, recurrence }: Grant, atMs: number): number {
  if (recurrence === null) return effectiveAtMs
  const everyMs = recurrence.everyDays * DAY_MS
  const filled = recurrence.anchorMs + Math.floor((atMs - recurrence.anchorMs) / everyMs) * everyMs
  return Math.max(effectiveAtMs, filled)
}

function takenSinceFilled(grant: Grant, taken: readonly Applied[], atMs: number): Rational {
  const fullMs = filledAt(grant, atMs)
  return taken
    .filter((one) => one.grantId === grant.grantId && one.atMs >= fullMs)
    .reduce((sum, one) => add(sum, one.amount), ZERO)
}

/** Whether nothing of the grant can be used any more, from the instant on. */
export function isOver(grant: Grant, atMs: number): boolean {
  if (grant.voidedAtMs !== null && grant.voidedAtMs <= atMs) return true
  if (grant.expiresAtMs !== null && grant.expiresAtMs <= atMs) return true
  return (
    grant.recurrence === null && grant.effectiveAtMs <= atMs && compare(balanceAt(grant, atMs), ZERO) <= 0
  )
}

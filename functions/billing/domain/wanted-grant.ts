import { z } from 'zod'
import { METER_IDS, METERS, type MeterId } from '#shared/catalogue/meters.ts'
import { parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { formatInstant } from './calendar.ts'
import { CURRENCIES, type Currency, minorDigits } from './currency.ts'
import { balanceAt, type Grant, isOver } from './grant.ts'
import { amountSchema } from './price-models.ts'
import { decimal, formatDecimal, round } from './rational.ts'

/** Credit that an operator wants to give. */
export type WantedGrant = {
  readonly amount: string
  readonly currency?: Currency | undefined
  readonly unit?: MeterId | undefined
  readonly priority: number
  readonly effectiveAt?: string | undefined
  readonly expiresAt?: string | undefined
  readonly recurrence?: { readonly everyDays: number; readonly anchor?: string | undefined } | undefined
  readonly scope?:
    | {
        readonly meters?: readonly MeterId[] | undefined
        readonly priceIds?: readonly string[] | undefined
        readonly fees?: boolean | undefined
      }
    | undefined
  readonly reason: string
}

const meter = z.enum(METER_IDS as [MeterId, ...MeterId[]])
const instant = z.iso.datetime({ offset: true })

export const parseWantedGrant = parser<WantedGrant>(
  z
    .strictObject({
      amount: amountSchema,
      currency: z.enum(CURRENCIES as [Currency, ...Currency[]]).optional(),
      /** The meter whose units are granted. */
      unit: meter.optional(),
      priority: z.number().int().min(0).max(100).default(50),
      effectiveAt: instant.optional(),
      expiresAt: instant.optional(),
      recurrence: z
        .strictObject({ everyDays: z.number().int().min(1).max(366), anchor: instant.optional() })
        .optional(),
      scope: z
        .strictObject({
          meters: z.array(meter).min(1).max(20).optional(),
          priceIds: z.array(z.string().max(64)).min(1).max(100).optional(),
          fees: z.boolean().optional(),
        })
        .optional(),
      reason: z.string().min(1).max(200),
    })
    .refine(({ currency, unit }) => (currency === undefined) !== (unit === undefined), {
      path: ['currency'],
      message: 'say either currency or unit',
    }),
)

/** A grant of what is wanted, or why there can be none. */
export function newGrant(wanted: WantedGrant, grantId: string, nowMs: number): Result<Grant> {
  const { currency, unit, scope = {} } = wanted
  const measure = currency === undefined ? unit && { meter: unit } : { currency }
  if (measure === undefined) return invalid('currency: say either currency or unit')
  const effectiveAtMs = wanted.effectiveAt === undefined ? nowMs : Date.parse(wanted.effectiveAt)
  const expiresAtMs = wanted.expiresAt === undefined ? null : Date.parse(wanted.expiresAt)
  if (expiresAtMs !== null && expiresAtMs <= effectiveAtMs) {
    return invalid('expiresAt: must be after effectiveAt')
  }
  const digits = 'currency' in measure ? minorDigits(measure.currency) : METERS[measure.meter].scale
  const amount = decimal(wanted.amount)
  if (amount.n === 0n) return invalid('amount: must be more than nothing')
  const rounded = round(amount, digits, 'down')
  if (rounded.n !== amount.n || rounded.d !== amount.d) return invalid(`amount: has ${digits} decimal places`)
  const fees =
    scope.fees ?? ('currency' in measure && scope.meters === undefined && scope.priceIds === undefined)
  if ('meter' in measure && (fees || scope.meters?.some((name) => name !== measure.meter) === true)) {
    return invalid('scope: units pay for their own meter only')
  }
  const { recurrence } = wanted
  const anchor = recurrence?.anchor
  return ok({
    grantId,
    measure,
    amount: formatDecimal(amount),
    priority: wanted.priority,
    effectiveAtMs,
    expiresAtMs,
    recurrence:
      recurrence === undefined
        ? null
        : {
            everyDays: recurrence.everyDays,
            anchorMs: anchor === undefined ? effectiveAtMs : Date.parse(anchor),
          },
    scope: {
      ...(scope.meters === undefined ? {} : { meters: scope.meters }),
      ...(scope.priceIds === undefined ? {} : { priceIds: scope.priceIds }),
      fees,
    },
    reason: wanted.reason,
    createdAtMs: nowMs,
    voidedAtMs: null,
    burns: [],
  })
}

/** A grant as a caller sees it, with what is left of it at an instant. */
export function viewOfGrant(grant: Grant, atMs: number): Record<string, unknown> {
  const { grantId, measure, amount, priority, scope, reason, burns, recurrence } = grant
  const over = isOver(grant, atMs)
  const waiting = grant.effectiveAtMs > atMs
  return {
    grantId,
    ...('currency' in measure ? { currency: measure.currency } : { unit: measure.meter }),
    amount,
    balance: formatDecimal(balanceAt(grant, atMs)),
    status:
      grant.voidedAtMs !== null && grant.voidedAtMs <= atMs
        ? 'void'
        : over
          ? 'over'
          : waiting
            ? 'pending'
            : 'active',
    priority,
    effectiveAt: formatInstant(grant.effectiveAtMs),
    expiresAt: grant.expiresAtMs === null ? null : formatInstant(grant.expiresAtMs),
    recurrence:
      recurrence === null
        ? null
        : { everyDays: recurrence.everyDays, anchor: formatInstant(recurrence.anchorMs) },
    scope,
    reason,
    createdAt: formatInstant(grant.createdAtMs),
    voidedAt: grant.voidedAtMs === null ? null : formatInstant(grant.voidedAtMs),
    burns: burns.map(({ invoiceId, atMs: burntMs, amount: burnt }) => ({
      invoiceId,
      at: formatInstant(burntMs),
      amount: burnt,
    })),
  }
}

function invalid(hint: string): Result<never> {
  return refuse('credit.invalid', hint, hint)
}

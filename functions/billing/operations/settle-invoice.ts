import { z } from 'zod'
import type { Claim } from '#shared/firestore/claim.ts'
import { type Parse, parser } from '#shared/json.ts'
import { type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import { formatInstant } from '../domain/calendar.ts'
import { familyOf } from '../domain/invoice/stored-invoice.ts'
import type { BillingDeps, Reading } from '../ports.ts'
import { type Gathered, gatherPeriod } from './draft-period.ts'
import { finalizeInvoice, StaleBook } from './finalize-invoice.ts'
import type { MeasureDeps } from './measure-period.ts'
import { periodOfInvoice } from './read-invoices.ts'
import { rebillInvoice, voidInvoice } from './replace-invoice.ts'
import { type SettleDeps, settleCrossHourConflicts } from './settle-conflicts.ts'

export type Order = { readonly rev: number; readonly reason: string }

/** The revision that the operator has seen, and why they decide. */
export const parseOrder: Parse<Order> = parser(
  z.strictObject({
    rev: z.int().min(1).max(1_000),
    reason: z
      .string()
      .min(1)
      .max(500)
      .regex(/^[^\p{Cc}]*$/u, 'must not hold control characters'),
  }),
)

type Deps = MeasureDeps & Pick<BillingDeps, 'invoices' | 'taxRates'> & SettleDeps

export type Settling = {
  readonly ctx: TenantContext
  readonly invoiceId: string
  readonly order: Order
  readonly claim: Claim | undefined
  readonly nowMs: number
  readonly trace: Trace
  readonly reading: Reading
}

/** How often an operator's order is decided anew when something else happens at the same time. */
const MOST_TRIES = 3

/**
 * Does what an operator decided about an invoice. What was measured for it may be overtaken by another
 * change; then it is measured again.
 */
export async function settleInvoice(
  deps: Deps,
  kind: 'finalize' | 'void' | 'rebill',
  settling: Settling,
): Promise<Result<{ readonly duplicate: boolean; readonly value: Record<string, unknown> }>> {
  const { ctx, invoiceId, order, claim, nowMs, trace } = settling
  const settled = { ctx, nowMs, trace, reason: order.reason }
  const named = { invoiceId, revision: order.rev }
  if (kind === 'void') return voidInvoice(deps, settled, named, claim)
  for (let attempt = 1; ; attempt += 1) {
    const gathered = await gatherNamed(deps, kind, settling)
    if (!gathered.ok) return gathered
    try {
      if (kind === 'rebill') return await rebillInvoice(deps, settled, named, gathered.value, claim)
      return await finalizeInvoice(deps, settled, gathered.value, claim)
    } catch (error) {
      if (!(error instanceof StaleBook) || attempt === MOST_TRIES) throw error
    }
  }
}

async function gatherNamed(
  deps: Deps,
  kind: 'finalize' | 'rebill',
  { ctx, invoiceId, order, nowMs, reading }: Settling,
): Promise<Result<Gathered>> {
  const { subscription, invoices } = await deps.invoices.read(ctx)
  const period = subscription === undefined ? undefined : periodOfInvoice(ctx, subscription, invoiceId, nowMs)
  if (subscription === undefined || period === undefined)
    return refuse('resource.not_found', 'no such invoice')
  const known = invoices.find((invoice) => invoice.invoiceId === invoiceId)
  const isFirst = familyOf(invoiceId) === invoiceId
  if (known === undefined && (kind === 'rebill' || !isFirst))
    return refuse('resource.not_found', 'no such invoice')
  if ((known?.revision ?? 1) !== order.rev)
    return refuse('invoice.revision_conflict', `is ${known?.revision}`)
  if (period.toMs > nowMs) return notYet(`Its period is over at ${formatInstant(period.toMs)}.`)
  await settleCrossHourConflicts(deps, ctx, period, { reading, nowMs })
  const gathered = await gatherPeriod(deps, { ctx, subscription, period, invoices, nowMs, reading })
  if (gathered.ok && gathered.value.provisional) {
    return notYet(`Usage is exact only until ${formatInstant(gathered.value.exactThroughMs)} so far.`)
  }
  return gathered
}

function notYet(hint: string): Result<never> {
  return refuse('invoice.state', 'not yet', hint)
}

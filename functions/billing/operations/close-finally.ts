import { Contention } from '#shared/firestore/tenant-store.ts'
import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import type { StoredInvoice } from '../domain/invoice/stored-invoice.ts'
import { endSubscription, type Subscription } from '../domain/subscription.ts'
import { type BillingPeriod, periodAt } from '../domain/subscription-phases.ts'
import type { BillingDeps, Reading } from '../ports.ts'
import { gatherPeriod } from './draft-period.ts'
import { finalizeInvoice, StaleBook } from './finalize-invoice.ts'
import type { MeasureDeps } from './measure-period.ts'
import { type SettleDeps, settleCrossHourConflicts } from './settle-conflicts.ts'

export type CloseFinallyDeps = MeasureDeps &
  SettleDeps &
  Pick<BillingDeps, 'invoices' | 'reads' | 'subscriptions' | 'taxRates'>

type Closing = {
  readonly ctx: TenantContext
  readonly operationId: string
  /** When the tenant left: nothing after it is billed. */
  readonly endsAtMs: number
  readonly nowMs: number
  readonly trace: Trace
  readonly signal: AbortSignal
}

/**
 * Closes the books of a tenant that leaves: whatever period is not billed yet gets its invoice, without
 * grace, the last one up to the moment it left; then the subscription ends. True when that is done.
 *
 * It waits for the usage of the last hour like every close: a tenant's data is not erased before it is
 * billed, and fees are only those of the part of the period that it was there.
 */
export async function closeFinally(deps: CloseFinallyDeps, closing: Closing): Promise<Result<boolean>> {
  const { ctx, endsAtMs, nowMs, operationId, signal } = closing
  const reading = deps.reads.background(signal)
  for (;;) {
    signal.throwIfAborted()
    const known = await deps.subscriptions.find(ctx)
    if (known?.status !== 'active') return ok(true)
    const { subscription, invoices } = await deps.invoices.read(ctx)
    const period = subscription && lastPeriod(subscription, invoices, endsAtMs)
    if (subscription === undefined || period === undefined) break
    const closed = await closePeriod(deps, closing, { subscription, invoices, period, reading })
    if (!closed.ok || !closed.value) return closed
  }
  const ended = await deps.subscriptions.amend(ctx, undefined, (current) => {
    const subscription = current && endSubscription(current, operationId, nowMs)
    return ok(subscription === undefined ? {} : { subscription, audit: 'subscription.ended' })
  })
  return ended.ok ? ok(true) : ended
}

/** False while usage of the period is not rolled up yet. */
async function closePeriod(
  deps: CloseFinallyDeps,
  closing: Closing,
  gathering: {
    readonly subscription: Subscription
    readonly invoices: readonly StoredInvoice[]
    readonly period: BillingPeriod
    readonly reading: Reading
  },
): Promise<Result<boolean>> {
  const { ctx, nowMs } = closing
  const { period, reading } = gathering
  const gathered = await gatherPeriod(deps, { ctx, nowMs, ...gathering })
  if (!gathered.ok) return gathered
  if (gathered.value.provisional) return ok(false)
  // One id with two times shows only in the whole period; what lost is out when it is gathered again.
  if ((await settleCrossHourConflicts(deps, ctx, period, { ...closing, reading })) > 0) return ok(false)
  try {
    const finalized = await finalizeInvoice(deps, closing, gathered.value)
    return finalized.ok ? ok(true) : finalized
  } catch (error) {
    if (error instanceof StaleBook) throw new Contention('what was gathered has changed')
    throw error
  }
}

/** The first period without an invoice, at most up to the moment the tenant left. */
function lastPeriod(
  subscription: Subscription,
  invoices: readonly StoredInvoice[],
  endsAtMs: number,
): BillingPeriod | undefined {
  const billed = invoices.filter(({ status }) => status !== 'draft')
  const fromMs = billed.reduce((most, { period }) => Math.max(most, period.toMs), subscription.startedAtMs)
  if (fromMs >= endsAtMs) return undefined
  const period = periodAt(subscription, fromMs)
  const open = { ...period, toMs: Math.min(period.toMs, endsAtMs) }
  return open.fromMs < open.toMs ? open : undefined
}

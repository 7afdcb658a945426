import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { type Draft, draftInvoice, type MeasuredPeriod } from '../domain/invoice/draft-invoice.ts'
import { counts } from '../domain/invoice/life-cycle.ts'
import type { StoredInvoice } from '../domain/invoice/stored-invoice.ts'
import type { Subscription } from '../domain/subscription.ts'
import { type BillingPeriod, periodAt } from '../domain/subscription-phases.ts'
import type { InvoiceBook } from '../ports/invoices.ts'
import type { BillingDeps, Reading } from '../ports.ts'
import { type MeasureDeps, type Measurement, measurePeriod } from './measure-period.ts'

/** Everything that an invoice is calculated from but for what is decided on in its commit. */
export type Gathered = Measurement & {
  readonly closed: ReadonlyMap<string, MeasuredPeriod>
  /** Of the subscription that it was measured under. */
  readonly subscriptionRev: number
  /** When reading began: usage that was received later may not be in it. */
  readonly ingestedBeforeMs: number
}

type Request = {
  readonly ctx: TenantContext
  readonly subscription: Subscription
  readonly period: BillingPeriod
  readonly invoices: readonly StoredInvoice[]
  readonly nowMs: number
  readonly reading: Reading
}

const DAY_MS = 24 * 3_600_000
const USUAL_HORIZON_DAYS = 62

/** Measures a period, and anew those closed ones before it that late usage may still change. */
export async function gatherPeriod(deps: MeasureDeps, request: Request): Promise<Result<Gathered>> {
  const { subscription, period, invoices, nowMs } = request
  const measured = await measurePeriod(deps, request)
  if (!measured.ok) return measured
  const { late } = measured.value.plan ?? {}
  const horizonMs = (late?.horizonDays ?? USUAL_HORIZON_DAYS) * DAY_MS
  const closed = new Map<string, MeasuredPeriod>()
  for (const invoice of invoices) {
    const isNear = invoice.period.toMs > period.toMs - horizonMs && invoice.period.toMs <= period.fromMs
    if (!isNear || !counts(invoice)) continue
    const again = await measurePeriod(deps, {
      ...request,
      period: periodAt(subscription, invoice.period.fromMs),
    })
    if (!again.ok) return again
    if ((again.value.plan?.late.policy ?? 'correct') !== 'correct') continue
    if (again.value.measured.period.fromMs !== invoice.period.fromMs) continue
    closed.set(invoice.invoiceId, again.value.measured)
  }
  return ok({
    ...measured.value,
    closed,
    subscriptionRev: subscription.rev,
    ingestedBeforeMs: nowMs,
  })
}

/** The draft of what was gathered, on the invoices and grants as they stand. */
export function draftOf(
  deps: Pick<BillingDeps, 'taxRates'>,
  ctx: TenantContext,
  gathered: Gathered,
  book: Pick<InvoiceBook, 'invoices' | 'grants'>,
  revision: number,
): Result<Draft> {
  return draftInvoice({
    tenantId: ctx.tenantId,
    revision,
    measured: gathered.measured,
    closed: gathered.closed,
    invoices: book.invoices,
    grants: book.grants,
    taxRates: deps.taxRates,
  })
}

/** The revision that a period's next invoice would have: one more than the last that was finalized. */
export function nextRevision(invoices: readonly StoredInvoice[], fromMs: number): number {
  const own = invoices.filter(({ period, status }) => period.fromMs === fromMs && status !== 'draft')
  return own.reduce((most, { revision }) => Math.max(most, revision), 0) + 1
}

import type { WorkRequested } from '#shared/contracts/events/work-requested.ts'
import { Contention } from '#shared/firestore/tenant-store.ts'
import type { ReceivedEvent } from '#shared/pubsub/types.ts'
import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import { invoiceFact } from '../domain/invoice/invoice-fact.ts'
import { draftStored, graceEndsMs } from '../domain/invoice/settle.ts'
import type { StoredInvoice } from '../domain/invoice/stored-invoice.ts'
import { firstUnbilled } from '../domain/invoice/unbilled.ts'
import type { Subscription } from '../domain/subscription.ts'
import type { BillingPeriod } from '../domain/subscription-phases.ts'
import type { BillingDeps, Reading } from '../ports.ts'
import { draftOf, gatherPeriod } from './draft-period.ts'
import { finalizeInvoice, StaleBook } from './finalize-invoice.ts'
import { keepAccrual } from './keep-accrual.ts'
import type { MeasureDeps } from './measure-period.ts'
import { type SettleDeps, settleCrossHourConflicts } from './settle-conflicts.ts'

type Deps = MeasureDeps & Pick<BillingDeps, 'invoices' | 'reads' | 'taxRates' | 'revenue'> & SettleDeps
type Closing = {
  readonly ctx: TenantContext
  readonly nowMs: number
  readonly trace: Trace
  readonly reading: Reading
}

/** Periods that one unit closes: the next run goes on with the rest. */
const MOST_PERIODS = 24

/**
 * Closes what is due of a tenant: periods that are over, in order. Within its grace an invoice is a draft
 * that is computed anew; after it, it is finalized, once all usage of the period is rolled up. Again, and
 * at the same time as itself, it changes nothing that is done.
 */
export async function closePeriods(
  deps: Deps,
  received: ReceivedEvent<WorkRequested>,
): Promise<Result<unknown>> {
  const { ctx, nowMs, trace, signal } = received
  const closing = { ctx, nowMs, trace, reading: deps.reads.background(signal) }
  const done = { finalized: 0, drafts: 0 }
  for (let at = 0; at < MOST_PERIODS; at += 1) {
    signal.throwIfAborted()
    const outcome = await closeNext(deps, closing)
    if (!outcome.ok) return outcome
    if (outcome.value === 'finalized') done.finalized += 1
    if (outcome.value === 'draft') done.drafts += 1
    if (outcome.value !== 'finalized') break
  }
  const overdue = await markOverdue(deps, closing)
  const accrued = await keepAccrual(deps, closing)
  if (!accrued.ok) return accrued
  return overdue.ok ? ok({ ...done, overdue: overdue.value }) : overdue
}

type Outcome = 'finalized' | 'draft' | 'not-exact' | 'nothing'

async function closeNext(deps: Deps, closing: Closing): Promise<Result<Outcome>> {
  const { ctx, nowMs, reading } = closing
  const { subscription, invoices, grants } = await deps.invoices.read(ctx)
  const period = subscription === undefined ? undefined : duePeriod(subscription, invoices, nowMs)
  if (subscription === undefined || period === undefined) return ok('nothing')
  const gathered = await gatherPeriod(deps, { ctx, subscription, period, invoices, nowMs, reading })
  if (!gathered.ok) return gathered
  if (gathered.value.provisional) return ok('not-exact')
  if (nowMs >= graceEndsMs(period.toMs, gathered.value.plan)) {
    // One id with two times shows only in the whole period; what lost is out when it is gathered again.
    if ((await settleCrossHourConflicts(deps, ctx, period, closing)) > 0) return closeNext(deps, closing)
    const finalized = await settling(() => finalizeInvoice(deps, closing, gathered.value))
    return finalized.ok ? ok('finalized') : finalized
  }
  const drafted = draftOf(deps, ctx, gathered.value, { invoices, grants }, 1)
  if (!drafted.ok) return drafted
  const made = { period, ingestedBeforeMs: nowMs, nowMs }
  const draft = draftStored(drafted.value, { ...made, period: { fromMs: period.fromMs, toMs: period.toMs } })
  const known = invoices.find(({ invoiceId }) => invoiceId === draft.invoiceId)
  if (known?.head.digest !== draft.head.digest) await settling(() => keepDraft(deps, ctx, draft))
  return ok('draft')
}

/** Something else changed at the same time: the message comes again and finds it as it is then. */
async function settling<T>(settle: () => Promise<T>): Promise<T> {
  try {
    return await settle()
  } catch (error) {
    if (error instanceof StaleBook) throw new Contention('what was gathered has changed')
    throw error
  }
}

function keepDraft(deps: Deps, ctx: TenantContext, draft: StoredInvoice): Promise<Result<unknown>> {
  return deps.invoices.change(ctx, undefined, ({ invoices }) => {
    const known = invoices.find(({ invoiceId }) => invoiceId === draft.invoiceId)
    // Finalized by somebody else in the meantime.
    const isDraft = known === undefined || known.status === 'draft'
    return ok({ value: undefined, invoices: isDraft ? [{ invoice: draft }] : [] })
  })
}

/** The first period that is over and has no invoice yet. */
function duePeriod(
  subscription: Subscription,
  invoices: readonly StoredInvoice[],
  nowMs: number,
): BillingPeriod | undefined {
  const period = firstUnbilled(subscription, invoices)
  return period !== undefined && period.toMs <= nowMs ? period : undefined
}

/** What was not paid in time is past due. */
async function markOverdue(deps: Deps, closing: Closing): Promise<Result<number>> {
  const { ctx, nowMs, trace } = closing
  const isLate = ({ status, dueAtMs }: StoredInvoice): boolean =>
    status === 'open' && dueAtMs !== undefined && dueAtMs <= nowMs
  const { invoices } = await deps.invoices.read(ctx)
  if (!invoices.some(isLate)) return ok(0)
  const marked = await deps.invoices.change(ctx, undefined, (book) => {
    const late = book.invoices.filter(isLate).map((invoice) => ({ ...invoice, status: 'past_due' as const }))
    return ok({
      value: late.length,
      invoices: late.map((invoice) => ({ invoice })),
      facts: late.map((invoice) =>
        invoiceFact('past-due', invoice, { tenantId: ctx.tenantId, nowMs, trace }),
      ),
    })
  })
  return marked.ok ? ok(marked.value.value) : marked
}

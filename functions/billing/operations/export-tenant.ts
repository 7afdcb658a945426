import type { ExportRequested } from '#shared/contracts/events/export-requested.ts'
import type { ReceivedEvent } from '#shared/pubsub/types.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { auditSource, documentsSource, type ExportSource, exportGroup } from '#shared/tenant-export.ts'
import { dayKey } from '../domain/calendar.ts'
import { DAY_MS } from '../domain/spans.ts'
import type { BillingDeps, Reading } from '../ports.ts'

export type ExportTenantDeps = Pick<
  BillingDeps,
  'invoices' | 'ledger' | 'objects' | 'ownDocuments' | 'reads' | 'subscriptions'
>

/** Usage may be reported so long after it happened, and so begin before the subscription. */
const LATE_DAYS = 62

/** What a tenant was told and charged, and what it rests on; counters and locks are no one's data. */
const COLLECTIONS = [
  'billing_subscriptions',
  'billing_creditNotes',
  'billing_grants',
  'billing_usageConflicts',
  'billing_corrections',
  'billing_usageJobs',
] as const

/** Writes billing's part of a tenant's export: every event of usage, every invoice with its lines, and the rest. */
export function exportTenant(
  deps: ExportTenantDeps,
  received: ReceivedEvent<ExportRequested>,
): Promise<Result<unknown>> {
  const { ownDocuments: tenants, objects } = deps
  const { ctx, signal } = received
  const invoices = documentsSource(tenants, ctx, 'billing_invoices', async (fields, invoiceId) => ({
    ...fields,
    lines: await deps.invoices.lines(ctx, invoiceId),
  }))
  const sources = [
    invoices,
    usageSource(deps, ctx, received.nowMs, deps.reads.background(signal)),
    ...COLLECTIONS.map((collection) => documentsSource(tenants, ctx, collection)),
    auditSource(tenants, ctx),
  ]
  return exportGroup({ group: 'billing', tenants, objects }, received, sources)
}

/** The events of the ledger, a UTC day at a time; a copy that another batch holds is there as often as it came. */
function usageSource(
  deps: Pick<ExportTenantDeps, 'ledger' | 'subscriptions'>,
  ctx: TenantContext,
  nowMs: number,
  reading: Reading,
): ExportSource {
  return {
    name: 'usage',
    page: async (after) => {
      const fromMs = after === undefined ? await firstDayMs(deps, ctx, nowMs) : Number(after)
      const day = dayKey(fromMs)
      const found = await deps.ledger.days(ctx, [day], reading)
      if (!found.ok) throw new Error(`the usage of ${day} cannot be read: ${found.code}`)
      const rows = (found.value.get(day) ?? []).flatMap(({ batchId, events, receivedAtMs }) =>
        events
          .filter(({ timeMs }) => dayKey(timeMs) === day)
          .map((event) => ({ ...event, batchId, receivedAtMs })),
      )
      const nextMs = fromMs + DAY_MS
      return { rows, next: nextMs > nowMs + DAY_MS ? undefined : String(nextMs) }
    },
  }
}

async function firstDayMs(
  deps: Pick<ExportTenantDeps, 'subscriptions'>,
  ctx: TenantContext,
  nowMs: number,
): Promise<number> {
  const startedAtMs = (await deps.subscriptions.find(ctx))?.startedAtMs ?? nowMs
  return Math.floor(startedAtMs / DAY_MS) * DAY_MS - LATE_DAYS * DAY_MS
}

import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import type { TenantId } from '#shared/ids.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Applied, Grant } from '../domain/grant.ts'
import type { CreditNote } from '../domain/invoice/credit-note.ts'
import type { InvoiceLine } from '../domain/invoice/line.ts'
import type { Accrual, RevenueRow } from '../domain/invoice/revenue.ts'
import type { StoredInvoice } from '../domain/invoice/stored-invoice.ts'
import type { TaxRate } from '../domain/invoice/terms.ts'
import type { MonthlyRevenue } from '../domain/monthly-revenue.ts'
import type { Subscription } from '../domain/subscription.ts'

/** What a decision on a tenant's invoices rests on. */
export type InvoiceBook = {
  readonly subscription: Subscription | undefined
  /** The newest ones, by period and revision, newest first. */
  readonly invoices: readonly StoredInvoice[]
  readonly grants: readonly Grant[]
}

/** What becomes true together. */
export type InvoiceChange<T> = {
  readonly value: T
  /** Invoices as they are from now on; the lines of one that stops being a draft come with it. */
  readonly invoices: readonly { readonly invoice: StoredInvoice; readonly lines?: readonly InvoiceLine[] }[]
  readonly burns?: { readonly invoiceId: string; readonly applied: readonly Applied[] } | undefined
  /** Invoices whose burnt credit comes back. */
  readonly unburn?: readonly string[]
  readonly creditNote?: CreditNote | undefined
  readonly facts?: readonly CloudEvent[]
  readonly revenue?: readonly RevenueRow[]
  readonly audit?: readonly { readonly action: string; readonly target: string }[]
}

export type InvoiceStore = {
  read(ctx: TenantContext): Promise<InvoiceBook>
  find(ctx: TenantContext, invoiceId: string): Promise<StoredInvoice | undefined>
  /** The lines of an invoice that is no draft, in their order. */
  lines(ctx: TenantContext, invoiceId: string): Promise<readonly InvoiceLine[]>
  /** Newest period first, after the sort key given. */
  list(ctx: TenantContext, after: string | undefined, limit: number): Promise<readonly StoredInvoice[]>
  /**
   * Decides on the invoices as they stand and commits all of it together, once per claim. Contention may
   * run `decide` again; it computes and does nothing else.
   */
  change<T>(
    ctx: TenantContext,
    claim: Claim | undefined,
    decide: (book: InvoiceBook) => Result<InvoiceChange<T>>,
  ): Promise<Result<{ readonly duplicate: boolean; readonly value: T }>>
}

export type TenantAccruals = {
  readonly tenantId: string
  readonly atMs: number
  readonly accruals: readonly Accrual[]
  /** What its subscription was worth in a month then; undefined where nothing recurred. */
  readonly mrr?: MonthlyRevenue | undefined
}

/** What all tenants were billed, by month, and what they will be. */
export type Revenue = {
  /** Rows of a month, after the one given. */
  rows(month: string, after: string | undefined, limit: number): Promise<readonly RevenueRow[]>
  /** What tenants have used and are not invoiced yet, and their MRR, by tenant, after the one given. */
  accruals(after: string | undefined, limit: number): Promise<readonly TenantAccruals[]>
  /** When that was last worked out for a tenant, in milliseconds. */
  accruedAtMs(tenantId: TenantId): Promise<number | undefined>
  /** Puts this in the place of what was kept for the tenant before. */
  keepAccruals(tenantId: TenantId, kept: Omit<TenantAccruals, 'tenantId'>): Promise<void>
}

export type InvoiceDeps = {
  readonly invoices: InvoiceStore
  readonly revenue: Revenue
  /** The operator's local tax rates. */
  readonly taxRates: readonly TaxRate[]
}

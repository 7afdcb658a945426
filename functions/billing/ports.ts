import type { WorkRequested } from '#shared/contracts/events/work-requested.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import type { TenantId } from '#shared/ids.ts'
import type { MessageOrigin } from '#shared/pubsub/quarantine.ts'
import type { RefusalCode } from '#shared/refusals.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import type { Counts, VersionOf } from './domain/tally.ts'
import type { TenantProjection } from './domain/tenant-projection.ts'
import type { UsageBatch } from './domain/usage-batch.ts'
import type { Producer, UsageEvent } from './domain/usage-event.ts'
import type { ContractDeps } from './ports/contracts.ts'
import type { ExportDeps } from './ports/exports.ts'
import type { InvoiceDeps } from './ports/invoices.ts'
import type { Subscriptions } from './ports/subscriptions.ts'
import type { CorrectionStore, Ledger, LiveCounters, Reads, RollupStore, UsageReader } from './ports/usage.ts'
import type { PeriodLocks, UsageJobs } from './ports/usage-jobs.ts'

export type { SubscriptionChange, Subscriptions } from './ports/subscriptions.ts'
export type * from './ports/usage.ts'

/** What billing knows of tenants. */
export type TenantDirectory = {
  /** The newest known fact, at most a minute old; undefined for a tenant nobody has spoken of. */
  find(ctx: TenantContext): Promise<TenantProjection | undefined>
  /** The same, read now. */
  findFresh(ctx: TenantContext): Promise<TenantProjection | undefined>
  /**
   * Keeps what is newer than what is known, and returns what is known then; a copy changes nothing.
   * Refuses a fact whose id was used for another.
   */
  apply(ctx: TenantContext, claim: Claim, fact: TenantProjection): Promise<Result<TenantProjection>>
}

/** Usage of tenants that are not active yet. */
export type WaitingUsage = {
  /** Keeps a batch until its tenant is active: all of it, to be judged then by the time it was received. */
  put(ctx: TenantContext, batch: UsageBatch, receivedAtMs: number, origin: MessageOrigin): Promise<void>
  /** Some of what waits for a tenant; `settle` each, then ask again, until there is none. */
  next(ctx: TenantContext): Promise<readonly WaitingBatch[]>
}

export type WaitingBatch = {
  readonly batchId: string
  readonly producer: Producer
  readonly receivedAtMs: number
  readonly origin: MessageOrigin
  readonly events: readonly UsageEvent[]
  settle(): Promise<void>
}

/** Where events go that can never be applied. */
export type UsageQuarantine = {
  put(entry: {
    readonly tenantId: string
    readonly code: RefusalCode
    readonly detail: string
    readonly origin: MessageOrigin
    /** The payload only tells that something came; nothing can be sent again. */
    readonly evidenceOnly?: boolean
    readonly producer: Producer
    readonly payload: unknown
    readonly atMs: number
  }): Promise<void>
}

/** Takes validated usage on its way to the ledger. */
export type UsageQueue = {
  /** Resolves once one message with all the events, marked as a tenant's, is durable. */
  publish(tenantId: string, events: readonly UsageEvent[], trace: Trace): Promise<void>
}

/**
 * What collecting money takes. Nothing implements it while `STRIPE_MODE` is off: an invoice is then
 * computed and shown, never sent.
 */
export type Collector = {
  /** Hands over a finalized invoice; the same invoice and revision again has no further effect. */
  collect(
    ctx: TenantContext,
    invoice: { readonly invoiceId: string; readonly revision: number },
  ): Promise<Result<unknown>>
}

/** Asks for units of billing's own work. */
export type WorkQueue = {
  /** Resolves once the unit is durable. `id` names the request: the same one again is the same event. */
  request(unit: WorkRequested, request: { id: string; nowMs: number; trace: Trace }): Promise<void>
}

/** The tenants that billing's jobs look at: all that a fact has ever been heard of. */
export type TenantList = {
  /** Some tenants in order of their ids, after the one given. */
  page(after: TenantId | undefined, limit: number): Promise<readonly TenantId[]>
  /** After which tenant a job goes on; undefined to begin again. */
  place(job: string): Promise<TenantId | undefined>
  keepPlace(job: string, after: TenantId | undefined): Promise<void>
}

export type BillingDeps = ContractDeps &
  InvoiceDeps &
  ExportDeps & {
    readonly corrections: CorrectionStore
    readonly rollups: RollupStore
    readonly live: LiveCounters
    readonly versionOf: VersionOf
    readonly counts: Counts
    readonly usage: UsageReader
    readonly work: WorkQueue
    readonly tenantList: TenantList
    readonly ledger: Ledger
    readonly reads: Reads
    readonly tenants: TenantDirectory
    readonly waiting: WaitingUsage
    readonly quarantine: UsageQuarantine
    readonly queue: UsageQueue
    readonly subscriptions: Subscriptions
    readonly usageJobs: UsageJobs
    readonly periodLocks: PeriodLocks
  }

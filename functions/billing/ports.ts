import type { MeterId } from '#shared/catalogue/meters.ts'
import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import type { WorkRequested } from '#shared/contracts/events/work-requested.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import type { TenantId } from '#shared/ids.ts'
import type { MessageOrigin } from '#shared/pubsub/quarantine.ts'
import type { RefusalCode } from '#shared/refusals.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import type { Period } from './domain/calendar.ts'
import type { Quantity } from './domain/quantities.ts'
import type { Steps } from './domain/steps.ts'
import type { OperationAnswer, Subscription } from './domain/subscription.ts'
import type { TenantProjection } from './domain/tenant-projection.ts'
import type { UsageBatch } from './domain/usage-batch.ts'
import type { CountedEvent, Producer, UsageEvent } from './domain/usage-event.ts'

/** Every usage event that counts, in immutable batches. */
export type Ledger = {
  /**
   * Stores a batch and adds it to the live counters in one commit that reads nothing. The same batch
   * again changes nothing.
   */
  append(ctx: TenantContext, batch: UsageBatch, receivedAtMs: number): Promise<'stored' | 'duplicate'>
  /** The keys of the events that a stored batch of this name holds: what was accepted when it was stored. */
  recorded(ctx: TenantContext, batch: UsageBatch): Promise<ReadonlySet<string>>
  /**
   * The events of all batches that touch the period's days, copies and neighbours included: the
   * caller folds them. Refuses with `usage.range_invalid` what is too much for one answer, and with
   * `rate.limited` what the reading does not admit.
   */
  read(ctx: TenantContext, period: Period, reading?: Reading): Promise<Result<readonly CountedEvent[]>>
}

/** One read under way, among others. */
export type Reading = {
  /** Whether the tenant may read so many events now; false when it has too many large reads already. */
  admit(events: number): boolean
  /** Does all steps, with pauses in which others get their turn. */
  work<T>(steps: Steps<T>): Promise<T>
  /** Throws `DeadlineExceeded` when nobody waits for the answer any more; for between two steps. */
  check(): void
}

/** Reads that must not starve those of others. */
export type Reads = {
  /**
   * Answers a question about a tenant. Asked again while it is being answered, the same question gets
   * that answer: it may be as old as the first one's asking. It goes on for as long as one of those who
   * asked has time left, by their `signal`.
   */
  share<T>(
    ctx: TenantContext,
    question: string,
    answer: (reading: Reading) => Promise<Result<T>>,
    signal?: AbortSignal,
  ): Promise<Result<T>>
}

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

export type SubscriptionChange = {
  readonly subscription?: Subscription
  readonly answer: OperationAnswer
  /** A fact to publish with the change. */
  readonly fact?: CloudEvent
  readonly audit?: string
}

export type Subscriptions = {
  find(ctx: TenantContext): Promise<Subscription | undefined>
  findAnswer(ctx: TenantContext, operationId: string): Promise<OperationAnswer | undefined>
  /**
   * Decides on the subscription as it stands and commits the change, the operation's answer, the
   * claim and the fact together. `decide` may run again; undefined means there is nothing to do.
   */
  change(
    ctx: TenantContext,
    claim: Claim,
    operationId: string,
    decide: (
      current: Subscription | undefined,
      answer: OperationAnswer | undefined,
    ) => SubscriptionChange | undefined,
  ): Promise<Result<unknown>>
  /** Publishes a fact again, byte for byte; rejects when it may not have left. */
  publishAgain(ctx: TenantContext, fact: string): Promise<void>
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

export type QuantityQuery = {
  readonly meters: readonly MeterId[]
  /** Half-open, by the millisecond. */
  readonly fromMs: number
  readonly toMs: number
  readonly nowMs: number
  readonly groupBy?: readonly string[]
  readonly filter?: Readonly<Record<string, readonly string[]>>
  /** Parts of the period to measure apart, in order and without gaps; the whole period unless given. */
  readonly windows?: readonly Period[]
}

export type Quantities = {
  /** By window, then meter, version and group. */
  readonly rows: readonly Quantity[]
  /** Until when all that was received is in, and nothing is on its way but late events. */
  readonly exactThroughMs: number
  readonly provisional: boolean
}

/** What tenants used: closed hours from roll-ups, all else from the ledger; exact to the millisecond. */
export type UsageReader = {
  /** Refuses as the ledger's reads do. */
  quantities(ctx: TenantContext, query: QuantityQuery, reading?: Reading): Promise<Result<Quantities>>
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

export type BillingDeps = {
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
}

import type { MeterId } from '#shared/catalogue/meters.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Period } from '../domain/calendar.ts'
import type { CorrectionBatch, ReceivedCorrection } from '../domain/correction.ts'
import type { Contradiction } from '../domain/find-conflicts.ts'
import type { Quantity } from '../domain/quantities.ts'
import type { Rational } from '../domain/rational.ts'
import type { Repeats } from '../domain/repeats.ts'
import type { Steps } from '../domain/steps.ts'
import type { Tally } from '../domain/tally.ts'
import type { UsageBatch } from '../domain/usage-batch.ts'
import type { CountedEvent } from '../domain/usage-event.ts'

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
  /** The batches that touch each of the UTC hours, `yyyymmddHH`; refuses as `read` does. */
  hours(
    ctx: TenantContext,
    hours: readonly string[],
    reading?: Reading,
  ): Promise<Result<ReadonlyMap<string, readonly LedgerBatch[]>>>
  /** The same for UTC days, `yyyymmdd`. */
  days(
    ctx: TenantContext,
    days: readonly string[],
    reading?: Reading,
  ): Promise<Result<ReadonlyMap<string, readonly LedgerBatch[]>>>
}

/** A batch as it was stored. */
export type LedgerBatch = {
  /** Of its document: the same batch id from a tenant and from a collector are two. */
  readonly name: string
  readonly batchId: string
  readonly receivedAtMs: number
  readonly events: readonly CountedEvent[]
}

/** One read under way, among others. */
export type Reading = {
  /** So many events at most are read. */
  readonly mostEvents: number
  /** Whether the tenant may read so many events now; false when it has too many large reads already. */
  admit(events: number): boolean
  /** Does all steps, with pauses in which others get their turn. */
  work<T>(steps: Steps<T>): Promise<T>
  /** Throws `DeadlineExceeded` when nobody waits for the answer any more; for between two steps. */
  check(): void
}

/** Reads that must not starve those of others. */
export type Reads = {
  /** A reading of billing's own work: it takes turns with the others, and ends with its message's deadline. */
  background(signal: AbortSignal): Reading
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

/** A batch of corrections whose events are still looked for, so that their hours are folded again. */
export type Search = {
  readonly name: string
  readonly targets: ReadonlySet<string>
  readonly left: ReadonlySet<string>
  /** Days not before this one, `yyyymmdd`, have been looked through. */
  readonly from: string | undefined
}

/** Voids and replacements: events of the ledger that are about other events. */
export type CorrectionStore = {
  /** Stores a batch, once; what it is about is looked for from then on. */
  append(ctx: TenantContext, batch: CorrectionBatch, receivedAtMs: number): Promise<'stored' | 'duplicate'>
  /** All that there are. */
  all(ctx: TenantContext): Promise<readonly ReceivedCorrection[]>
  searches(ctx: TenantContext): Promise<readonly Search[]>
  /** Keeps how far a search came; without `from` it is over. */
  keepSearch(ctx: TenantContext, search: Search, from: string | undefined): Promise<void>
  /** Marks hours as changed by a batch that holds nothing; the same `name` again changes nothing. */
  touch(ctx: TenantContext, name: string, hours: readonly string[], nowMs: number): Promise<void>
  /** Puts a copy of an event where an hour that it was moved to finds it. */
  copyTo(
    ctx: TenantContext,
    event: { readonly batch: string; readonly key: string },
    hour: string,
    nowMs: number,
  ): Promise<void>
}

/** What an hour was folded to. */
export type HourFold = {
  /** Batches that were read: the hour is exact while the live counters know no more. */
  readonly batchCount: number
  readonly tallies: readonly Tally[]
  readonly repeats: Repeats
  /** Merkle root over the sorted keys of all events that count. */
  readonly root: string
  readonly events: number
  readonly conflicts: readonly UsageConflict[]
  /** When the newest of the batches was received, in milliseconds. */
  readonly newestMs: number
  /** Beginnings of the keys of all that was ever said about the hour, or undefined: too many of them. */
  readonly keys: Uint8Array | undefined
}

/** When the newest batch in a roll-up was received, in milliseconds; older roll-ups do not say. */
type Newest = { readonly newestMs?: number | undefined }

export type HourRollup = Omit<HourFold, 'conflicts' | 'tallies' | 'newestMs' | 'keys'> &
  Newest & {
    readonly hour: string
    /** Grows with every change of content. */
    readonly rev: number
    /** Undefined where they are too many for a document: such an hour is folded from the ledger. */
    readonly tallies: readonly Tally[] | undefined
  }

export type DayRollup = {
  readonly day: string
  readonly rev: number
  /** By hour `HH`, the batches and the revision of the roll-up that went in. */
  readonly hours: Readonly<Record<string, Newest & { readonly batchCount: number; readonly rev: number }>>
  readonly tallies: readonly Tally[] | undefined
  readonly repeats: Repeats
}

/** Events that share an id and say different things. */
export type UsageConflict = Contradiction

/** Which event keys an hour cannot hold, and of how many batches that was said. */
export type KeyedHour = Pick<HourFold, 'batchCount'> & { readonly keys?: Uint8Array | undefined }

export type RollupStore = {
  /**
   * Folds an hour and stores what comes out, with its conflicts, unless it is what is stored. Whoever
   * folded it at the same time and was later folds again. Returns whether anything changed.
   */
  foldHour(ctx: TenantContext, hour: string, fold: () => Promise<HourFold>): Promise<boolean>
  /** Folds the hours of a day that are rolled up into one document; true when it changed. */
  foldDay(ctx: TenantContext, day: string): Promise<boolean>
  hours(ctx: TenantContext, day: string): Promise<ReadonlyMap<string, HourRollup>>
  /** The key indexes of the hours of a day, `yyyymmddHH`, and nothing else of them. */
  keys(ctx: TenantContext, day: string): Promise<ReadonlyMap<string, KeyedHour>>
  /** From the first to the last day, both included; those that there are. */
  days(ctx: TenantContext, first: string, last: string): Promise<ReadonlyMap<string, DayRollup>>
  conflicts(
    ctx: TenantContext,
    query: {
      readonly fromMs: number
      readonly toMs: number
      readonly limit: number
      readonly after?: ConflictPlace
    },
  ): Promise<readonly UsageConflict[]>
  /** Keeps conflicts that were found in another way than by folding an hour. */
  keepConflicts(ctx: TenantContext, conflicts: readonly UsageConflict[]): Promise<void>
}

/** Conflicts are listed by time, then key. */
export type ConflictPlace = { readonly timeMs: number; readonly key: string }

/** What the live counters hold of one hour: additive meters may count copies more than once. */
export type LiveHour = {
  readonly batches: number
  readonly meters: Readonly<Partial<Record<MeterId, LiveTotal>>>
}
export type LiveTotal = {
  readonly events: number
  readonly sum: bigint | undefined
  readonly max: bigint | undefined
  readonly inexact: boolean
}

export type LiveCounters = {
  /** By hour `yyyymmddHH`, from the first to the last day, both included; hours in which something came. */
  hours(ctx: TenantContext, first: string, last: string): Promise<ReadonlyMap<string, LiveHour>>
  /** Some days that something was added to since they were last cleared, ascending. */
  dirtyDays(ctx: TenantContext): Promise<readonly string[]>
  /** Marks a day as done, if its hours hold just what `batches` says. */
  clear(ctx: TenantContext, day: string, batches: ReadonlyMap<string, number>): Promise<void>
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
  /** What came again or contradicted others in the period, by meter. */
  readonly repeats: Repeats
  /** Until when all that was received is in, and nothing is on its way but late events. */
  readonly exactThroughMs: number
  readonly provisional: boolean
}

export type Estimate = {
  readonly values: Readonly<
    Partial<Record<MeterId, { readonly value: Rational | undefined; readonly events: number }>>
  >
  readonly exactThroughMs: number
  readonly provisional: boolean
}

/** What tenants used: closed hours from roll-ups, all else from the ledger; exact to the millisecond. */
export type UsageReader = {
  /** Refuses as the ledger's reads do. */
  quantities(ctx: TenantContext, query: QuantityQuery, reading?: Reading): Promise<Result<Quantities>>
  /** Until when all that was received in the period is rolled up, and nothing more is on its way. */
  exactThrough(ctx: TenantContext, period: Period, nowMs: number): Promise<number>
  /**
   * Whole hours of additive meters in a few small reads: closed hours are exact, later ones come from the
   * live counters, where a copy that came in another batch counts again until the hour is rolled up. Other
   * meters have only what is rolled up.
   */
  estimate(
    ctx: TenantContext,
    query: {
      readonly meters: readonly MeterId[]
      readonly fromMs: number
      readonly toMs: number
      readonly nowMs: number
    },
  ): Promise<Estimate>
}

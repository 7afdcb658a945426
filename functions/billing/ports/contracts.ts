import type { MeterId } from '#shared/catalogue/meters.ts'
import type { Tier } from '#shared/catalogue/tiers.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import type { Tombstones } from '#shared/firestore/tombstones.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Grant } from '../domain/grant.ts'
import type { MeterVersion } from '../domain/meter.ts'
import type { PlanVersion } from '../domain/plan.ts'
import type { Counts } from '../domain/tally.ts'
import type { ErasureStore } from './erasure.ts'
import type { DueWork, WorkflowSlots } from './slots.ts'

/** A plan with all that may be bought of it. */
export type PlanEntry = {
  readonly planId: string
  readonly tier: Tier
  /** The number of its newest version. */
  readonly latest: number
  /** Since when no subscription may begin on it any more; null while it is sold. */
  readonly retiredAtMs: number | null
}

/** What was kept of a version: made now, or there already, with these very contents. */
export type Kept<T> = { readonly outcome: 'created' | 'existed'; readonly value: T }

/** The plans there are, in immutable versions. The shipped examples are put there where they are missing. */
export type PlanBook = {
  /** A version that a subscription or an invoice names; undefined where there never was one. */
  find(planId: string, version: number): Promise<PlanVersion | undefined>
  /** What holds of a plan at an instant: the newest version that is valid then. */
  at(planId: string, atMs: number): Promise<PlanVersion | undefined>
  /** What a subscription of a tier begins on at an instant. */
  forTier(tier: Tier, atMs: number): Promise<PlanVersion | undefined>
  findEntry(planId: string): Promise<PlanEntry | undefined>
  /** Plans in order of their ids, after the one given. */
  list(after: string | undefined, limit: number): Promise<readonly PlanEntry[]>
  versions(planId: string): Promise<readonly PlanVersion[]>
  /**
   * Adds a version. Refuses one that is not the next, or whose number has other contents; the same
   * contents again are the version that exists.
   */
  add(plan: PlanVersion, nowMs: number): Promise<Result<Kept<PlanVersion>>>
  /** Takes a plan out of sale; subscriptions on it go on. */
  retire(planId: string, nowMs: number): Promise<Result<PlanEntry>>
}

/** The definitions of meters, in immutable versions; the first of each is shipped. */
export type MeterBook = {
  /** What measures events of an instant. */
  at(meterId: MeterId, atMs: number): Promise<MeterVersion>
  find(meterId: string, version: number): Promise<MeterVersion | undefined>
  versions(meterId: string): Promise<readonly MeterVersion[]>
  add(meter: MeterVersion, nowMs: number): Promise<Result<Kept<MeterVersion>>>
  /**
   * Which version holds when, as known here: complete for all instants until a minute from now, because
   * a version is made ten minutes before it is valid.
   */
  versionOf(meterId: MeterId, atMs: number): number
  /** Whether a version's filters let a group count, as known here; all of a version that is not known. */
  counts: Counts
  /** Brings what is known here up to date, if it is older than a minute. */
  refresh(): Promise<void>
}

/** Grants of a tenant, and the number that grows with each change of any of them. */
export type GrantBook = { readonly grants: readonly Grant[]; readonly rev: number }

export type Grants = {
  /** All there ever were, in order of their ids. */
  read(ctx: TenantContext): Promise<GrantBook>
  find(ctx: TenantContext, grantId: string): Promise<Grant | undefined>
  add(
    ctx: TenantContext,
    claim: Claim | undefined,
    grant: Grant,
  ): Promise<Result<{ readonly grant: Grant; readonly replayed: boolean }>>
  void(ctx: TenantContext, claim: Claim | undefined, grantId: string, nowMs: number): Promise<Result<Grant>>
}

export type ContractDeps = {
  readonly plans: PlanBook
  readonly meters: MeterBook
  readonly grants: Grants
  readonly slots: WorkflowSlots
  readonly due: DueWork
  readonly erasure: ErasureStore
  /** Everything of billing's own, as it is stored: for exports. */
  readonly ownDocuments: TenantFirestore
  /** Which tenants were purged, for ever. */
  readonly tombstones: Tombstones
}

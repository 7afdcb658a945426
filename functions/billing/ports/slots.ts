import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import type { TenantId } from '#shared/ids.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Freeze, SlotChange, Slots, SlotVerdict, WantedFreeze } from '../domain/slots.ts'
import type { TenantProjection } from '../domain/tenant-projection.ts'

/** What a decision about slots rests on; `atMs` is the store's time, the same for all instances. */
export type SlotState = {
  readonly slots: Slots
  readonly tenant: TenantProjection
  readonly atMs: number
}

/** The fact that an operation is told when nothing runs any more, or what does has had its time. */
export type DrainedFact = (freeze: Freeze, verdict: SlotVerdict) => CloudEvent

/** The slots of running workflows: one document for each tenant. */
export type WorkflowSlots = {
  /** The leases as they are; undefined for a tenant nobody has spoken of. */
  find(ctx: TenantContext): Promise<SlotState | undefined>
  /**
   * Decides and writes; where that leaves a frozen tenant without a lease, the fact leaves with it. Nobody
   * gets more slots than the decision saw free, on however many instances.
   */
  change(
    ctx: TenantContext,
    decide: (state: SlotState) => Result<SlotChange>,
    drained: DrainedFact,
  ): Promise<Result<SlotChange['answer']>>
  /** Freezes for an operation, and tells it at once if nothing runs. Returns its fact if that was told before. */
  freeze(
    ctx: TenantContext,
    claim: Claim,
    freeze: WantedFreeze,
    drained: DrainedFact,
  ): Promise<Result<'drained' | 'waiting' | 'over' | { readonly toldBefore: string }>>
  /** Ends the freeze of an operation, or whichever was asked for before a fact of the tenant. */
  thaw(ctx: TenantContext, by: ThawedBy): Promise<void>
  /** Tells a frozen tenant's operation if the last lease or its time has ended; true when nobody waits any more. */
  drain(ctx: TenantContext, drained: DrainedFact): Promise<boolean>
}

export type ThawedBy = { readonly operationId: string } | { readonly sequence: string }

export const DUE_KINDS = ['drain', 'erase'] as const
export type DueKind = (typeof DUE_KINDS)[number]

/** Work on a tenant that goes on until it says that it is done: the sweep asks for it again each minute. */
export type DueWork = {
  mark(tenantId: TenantId, kind: DueKind, key: string, nowMs: number): Promise<void>
  list(limit: number): Promise<readonly Due[]>
  find(tenantId: TenantId, kind: DueKind): Promise<Due | undefined>
  /** Takes it off the list, unless it was marked again since it was read. */
  settle(due: Due): Promise<void>
}

export type Due = {
  readonly tenantId: TenantId
  readonly kind: DueKind
  readonly key: string
  readonly markedAtMs: number
  /** The version that was read. */
  readonly mark: unknown
}

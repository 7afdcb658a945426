import type { Revocation } from '#shared/contracts/revocation.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import type { AuditEntry } from '#shared/firestore/tenant-store.ts'
import type { TenantId } from '#shared/ids.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'

/** Who waits for news of revocations in this instance: a bounded number, all woken by one reading of the feed. */
export type WaitingRoom = {
  /** A place until `leave` is aborted, or undefined when there is none left for this tenant or at all. */
  enter(tenantId: TenantId, leave: AbortSignal): WaitingPlace | undefined
}

export type WaitingPlace = {
  /** Resolves after the feed was read once more, or when it is time to leave. Never fails. */
  nextTick(): Promise<void>
  leave(): void
}

/** How long it takes from one reading of the feed to the next while somebody waits, in milliseconds of real time. */
export const WAITING_TICK_MS = 800

/** What was revoked because somebody asked for it by event. */
export type RevocationLedger = {
  /** Whether the request was carried out before. */
  wasDone(ctx: TenantContext, claim: Claim): Promise<boolean>
  /** Writes the revocation down under its claim; tells whether it was the first time. */
  record(
    ctx: TenantContext,
    claim: Claim,
    done: { readonly audit: readonly AuditEntry[]; readonly revocations: readonly Revocation[] },
  ): Promise<Result<boolean>>
}

import type { TenantId } from '#shared/ids.ts'

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

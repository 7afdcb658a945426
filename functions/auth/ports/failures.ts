import type { TenantId } from '#shared/ids.ts'
import type { ClientId } from '../domain/client-id.ts'
import type { FailedLogin } from '../domain/failed-logins.ts'
import type { Failures } from '../domain/lockout.ts'

/** Whose proof it was said to be, and where it came from. */
export type Attempt = { readonly clientId: ClientId; readonly address: string }

/** Wrong proofs on this instance: counted by client and address together, never by one of them alone. */
export type FailureWatch = {
  /** Until when wrong proofs of this client from this address are turned away unseen; 0 when they are not. */
  lockedUntilMs(attempt: Attempt, nowMs: number): number
  /**
   * Counts one more; `tenantId` of a client that is there, undefined of one that is not. Answers the lock
   * that it came to, to be told.
   */
  failed(
    attempt: Attempt & { readonly tenantId: TenantId | undefined },
    nowMs: number,
  ): TellableLockout | undefined
  proven(attempt: Attempt): void
}

/** A lock as it is told: of a client that is there. */
export type TellableLockout = {
  readonly tenantId: TenantId
  readonly clientId: ClientId
  /** See `placeOf`. */
  readonly place: string
  readonly failures: Failures
  readonly nowMs: number
}

/** Failed attempts, told once a minute. */
export type FailedLoginCount = {
  count(failed: FailedLogin, nowMs: number): void
  /** Tells of minutes that are over; answers how many facts left. */
  flush(nowMs: number): Promise<number>
}

import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import type { Revocation } from '#shared/contracts/revocation.ts'
import type { AuditEntry } from '#shared/firestore/tenant-store.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { IssuedCode } from '../domain/authorization-code.ts'
import type { Once } from '../domain/once.ts'
import type { Session } from '../domain/session.ts'
import type { SessionId } from '../domain/session-id.ts'
import type { User } from '../domain/user.ts'

/** Everything that becomes true together with a change of sessions. */
export type SessionCommit<T> = {
  readonly value: T
  /** New sessions, and known ones as they stand now. */
  readonly sessions?: readonly Session[]
  /** A code as it stands once it was used. */
  readonly code?: IssuedCode
  /** The second up to which the user's tokens are dead. */
  readonly userNotBefore?: number
  readonly events?: readonly CloudEvent[]
  readonly audit?: readonly AuditEntry[]
  readonly revocations?: readonly Revocation[]
}

/** What a refresh is decided by. */
export type FoundSession = { readonly session: Session; readonly user: User | undefined }

/** What the use of a code is decided by. */
export type FoundCode = {
  readonly code: IssuedCode
  /** The session that was made from it, if it was used. */
  readonly made: Session | undefined
  readonly user: User | undefined
  /** The user's sessions that have not ended; some may have expired. */
  readonly active: readonly Session[]
}

/** How many sessions one commit ends. */
export const MOST_ENDED_AT_ONCE = 100

/** Which sessions are meant. */
export type SessionSelection =
  | { readonly sessionId: SessionId; readonly userId?: string | undefined }
  | { readonly userId: string }
  /** Of a session at an identity provider. */
  | { readonly connectionId: string; readonly idpSid: string }
  /** Of everybody who came through a connection. */
  | { readonly connectionId: string }

/** A session with the watermarks that it is judged by: of its tenant, user and client, in seconds. */
export type ListedSession = { readonly session: Session; readonly watermarks: readonly number[] }

/**
 * A tenant's sessions and codes. Each method makes at most one conditional commit; contention runs
 * `decide` again, so it computes, reads, and does nothing else. All throw when the store is down.
 */
export type SessionStore = {
  /**
   * Decides about one session; a refusal when there is none. An assertion that comes along counts with
   * the commit, whatever is decided; shown before, it is refused and nothing changes.
   */
  change<T>(
    ctx: TenantContext,
    sessionId: SessionId,
    decide: (found: FoundSession | undefined) => Promise<Result<SessionCommit<T>>>,
    assertion?: Once,
  ): Promise<Result<T>>
  /**
   * Decides about one code. Of several that redeem it at once one commits, and the others see it used;
   * of several sign-ins of one user at once each sees the sessions that the others made. An assertion
   * counts as with `change`.
   */
  redeem<T>(
    ctx: TenantContext,
    codeHash: string,
    decide: (found: FoundCode | undefined) => Promise<Result<SessionCommit<T>>>,
    assertion?: Once,
  ): Promise<Result<T>>
  /** Decides about the sessions selected that have not ended, `MOST_ENDED_AT_ONCE` at most, and their user if one was named. */
  end<T>(
    ctx: TenantContext,
    selection: SessionSelection,
    decide: (sessions: readonly Session[], user: User | undefined) => Result<SessionCommit<T>>,
  ): Promise<Result<T>>
  /** Ends every session of the tenant by its watermark; `decide` gets it, and none when there is no tenant. */
  endAll<T>(
    ctx: TenantContext,
    decide: (
      tenantNotBefore: number | undefined,
    ) => Result<SessionCommit<T> & { readonly notBefore: number }>,
  ): Promise<Result<T>>
  find(ctx: TenantContext, sessionId: SessionId): Promise<ListedSession | undefined>
  /** Sessions that have not ended, in the order they began; some may have expired. None of a tenant that is not there. */
  list(
    ctx: TenantContext,
    filter: { readonly userId?: string | undefined },
    page: { readonly limit: number; readonly after: string | undefined },
  ): Promise<readonly ListedSession[] | undefined>
}

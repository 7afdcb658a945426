import type { LogFields, Logger } from '#shared/log.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import type { AuthMethod, Client } from '../domain/client.ts'
import type { Once } from '../domain/once.ts'
import type { TokenRequest } from '../domain/token-request.ts'
import type { KnownState } from '../ports.ts'

/** A client that has proven to be one, in a tenant that gets tokens. */
export type ProvenClient = {
  readonly client: Client
  readonly state: KnownState
  /** Opens the client's own tenant. */
  readonly ctx: TenantContext
  /** When client and state were read, if before this request: no token says to be younger than that. */
  readonly asOfMs?: number
  /**
   * The watermark of client and tenant that the feed had before they were read: what has happened up to
   * it is in what was read, and what happened later ends the tokens made from that.
   */
  readonly revokedUntil?: number
  /** How it proved itself in this request. */
  readonly method: AuthMethod
}

/**
 * The assertion that a client proved itself with, and whether it is in the store by now. A grant that
 * commits writes it down in its own commit, so that a request makes no two; else that is done after it.
 */
export type HeldAssertion = {
  /** Commits with the assertion; from then on it counts as used, whatever the commit came to. */
  spend<T>(commit: (assertion: Once) => Promise<T>): Promise<T>
  isSpent(): boolean
}

export function holdAssertion(once: Once): HeldAssertion {
  let spent = false
  return {
    spend: async (commit) => {
      const outcome = await commit(once)
      spent = true
      return outcome
    },
    isSpent: () => spent,
  }
}

/** A commit of a grant, with the assertion in it if the client proved itself with one. */
export function spending<T>(
  held: HeldAssertion | undefined,
  commit: (assertion?: Once) => Promise<T>,
): Promise<T> {
  return held === undefined ? commit() : held.spend(commit)
}

/** What every grant is given: a proven client that may use the grant, and what it asks for. */
export type GrantRequest = Omit<TokenRequest, 'client'> & {
  readonly client: ProvenClient
  /** An assertion that is not written down yet. */
  readonly assertion?: HeldAssertion | undefined
  /** Thumbprint of the key of a DPoP proof that was checked; undefined without a proof. */
  readonly jkt: string | undefined
  readonly nowMs: number
  readonly trace: Trace
  readonly clientAddress: string
  readonly log: Logger
}

/** What a grant came to (RFC 6749 §5.1, RFC 8693 §2.2.1). */
export type TokenAnswer = {
  readonly accessToken: string
  readonly tokenType: 'Bearer' | 'DPoP'
  readonly expiresInSeconds: number
  readonly scope: string
  readonly refreshToken?: string
  readonly idToken?: string
  readonly issuedTokenType?: string
  /** For the request's log line; ids only. */
  readonly logged?: LogFields
}

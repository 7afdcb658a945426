import { z } from 'zod'

/** What a tenant asks of its own clients and sessions beyond the usual, in `auth_state/current.policy`. */
export type AuthPolicy = {
  /** Whether every token must be bound to a key (RFC 9449). */
  readonly requireDpop: boolean
  /** Whether clients that keep a secret must have a key of their own instead (RFC 7523). */
  readonly requirePrivateKeyJwt: boolean
  /** How long a session lasts without a refresh; null for what the tier says. */
  readonly refreshIdleDays: number | null
  /** How long it lasts at most; null for what the tier says. */
  readonly refreshAbsoluteDays: number | null
  /** Rises by one with each change; the ETag. */
  readonly revision: number
}

export const MOST_SESSION_DAYS = 90

const days = z.number().int().min(1).max(MOST_SESSION_DAYS).nullable()

/** What a caller sets; what is left out is as without a policy. */
export const POLICY_SETTINGS = {
  requireDpop: z.boolean().default(false),
  requirePrivateKeyJwt: z.boolean().default(false),
  refreshIdleDays: days.default(null),
  refreshAbsoluteDays: days.default(null),
}

export const STORED_POLICY = z.object({ ...POLICY_SETTINGS, revision: z.number().int() })

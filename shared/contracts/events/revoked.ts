import { z } from 'zod'
import { defineEvent } from '../define-event.ts'
import { REVOCATION_KINDS, type RevocationKind } from '../revocation.ts'

/**
 * Fact of auth: something of a tenant is good no longer. The same as its entry in the feed.
 *
 * `set` is the security event token (RFC 8417, `typ` `secevent+jwt`) that proves it, signed by a key of
 * our JWKS; it is absent only if no key could be had when the revocation was made, which waits for nothing.
 */
export type Revoked = {
  tenantId: string
  kind: RevocationKind
  id: string
  /** Tokens of it issued at or before this second are refused. */
  before: number
  reason?: string | undefined
  at: string
  set?: string | undefined
}

export const revoked = defineEvent<Revoked>(
  'ai.energent.auth.revoked.v1',
  z.object({
    tenantId: z.string(),
    kind: z.enum(REVOCATION_KINDS),
    id: z.string().min(1).max(256),
    before: z.int().min(0),
    reason: z
      .string()
      .regex(/^[a-z0-9_.-]{1,64}$/)
      .optional(),
    at: z.iso.datetime(),
    set: z
      .string()
      .max(8_192)
      .regex(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/)
      .optional(),
  }),
  {
    tenantId: 'acme',
    kind: 'session',
    id: 'ses_01JD8K2M5QV7N9X3C6R8W1Y4ZA',
    before: 1_795_424_400,
    at: '2026-11-23T09:00:00.000Z',
  },
)

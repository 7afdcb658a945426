import { z } from 'zod'
import { defineEvent } from '../define-event.ts'

export const REVOCATION_REQUEST_KINDS = ['tenant', 'user', 'session', 'client', 'key'] as const

/** Asks auth to revoke everything of one thing until now: every token, of a user and a session every sign-in, of a key the key. */
export type RevocationRequested = {
  tenantId: string
  kind: (typeof REVOCATION_REQUEST_KINDS)[number]
  /** Of a tenant its tenant id, of a key its key id. */
  id: string
  /** A word for the audit and for listeners; never anything personal. */
  reason: string
}

export const revocationRequested = defineEvent<RevocationRequested>(
  'ai.energent.auth.revocation-requested.v1',
  z.object({
    tenantId: z.string(),
    kind: z.enum(REVOCATION_REQUEST_KINDS),
    id: z
      .string()
      .min(1)
      .max(128)
      .regex(/^[A-Za-z0-9][A-Za-z0-9_:./-]*$/),
    reason: z.string().regex(/^[a-z0-9_.-]{1,64}$/),
  }),
  { tenantId: 'acme', kind: 'user', id: 'usr_01KAR6YVZG8X9Y0Z1A2B3C4D5E', reason: 'device_stolen' },
)

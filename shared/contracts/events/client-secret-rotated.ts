import { z } from 'zod'
import { defineEvent } from '../define-event.ts'

/** Fact of auth: a client has a new secret; the one before it ends after the overlap. */
export type ClientSecretRotated = {
  tenantId: string
  clientId: string
  /** Names the new secret and says nothing of it. */
  secretId: string
  overlapSeconds: number
  at: string
}

export const clientSecretRotated = defineEvent<ClientSecretRotated>(
  'ai.energent.auth.client-secret-rotated.v1',
  z.object({
    tenantId: z.string(),
    clientId: z.string().min(1).max(128),
    secretId: z.string().min(1).max(64),
    overlapSeconds: z.number().int().nonnegative(),
    at: z.iso.datetime(),
  }),
  {
    tenantId: 'acme',
    clientId: 'cid_acme_7Zk3PqW9xT4mB2nV',
    secretId: '01932f6d-6c1a-7c8e-9d4b-3f2a1b0c9d8e',
    overlapSeconds: 86_400,
    at: '2026-11-23T09:00:00.000Z',
  },
)

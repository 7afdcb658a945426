import { z } from 'zod'
import { defineEvent } from '../define-event.ts'

/** Fact of auth: an API key is good no longer. */
export type ApiKeyRevoked = {
  tenantId: string
  keyId: string
  at: string
}

export const apiKeyRevoked = defineEvent<ApiKeyRevoked>(
  'ai.energent.auth.api-key-revoked.v1',
  z.object({ tenantId: z.string(), keyId: z.string().min(1).max(64), at: z.iso.datetime() }),
  { tenantId: 'acme', keyId: 'Zk3PqW9xT4mB2nVa', at: '2026-11-23T09:00:00.000Z' },
)

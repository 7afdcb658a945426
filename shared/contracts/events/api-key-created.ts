import { z } from 'zod'
import { defineEvent } from '../define-event.ts'

/** Fact of auth: a tenant has a new API key. Of the key itself nothing is ever said. */
export type ApiKeyCreated = {
  tenantId: string
  keyId: string
  scopes: string[]
  expiresAt: string | null
  at: string
}

export const apiKeyCreated = defineEvent<ApiKeyCreated>(
  'ai.energent.auth.api-key-created.v1',
  z.object({
    tenantId: z.string(),
    keyId: z.string().min(1).max(64),
    scopes: z.array(z.string().min(1).max(64)).max(64),
    expiresAt: z.iso.datetime().nullable(),
    at: z.iso.datetime(),
  }),
  {
    tenantId: 'acme',
    keyId: 'Zk3PqW9xT4mB2nVa',
    scopes: ['usage:write'],
    expiresAt: '2027-11-23T09:00:00.000Z',
    at: '2026-11-23T09:00:00.000Z',
  },
)

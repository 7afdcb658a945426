import { z } from 'zod'
import { defineEvent } from '../define-event.ts'

/** Fact of auth: one access token is refused before its time (RFC 7009). */
export type TokenRevoked = {
  tenantId: string
  clientId: string
  tokenId: string
  at: string
}

export const tokenRevoked = defineEvent<TokenRevoked>(
  'ai.energent.auth.token-revoked.v1',
  z.object({
    tenantId: z.string(),
    clientId: z.string().min(1).max(128),
    tokenId: z.string().min(1).max(256),
    at: z.iso.datetime(),
  }),
  {
    tenantId: 'acme',
    clientId: 'cid_acme_7Zk3PqW9xT4mB2nV',
    tokenId: 'q83vEjRWeJCrze8SNFZ4kA',
    at: '2026-11-23T09:00:00.000Z',
  },
)

import { z } from 'zod'
import { defineEvent } from '../define-event.ts'

/**
 * Fact of auth: a session has ended before its time, and its tokens with it. `refresh_reuse` and
 * `code_reuse` say that somebody else had its token or code.
 */
export type SessionRevoked = {
  tenantId: string
  sessionId: string
  userId: string
  clientId: string
  reason: string
  at: string
}

export const sessionRevoked = defineEvent<SessionRevoked>(
  'ai.energent.auth.session-revoked.v1',
  z.object({
    tenantId: z.string(),
    sessionId: z.string().min(1).max(64),
    userId: z.string().min(1).max(64),
    clientId: z.string().min(1).max(128),
    reason: z.string().min(1).max(64),
    at: z.iso.datetime(),
  }),
  {
    tenantId: 'acme',
    sessionId: 'ses_01KAR6Z1B0V7D8E9F0G1H2J3K4',
    userId: 'usr_01KAR6YVZG8X9Y0Z1A2B3C4D5E',
    clientId: 'cid_acme_7Zk3PqW9xT4mB2nV',
    reason: 'refresh_reuse',
    at: '2026-11-23T09:00:00.000Z',
  },
)

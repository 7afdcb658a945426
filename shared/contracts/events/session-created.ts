import { z } from 'zod'
import { defineEvent } from '../define-event.ts'

/** Fact of auth: a person has signed in at a client. */
export type SessionCreated = {
  tenantId: string
  sessionId: string
  userId: string
  clientId: string
  connectionId: string
  at: string
}

export const sessionCreated = defineEvent<SessionCreated>(
  'ai.energent.auth.session-created.v1',
  z.object({
    tenantId: z.string(),
    sessionId: z.string().min(1).max(64),
    userId: z.string().min(1).max(64),
    clientId: z.string().min(1).max(128),
    connectionId: z.string().min(1).max(64),
    at: z.iso.datetime(),
  }),
  {
    tenantId: 'acme',
    sessionId: 'ses_01KAR6Z1B0V7D8E9F0G1H2J3K4',
    userId: 'usr_01KAR6YVZG8X9Y0Z1A2B3C4D5E',
    clientId: 'cid_acme_7Zk3PqW9xT4mB2nV',
    connectionId: 'con_corporate',
    at: '2026-11-23T09:00:00.000Z',
  },
)

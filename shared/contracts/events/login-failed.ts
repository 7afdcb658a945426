import { z } from 'zod'
import { defineEvent } from '../define-event.ts'

export const LOGIN_CREDENTIALS = ['client', 'connection', 'api_key'] as const

/** Fact of auth: attempts to prove oneself that failed within a minute, as one instance counted them. */
export type LoginFailed = {
  tenantId: string
  /** What was tried: a client, or a sign-in over a connection to an identity provider. */
  credential: (typeof LOGIN_CREDENTIALS)[number]
  id: string
  count: number
  /** How often for each reason, in words of ours. */
  reasons: Record<string, number>
  from: string
  to: string
}

export const loginFailed = defineEvent<LoginFailed>(
  'ai.energent.auth.login-failed.v1',
  z.object({
    tenantId: z.string(),
    credential: z.enum(LOGIN_CREDENTIALS),
    id: z.string().min(1).max(128),
    count: z.int().min(1),
    reasons: z.record(z.string().max(64), z.int().min(1)),
    from: z.iso.datetime(),
    to: z.iso.datetime(),
  }),
  {
    tenantId: 'acme',
    credential: 'client',
    id: 'cid_acme_7Zk3PqW9xT4mB2nV',
    count: 12,
    reasons: { 'wrong or expired secret': 12 },
    from: '2026-11-23T09:00:00.000Z',
    to: '2026-11-23T09:01:00.000Z',
  },
)

import { z } from 'zod'
import { defineEvent } from '../define-event.ts'

/** Fact of auth: a tenant's identity provider was connected, changed or taken away. */
export type ConnectionChanged = {
  tenantId: string
  connectionId: string
  change: 'created' | 'changed' | 'disabled' | 'deleted'
  at: string
}

export const connectionChanged = defineEvent<ConnectionChanged>(
  'ai.energent.auth.sso-connection-changed.v1',
  z.object({
    tenantId: z.string(),
    connectionId: z.string().min(1).max(64),
    change: z.enum(['created', 'changed', 'disabled', 'deleted']),
    at: z.iso.datetime(),
  }),
  { tenantId: 'acme', connectionId: 'con_main', change: 'created', at: '2026-11-23T09:00:00.000Z' },
)

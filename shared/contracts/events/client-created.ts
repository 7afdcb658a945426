import { z } from 'zod'
import { defineEvent } from '../define-event.ts'

/** Fact of auth: a tenant has a new client. Of its secret nothing is ever said. */
export type ClientCreated = {
  tenantId: string
  clientId: string
  scopes: string[]
  at: string
}

export const clientCreated = defineEvent<ClientCreated>(
  'ai.energent.auth.client-created.v1',
  z.object({
    tenantId: z.string(),
    clientId: z.string().min(1).max(128),
    scopes: z.array(z.string().min(1).max(64)).max(64),
    at: z.iso.datetime(),
  }),
  {
    tenantId: 'acme',
    clientId: 'cid_acme_7Zk3PqW9xT4mB2nV',
    scopes: ['usage:read', 'invoices:read'],
    at: '2026-11-23T09:00:00.000Z',
  },
)

import { z } from 'zod'
import { defineEvent } from '../define-event.ts'

/** Fact of auth: a client is gone, and whatever it was given is refused from now on. */
export type ClientDeleted = {
  tenantId: string
  clientId: string
  at: string
}

export const clientDeleted = defineEvent<ClientDeleted>(
  'ai.energent.auth.client-deleted.v1',
  z.object({ tenantId: z.string(), clientId: z.string().min(1).max(128), at: z.iso.datetime() }),
  { tenantId: 'acme', clientId: 'cid_acme_7Zk3PqW9xT4mB2nV', at: '2026-11-23T09:00:00.000Z' },
)

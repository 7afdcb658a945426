import { z } from 'zod'
import { defineEvent } from '../define-event.ts'

/** Fact of auth: so many wrong proofs came for one credential from one place that more are not looked at. */
export type Lockout = {
  tenantId: string
  credential: 'client'
  id: string
  /** A keyed hash of the address they came from: the same address, the same hash. */
  addressHash: string
  failures: number
  until: string
}

export const lockout = defineEvent<Lockout>(
  'ai.energent.auth.lockout.v1',
  z.object({
    tenantId: z.string(),
    credential: z.enum(['client']),
    id: z.string().min(1).max(128),
    addressHash: z.string().min(1).max(64),
    failures: z.int().min(1),
    until: z.iso.datetime(),
  }),
  {
    tenantId: 'acme',
    credential: 'client',
    id: 'cid_acme_7Zk3PqW9xT4mB2nV',
    addressHash: 'mJ2fX0b1nq0y6wUo',
    failures: 10,
    until: '2026-11-23T09:01:00.000Z',
  },
)

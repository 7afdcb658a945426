import { z } from 'zod'
import { defineEvent } from '../define-event.ts'

/**
 * Command to tenant-events: suspend the tenant. The event carries a `commandseq`: of two commands of one
 * source the higher one counts, whichever arrives first.
 */
export type SuspendRequested = {
  tenantId: string
  /** Soft: what runs may end, nothing begins. Hard: everything stops now. */
  mode: 'soft' | 'hard'
  reason: 'payment_failed' | 'abuse' | 'security' | 'admin'
}

export const suspendRequested = defineEvent<SuspendRequested>(
  'ai.energent.tenant.suspend-requested.v1',
  z.object({
    tenantId: z.string(),
    mode: z.enum(['soft', 'hard']),
    reason: z.enum(['payment_failed', 'abuse', 'security', 'admin']),
  }),
  { tenantId: 'acme', mode: 'soft', reason: 'payment_failed' },
)

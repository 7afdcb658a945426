import { z } from 'zod'
import { defineEvent } from '../define-event.ts'

/**
 * Command to tenant-events: what the same source suspended may work again. It carries a `commandseq`, as a
 * suspension does.
 */
export type ResumeRequested = {
  tenantId: string
  /** For operators: ids and words of ours, nothing personal. */
  reason?: string | undefined
}

export const resumeRequested = defineEvent<ResumeRequested>(
  'ai.energent.tenant.resume-requested.v1',
  z.object({ tenantId: z.string(), reason: z.string().min(1).max(200).optional() }),
  { tenantId: 'acme' },
)

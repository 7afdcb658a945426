import { z } from 'zod'
import { defineEvent } from '../define-event.ts'

export const WORK_KINDS = ['rollup', 'close', 'export', 'erase', 'backfill', 'drain'] as const
export type WorkKind = (typeof WORK_KINDS)[number]

/** billing's own: one unit of work on one tenant. Doing it again changes nothing. */
export type WorkRequested = {
  tenantId: string
  kind: WorkKind
  /** Which one, in the words of its kind: an hour, a period, an export's id. */
  key: string
  /** Where to go on, for a unit that stopped before its deadline. */
  cursor?: string | undefined
}

export const workRequested = defineEvent<WorkRequested>(
  'ai.energent.billing.work-requested.v1',
  z.object({
    tenantId: z.string(),
    kind: z.enum(WORK_KINDS),
    key: z.string().min(1).max(200),
    cursor: z.string().max(2_000).optional(),
  }),
  { tenantId: 'acme', kind: 'rollup', key: 'dirty' },
)

import { z } from 'zod'
import type { SystemFirestore } from '#shared/firestore/system.ts'
import { parseTenantId, type TenantId } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import { timerId } from '../domain/timers.ts'
import { TIMER_KINDS, type Timer } from '../domain/work.ts'
import type { TimerBook } from '../ports.ts'

const parseTimer = parser<Timer>(
  z.object({
    tenantId: z.custom<TenantId>((value) => parseTenantId(value).ok),
    operationId: z.string(),
    kind: z.enum(TIMER_KINDS),
    dueAtMs: z.number().int(),
  }),
)

/** The timers in Firestore. They are written with the commits that make them needed, and dropped here. */
export function firestoreTimerBook(system: SystemFirestore): TimerBook {
  return {
    due: async (nowMs, limit) => {
      const where = [['dueAtMs', '<=', nowMs]] as const
      const found = await system.list('timers', { where, orderBy: [['dueAtMs', 'asc']], limit }, parseTimer)
      return found.map(({ value }) => value)
    },
    drop: async (timer) => {
      const found = await system.find('timers', timerId(timer), parseTimer)
      if (found === undefined) return
      await system.commit([system.delete('timers', found)], timerId(timer))
    },
  }
}

import { errorFields, type Logger } from '#shared/log.ts'
import type { Trace } from '#shared/trace.ts'
import { continuation } from '../domain/continuation.ts'
import { judgeTimer } from '../domain/due.ts'
import type { Timer } from '../domain/work.ts'
import type { LifecycleDeps } from '../ports.ts'

export type RunTimers = {
  readonly nowMs: number
  readonly trace?: Trace
  readonly log: Logger
  readonly signal?: AbortSignal
}

/** What one run looks at; what is beyond it is the longest due of the next run. */
const MOST_PER_RUN = 500
const AT_ONCE = 10

/**
 * Looks at every timer that is due: asks for what it was set for, and drops it once that is over.
 *
 * A timer stays until the tenant shows that it was heard, so that a message that was lost is sent again by
 * the next run. The timer of a tenant whom the law holds stays, too: it is asked again every hour.
 */
export async function runTimers(
  deps: Pick<LifecycleDeps, 'directory' | 'queue' | 'timers'>,
  run: RunTimers,
): Promise<{ fired: number; kept: number; dropped: number; failed: number }> {
  const due = await deps.timers.due(run.nowMs, MOST_PER_RUN)
  const outcomes: Outcome[] = []
  for (let at = 0; at < due.length && run.signal?.aborted !== true; at += AT_ONCE) {
    outcomes.push(...(await Promise.all(due.slice(at, at + AT_ONCE).map((timer) => look(deps, timer, run)))))
  }
  const count = (outcome: Outcome): number => outcomes.filter((one) => one === outcome).length
  return { fired: count('fire'), kept: count('keep'), dropped: count('drop'), failed: count('failed') }
}

type Outcome = ReturnType<typeof judgeTimer> | 'failed'

async function look(
  deps: Pick<LifecycleDeps, 'directory' | 'queue' | 'timers'>,
  timer: Timer,
  { nowMs, trace, log }: RunTimers,
): Promise<Outcome> {
  const { tenantId, operationId, dueAtMs } = timer
  try {
    const tenant = await deps.directory.find(tenantId)
    const verdict = judgeTimer(tenant, timer, nowMs)
    if (verdict === 'drop') await deps.timers.drop(timer)
    if (verdict === 'fire') {
      const occasion = `timer.${dueAtMs}.${nowMs}`
      const about = { nowMs, ...(trace === undefined ? {} : { trace }) }
      await deps.queue.enqueue(tenantId, continuation({ tenantId }, { operationId }, occasion, about))
    }
    return verdict
  } catch (error) {
    log.warn('timer not heard', { tenantId, operationId, ...errorFields(error) })
    return 'failed'
  }
}

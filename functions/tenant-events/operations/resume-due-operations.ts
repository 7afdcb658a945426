import { errorFields, type Logger } from '#shared/log.ts'
import { continuation } from '../domain/continuation.ts'
import type { LifecycleDeps } from '../ports.ts'

/** What one sweep looks at; what is beyond it is the longest due of the next sweep. */
const MOST_PER_SWEEP = 500
const AT_ONCE = 10

/**
 * Asks for every operation that is due to be continued: parked long enough, or left by a worker that
 * died with its lease.
 *
 * Nothing is written: the operation stays due until a worker takes it, so a message that was not
 * published is published by the next sweep; so is what is left when `signal` is aborted. A tenant whose message fails does not hold up the others.
 */
export async function resumeDueOperations(
  deps: Pick<LifecycleDeps, 'directory' | 'queue'>,
  nowMs: number,
  log: Logger,
  signal?: AbortSignal,
): Promise<{ resumed: number; notResumed: number }> {
  const due = await deps.directory.due(nowMs, MOST_PER_SWEEP)
  const outcomes: boolean[] = []
  for (let at = 0; at < due.length && signal?.aborted !== true; at += AT_ONCE) {
    const page = due.slice(at, at + AT_ONCE).map(async (tenant) => {
      if (tenant.op === null) return true
      const { operationId, dueAtMs, fence } = tenant.op
      const event = continuation(tenant, { operationId }, `due.${fence}.${dueAtMs}`, { nowMs })
      try {
        await deps.queue.enqueue(tenant.tenantId, event)
        return true
      } catch (error) {
        log.warn('operation not resumed', { tenantId: tenant.tenantId, operationId, ...errorFields(error) })
        return false
      }
    })
    outcomes.push(...(await Promise.all(page)))
  }
  const resumed = outcomes.filter(Boolean).length
  return { resumed, notResumed: outcomes.length - resumed }
}

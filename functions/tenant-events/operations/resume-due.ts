import { ulid } from '#shared/ids.ts'
import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import { changesOf, endsIn } from '../domain/draft.ts'
import { fallDue } from '../domain/due.ts'
import type { LifecycleDeps } from '../ports.ts'

export type ResumeDue = {
  readonly ctx: TenantContext
  readonly operationId: string
  readonly trace: Trace
}

/**
 * Starts what an operation that does not run had a day set for: its own remainder, or the purge at the end
 * of the time in which a tenant can come back. Asked before that day, or once more, nothing happens.
 */
export async function resumeDue(
  deps: Pick<LifecycleDeps, 'store' | 'clock' | 'ids'>,
  { ctx, operationId, trace }: ResumeDue,
): Promise<Result<'resumed' | 'not-running'>> {
  const nowMs = deps.clock.now()
  const purgeId = `op_${ulid(deps.ids, nowMs)}`
  const committed = await deps.store.changeStanding<'resumed' | 'not-running'>(
    ctx,
    undefined,
    operationId,
    (standing) => {
      const draft = fallDue(standing, operationId, purgeId, { nowMs, trace })
      if (draft.changed.size === 0) return ok({ value: 'not-running' })
      const due = { action: 'operation.due', target: `operations/${operationId}` }
      return ok({ value: 'resumed', ...changesOf(draft), audit: [due, ...endsIn(draft)] })
    },
  )
  if (!committed.ok) return committed
  return ok(committed.value.duplicate ? 'not-running' : committed.value.value)
}

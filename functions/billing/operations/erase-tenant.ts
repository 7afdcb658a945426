import type { WorkRequested } from '#shared/contracts/events/work-requested.ts'
import { hashedId } from '#shared/ids.ts'
import type { ReceivedEvent } from '#shared/pubsub/types.ts'
import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import type { BillingDeps } from '../ports.ts'
import { type CloseFinallyDeps, closeFinally } from './close-finally.ts'

/** Commits of one unit: as many as fit well into the time a message has. */
const MOST_STEPS = 60
/** An instance that has not heard of the purge may take usage for a minute more. */
const SETTLING_MS = 3 * 60_000

/** Asks for the erasure of a tenant whose purge began; the sweep asks again until it is done. */
export async function beginErasure(
  deps: Pick<BillingDeps, 'due' | 'work'>,
  ctx: TenantContext,
  purge: { readonly operationId: string | undefined; readonly nowMs: number; readonly trace: Trace },
): Promise<void> {
  const { operationId = '', nowMs, trace } = purge
  // The first one counts: when the tenant left, and up to when it is billed, must not move.
  if ((await deps.due.find(ctx.tenantId, 'erase')) !== undefined) return
  await deps.due.mark(ctx.tenantId, 'erase', operationId, nowMs)
  const unit = { tenantId: ctx.tenantId, kind: 'erase' as const, key: operationId || 'purge' }
  await deps.work.request(unit, { id: `erase.${hashedId(ctx.tenantId, operationId)}`, nowMs, trace })
}

/**
 * Bills a tenant up to the end, then erases what billing keeps of it, some hundred documents at a time,
 * and answers its purge with counts, once. Anything that another instance still stored in the minutes after goes with a later unit.
 * A tenant that is not leaving, by the facts applied so far, loses nothing.
 */
export async function eraseTenant(
  deps: CloseFinallyDeps & Pick<BillingDeps, 'due' | 'erasure' | 'work'>,
  received: ReceivedEvent<WorkRequested>,
): Promise<Result<unknown>> {
  const { ctx, event, log, nowMs, signal, trace } = received
  const due = await deps.due.find(ctx.tenantId, 'erase')
  if (due === undefined) return ok('nothing to erase')
  if (!(await deps.erasure.isLeaving(ctx))) return ok('not leaving')
  const { key: operationId, markedAtMs: endsAtMs } = due
  const closed = await closeFinally(deps, { ctx, operationId, endsAtMs, nowMs, trace, signal })
  if (!closed.ok) {
    // Nothing is erased before it is billed: the sweep asks again, and the purge is seen to wait for billing.
    log.error('tenant not billed to its end', { code: closed.code, detail: closed.detail })
    return ok('cannot be billed')
  }
  if (!closed.value) return ok('usage still to be billed')
  const erasure = { operationId, nowMs, trace }
  for (let step = 0; step < MOST_STEPS && !signal.aborted; step += 1) {
    if (!(await deps.erasure.step(ctx, erasure))) continue
    if (nowMs >= due.markedAtMs + SETTLING_MS) await deps.due.settle(due)
    return ok('erased')
  }
  const cursor = String(Number(event.data.cursor ?? '0') + 1)
  const id = `erase.${hashedId(event.id, cursor)}`
  await deps.work.request({ ...event.data, cursor }, { id, nowMs, trace })
  return ok('more to erase')
}

import { place } from './accepting.ts'
import { type Draft, draftOf, enqueue, type Moment } from './draft.ts'
import { followDesired } from './follow-desired.ts'
import { newOperation } from './operation.ts'
import type { Tenant } from './tenant.ts'
import type { Standing, Timer } from './work.ts'

/** What becomes of a timer: `fire` now, `keep` for later, or `drop` because what it was set for is over. */
export function judgeTimer(
  tenant: Tenant | undefined,
  timer: Timer,
  nowMs: number,
): 'fire' | 'keep' | 'drop' {
  if (tenant === undefined) return 'drop'
  if (timer.kind === 'operation-due') {
    const waits = tenant.queue.some(
      ({ operationId, notBeforeMs }) => operationId === timer.operationId && notBeforeMs === timer.dueAtMs,
    )
    return waits ? 'fire' : 'drop'
  }
  if (tenant.state !== 'GRACE') return tenant.state === 'RESUMING' ? 'keep' : 'drop'
  if (tenant.graceEndsAtMs !== timer.dueAtMs) return 'drop'
  return tenant.legalHold === null && timer.dueAtMs <= nowMs ? 'fire' : 'keep'
}

/**
 * Goes on with what a day was set for: a scheduled operation starts as soon as the tenant's state has it,
 * and a tenant whose time to come back is over is purged, unless the law holds it.
 *
 * Whoever cancels at the same moment and this are conditional on one document: exactly one wins.
 */
export function fallDue(standing: Standing, operationId: string, purgeId: string, moment: Moment): Draft {
  const { tenant, operations } = standing
  const draft = draftOf(tenant, operations)
  const waiting = tenant.queue.find((entry) => entry.operationId === operationId)
  if (waiting !== undefined) {
    if (waiting.notBeforeMs === null || waiting.notBeforeMs > moment.nowMs) return draft
    const scheduled = draft.operations.get(operationId)
    if (scheduled === undefined) return draft
    return followDesired(enqueue(draft, { ...scheduled, status: 'queued', resumeAtMs: null }), moment)
  }
  const { graceEndsAtMs, legalHold, state } = tenant
  const over = state === 'GRACE' && graceEndsAtMs !== null && graceEndsAtMs <= moment.nowMs
  if (!over || legalHold !== null) return draft
  const fields = { operationId: purgeId, tenantId: tenant.tenantId, kind: 'purge' as const }
  const inputs = {
    desired: tenant.desired,
    request: { reason: 'grace-ended' },
    from: { tier: tenant.observed.tier, state },
  }
  const purge = { ...newOperation({ ...fields, ...inputs }, moment.nowMs), status: 'queued' as const }
  return place(draft, purge, moment)
}

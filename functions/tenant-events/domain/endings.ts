import type { TenantFactKind } from '#shared/contracts/events/tenant-fact.ts'
import { hasBegun, type Operation } from './operation.ts'
import type { OperationKind } from './plans.ts'
import type { Tenant } from './tenant.ts'

/** How an operation came to its end. */
export type End = 'succeeded' | 'failed' | 'superseded' | 'cancelled'

/** What the end of an operation makes of its tenant, and what is said of it. */
export type Ending = { readonly fields: Partial<Tenant>; readonly facts: readonly TenantFactKind[] }

export const DAY_MS = 86_400_000

const NOTHING: Ending = { fields: {}, facts: [] }

/** What an operation's end means. `tenant` is as it was until now, the operation still running or waiting. */
export function endingOf(tenant: Tenant, operation: Operation, end: End, nowMs: number): Ending {
  return ENDINGS[operation.kind](tenant, operation, end, nowMs)
}

type EndingOf = (tenant: Tenant, operation: Operation, end: End, nowMs: number) => Ending

const ENDINGS: Readonly<Record<OperationKind, EndingOf>> = {
  provision: (_tenant, _operation, end) => {
    // The last step has said that the tenant is active.
    if (end === 'succeeded') return NOTHING
    const state = end === 'cancelled' ? 'REJECTED' : 'PROVISION_FAILED'
    return { fields: { state }, facts: ['provision-failed'] }
  },
  'tier-change': tierChangeEnding,
  suspend: ({ observed, desired }, { request }, end) => {
    if (end !== 'succeeded') return NOTHING
    const mode = request.mode ?? 'soft'
    const suspension = { mode, reason: desired.suspension?.reason ?? ('admin' as const) }
    return { fields: { state: 'SUSPENDED', observed: { ...observed, suspension } }, facts: ['suspended'] }
  },
  resume: ({ observed }, { stuckAtMs }, end) => {
    if (end === 'succeeded') {
      return { fields: { state: 'ACTIVE', observed: { ...observed, suspension: null } }, facts: ['resumed'] }
    }
    if (end !== 'failed') return NOTHING
    return { fields: { state: 'SUSPENDED' }, facts: stuckAtMs === null ? ['operation-stuck'] : [] }
  },
  offboard: (_tenant, { request }, end, nowMs) => {
    if (end !== 'succeeded') return NOTHING
    const graceEndsAtMs = nowMs + (request.graceDays ?? 0) * DAY_MS
    return { fields: { state: 'GRACE', graceEndsAtMs }, facts: [] }
  },
  'offboard-cancel': ({ before }, _operation, end) => {
    if (end !== 'succeeded' && end !== 'superseded') return NOTHING
    // What supersedes it is a suspension, and nothing of the tenant works yet.
    const state = end === 'superseded' ? 'SUSPENDED' : (before ?? 'ACTIVE')
    const fields = { state, before: null, graceEndsAtMs: null, purgeApprovals: [] } as const
    return { fields, facts: ['offboarding-cancelled'] }
  },
  export: (_tenant, _operation, end) =>
    end === 'succeeded' ? { fields: {}, facts: ['export-ready'] } : NOTHING,
  purge: (_tenant, _operation, end) =>
    end === 'succeeded'
      ? { fields: { state: 'PURGED' }, facts: ['purged', 'deletion-certificate-issued'] }
      : NOTHING,
  reconcile: () => NOTHING,
}

/**
 * A tier change that came to nothing leaves the tenant with the tier it has. Whoever heard nothing of it
 * hears nothing of its end: only one that has begun may have been charged for.
 */
function tierChangeEnding(tenant: Tenant, operation: Operation, end: End): Ending {
  const { desired, observed } = tenant
  const running = tenant.op?.operationId === operation.operationId
  const state = running ? 'ACTIVE' : tenant.state
  if (end === 'succeeded') {
    const tier = operation.desired.tier
    return { fields: { state, observed: { ...observed, tier } }, facts: ['tier-changed'] }
  }
  const ordered = tenant.queue.some(
    ({ kind, operationId }) => kind === 'tier-change' && operationId !== operation.operationId,
  )
  const tier = ordered ? desired.tier : (observed.tier ?? desired.tier)
  const blocked = operation.failure?.blocked === true
  const said = blocked ? ('tier-change-blocked' as const) : ('tier-change-failed' as const)
  return {
    fields: { state, desired: { ...desired, tier } },
    facts: hasBegun(operation) || end === 'failed' ? [said] : [],
  }
}

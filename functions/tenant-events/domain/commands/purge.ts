import { ok, type Refusal, type Result, refuse } from '#shared/result.ts'
import { type Accepted, type AcceptOptions, type Asked, answer, order, revised } from '../accepting.ts'
import { type Draft, runningIn, waitingIn, withTenant } from '../draft.ts'
import { DAY_MS } from '../endings.ts'
import { endOperation } from '../follow-desired.ts'
import type { PurgeApproval, Tenant } from '../tenant.ts'

/** What was agreed to last week may not be what is meant today. */
export const APPROVAL_LIFE_MS = 7 * DAY_MS

/**
 * Purges, by the word of two people: the first one's is kept for a week, the second one's starts the purge.
 * The same person twice is one person, by whatever id they come.
 */
export function purge({ draft, command, verdict, options }: Asked<'purge'>): Result<Accepted> {
  const { approver, reason } = command
  const { tenant } = draft
  const pending = verdict === 'no-op' ? runningIn(draft) : waitingIn(draft, 'purge')
  if (pending !== undefined || verdict === 'no-op') {
    return ok(answer(draft, pending, 'purge', { reason }, options))
  }
  const refused = purgeRefused(tenant)
  if (refused !== undefined) return refused
  const valid = tenant.purgeApprovals.filter(({ atMs }) => options.nowMs - atMs < APPROVAL_LIFE_MS)
  if (valid.some((approval) => approval.approver === approver)) {
    return refuse('purge.same_approver', 'one person', 'You have approved it. Another person must, too.')
  }
  if (valid.length === 0) {
    const approval: PurgeApproval = { approver, reason, atMs: options.nowMs }
    return ok({ draft: revised(withTenant(draft, { purgeApprovals: [approval] })), operationId: null })
  }
  const agreed = withTenant(draft, { purgeApprovals: [] })
  if (verdict === 'cancel') return ok(neverBegun(agreed, options))
  // Kept with the order: the certificate says who agreed, a month after the tenant's own list is empty.
  const approvals = [...valid, { approver, atMs: options.nowMs }].map(({ approver, atMs }) => ({
    approver,
    atMs,
  }))
  return ok(order(agreed, 'purge', { reason, approvals }, options))
}

/** Why nobody may purge the tenant now. */
export function purgeRefused({ legalHold }: Tenant): Refusal | undefined {
  if (legalHold === null) return undefined
  // The detail is logged, and a reference may name people: when it began finds the hold as well.
  const since = new Date(legalHold.atMs).toISOString()
  return refuse('tenant.legal_hold', `held since ${since}`, 'Release the legal hold first.')
}

/** A tenant of which nothing has been made is never made. */
export function neverBegun(draft: Draft, options: AcceptOptions): Accepted {
  const making = runningIn(draft)
  if (making === undefined) return answer(draft, undefined, 'purge', {}, options)
  return { draft: endOperation(draft, making, 'cancelled', options), operationId: making.operationId }
}

/**
 * Puts a tenant under legal hold or releases it. A purge that waits is cancelled, with its approvals: when
 * the hold is over, two people decide anew.
 */
export function holdByLaw({ draft, command, options }: Asked<'legal-hold'>): Result<Accepted> {
  const { on, reference } = command
  const { legalHold } = draft.tenant
  const same = on ? legalHold?.reference === reference : legalHold === null
  if (same) return ok({ draft, operationId: null })
  if (!on) return ok({ draft: revised(withTenant(draft, { legalHold: null })), operationId: null })
  const held = withTenant(draft, { legalHold: { reference, atMs: options.nowMs }, purgeApprovals: [] })
  const waiting = waitingIn(held, 'purge')
  const safe = waiting === undefined ? held : endOperation(held, waiting, 'cancelled', options)
  return ok({ draft: revised(safe), operationId: null })
}

import { ok, type Result } from '#shared/result.ts'
import { type Accepted, type Asked, answer, drop, order, refusedIn } from '../accepting.ts'
import { runningIn, waitingIn } from '../draft.ts'
import { DAY_MS } from '../endings.ts'
import { neverBegun, purgeRefused } from './purge.ts'

/**
 * Offboards: export, a time in which the tenant can come back, then the purge. A tenant that never was
 * active has nothing to keep and is purged at once, or never begins.
 */
export function offboard(asked: Asked<'offboard'>): Result<Accepted> {
  const { draft, command, verdict, options } = asked
  const { graceDays } = command
  const request = { graceDays, export: command.export }
  const { state } = draft.tenant
  if (verdict === 'cancel') return ok(neverBegun(draft, options))
  if (state === 'PROVISIONING' || state === 'PROVISION_FAILED') {
    const pending = waitingIn(draft, 'purge')
    if (pending !== undefined) return ok(answer(draft, pending, 'purge', {}, options))
    return purgeRefused(draft.tenant) ?? ok(order(draft, 'purge', { reason: 'offboard' }, options))
  }
  const running = runningIn(draft)
  const pending = waitingIn(draft, 'offboard') ?? (running?.kind === 'offboard' ? running : undefined)
  if (isShorter(asked, pending?.request.graceDays)) {
    return refusedIn(state, 'offboard', 'The time in which a tenant can come back is never shortened.')
  }
  if (pending !== undefined || verdict === 'no-op') {
    const leaving = state === 'PURGING' ? running : pending
    return ok(answer(drop(draft, 'offboard-cancel', options), leaving, 'offboard', request, options))
  }
  return ok(order(draft, 'offboard', request, options))
}

function isShorter({ draft, command, options }: Asked<'offboard'>, pendingDays: number | undefined): boolean {
  const { graceEndsAtMs, state } = draft.tenant
  if (pendingDays !== undefined) return command.graceDays < pendingDays
  if (state !== 'GRACE' || graceEndsAtMs === null) return false
  return options.nowMs + command.graceDays * DAY_MS < graceEndsAtMs
}

/** Takes an offboarding back, as long as its purge has not begun. */
export function cancelOffboarding({ draft, verdict, options }: Asked<'offboard-cancel'>): Result<Accepted> {
  const { before, state } = draft.tenant
  const request = { backTo: before ?? ('ACTIVE' as const) }
  if (verdict === 'no-op' || verdict === 'clear') {
    const running = runningIn(draft)
    const cancelling = running?.kind === 'offboard-cancel' ? running : undefined
    return ok(answer(drop(draft, 'offboard', options), cancelling, 'offboard-cancel', request, options))
  }
  if (waitingIn(draft, 'purge') !== undefined) {
    return refusedIn(state, 'offboard-cancel', 'Two operators have ordered its purge.')
  }
  const pending = waitingIn(draft, 'offboard-cancel')
  if (pending !== undefined) return ok(answer(draft, pending, 'offboard-cancel', request, options))
  return ok(order(drop(draft, 'offboard', options), 'offboard-cancel', request, options))
}

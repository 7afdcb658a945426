import { ok, type Result } from '#shared/result.ts'
import { type Accepted, type Asked, answer, drop, order } from '../accepting.ts'
import { type Draft, runningIn, waitingIn } from '../draft.ts'
import type { Operation } from '../operation.ts'
import { hold, holdsAsHard, letGo } from '../suspension.ts'

/** Suspends. The harder mode wins; a resumption that waits is taken back. */
export function suspend({ draft, command, verdict, options }: Asked<'suspend'>): Result<Accepted> {
  const { mode, reason } = command
  if (verdict === 'no-op') return ok(answer(draft, undefined, 'suspend', { mode, reason }, options))
  const held = hold(draft.tenant, { by: options.origin.by, mode, reason })
  const wanted = held.desired.suspension ?? { mode, reason }
  const left = drop({ ...draft, tenant: held }, 'resume', options)
  const pending = waitingIn(left, 'suspend') ?? runningOf(left, 'suspend')
  const suspending = pending !== undefined && holdsAsHard({ mode: pending.request.mode ?? 'soft' }, wanted)
  if (suspending) return ok(answer(left, pending, 'suspend', wanted, options))
  const isSo = held.state === 'SUSPENDED' && holdsAsHard(held.observed.suspension, wanted)
  if (isSo) return ok(answer(left, undefined, 'suspend', wanted, options))
  return ok(order(left, 'suspend', wanted, options))
}

/**
 * Lets a tenant work again, unless somebody else holds it still. A suspension that waits is taken back, one
 * that runs is turned round.
 */
export function resume({ draft, command, verdict, options }: Asked<'resume'>): Result<Accepted> {
  const { by } = options.origin
  const request = { reason: command.reason }
  const { tenant } = draft
  const notOurs = by === 'billing' && !tenant.holds.some((held) => held.by === by)
  if (notOurs) return ok(answer(draft, undefined, 'resume', request, options))
  const freed = { ...draft, tenant: letGo(tenant, by) }
  if (freed.tenant.desired.suspension !== null) {
    return ok(answer(freed, undefined, 'resume', request, options))
  }
  const left = drop(freed, 'suspend', options)
  const pending = waitingIn(left, 'resume') ?? runningOf(left, 'resume')
  // One that failed and is being undone ends in SUSPENDED: another one follows it.
  const failing = runningIn(left)?.kind === 'resume' && pending === undefined
  const wanted = verdict === 'start' || verdict === 'turn' || failing
  if (!wanted || pending !== undefined) return ok(answer(left, pending, 'resume', request, options))
  return ok(order(left, 'resume', request, options))
}

function runningOf(draft: Draft, kind: Operation['kind']): Operation | undefined {
  const running = runningIn(draft)
  return running?.kind === kind && running.status === 'running' ? running : undefined
}

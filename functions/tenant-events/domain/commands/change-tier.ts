import { ok, type Result, refuse } from '#shared/result.ts'
import { type Accepted, type Asked, answer, order, revised } from '../accepting.ts'
import { runningIn, waitingIn, withTenant } from '../draft.ts'

/**
 * Another tier. The newest order counts: it replaces one that waits, and turns round one that runs.
 *
 * Of a tenant that is not active yet the change waits until it is; of one that could not be made it is
 * simply what a retry makes.
 */
export function changeTier({ draft, command, verdict, options }: Asked<'tier-change'>): Result<Accepted> {
  const { toTier, effective, expectedRevision } = command
  const { desired, observed, revision } = draft.tenant
  if (expectedRevision !== undefined && expectedRevision !== revision) {
    const hint = `It is at revision ${revision} now. Read it, and ask again if you still want to.`
    return refuse('tenant.revision_conflict', `${expectedRevision} is not ${revision}`, hint)
  }
  const request = { toTier, effective }
  const wanted = withTenant(draft, { desired: { ...desired, tier: toTier } })
  if (verdict === 'desired') return ok(answer(revised(wanted), undefined, 'tier-change', request, options))
  const running = runningIn(draft)
  const changing = running?.kind === 'tier-change' && running.status === 'running' ? running : undefined
  const pending = waitingIn(draft, 'tier-change') ?? changing
  const making = running?.kind === 'provision' ? running.desired.tier : observed.tier
  const isSo =
    pending === undefined
      ? making === toTier
      : pending.request.toTier === toTier && pending.request.effective === effective
  if (isSo) return ok(answer(draft, pending, 'tier-change', request, options))
  return ok(order(wanted, 'tier-change', request, options))
}

import type { TenantFact } from '#shared/contracts/events/tenant-fact.ts'
import type { ReceivedEvent } from '#shared/pubsub/types.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { admitUsage } from '../domain/tenant-projection.ts'
import type { BillingDeps } from '../ports.ts'
import { redriveUsage } from './redrive-usage.ts'

/**
 * Keeps what a tenant fact says, if it is newer than what is known, and fetches usage that waited.
 *
 * The sequence alone makes it safe to repeat, so it takes no claim: a redelivery after a failed
 * redrive must not be taken for done.
 */
export async function applyTenantFact(
  deps: Pick<BillingDeps, 'ledger' | 'tenants' | 'waiting'>,
  received: ReceivedEvent<TenantFact>,
): Promise<Result<unknown>> {
  const { ctx, event } = received
  if (event.sequence === undefined) return refuse('event.malformed', 'a tenant fact needs a sequence')
  const { state, tier, revision } = event.data
  const known = await deps.tenants.apply(ctx, { state, tier, revision, sequence: event.sequence })
  const redriven = admitUsage(known) === 'apply' ? await redriveUsage(deps, ctx) : 0
  return ok({ redriven })
}

import type { TenantFact } from '#shared/contracts/events/tenant-fact.ts'
import { RESERVED_TENANT_IDS } from '#shared/ids.ts'
import type { ReceivedEvent } from '#shared/pubsub/types.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { admitUsage } from '../domain/tenant-projection.ts'
import type { BillingDeps } from '../ports.ts'
import { redriveUsage } from './redrive-usage.ts'

/**
 * Keeps what a tenant fact says, if it is newer than what is known, and fetches usage that waited.
 *
 * A copy of a fact changes nothing and still fetches: what failed after the first one's commit must not
 * be taken for done. A fact about a reserved tenant is refused: nobody may purge the operators by event.
 */
export async function applyTenantFact(
  deps: Pick<BillingDeps, 'ledger' | 'quarantine' | 'tenants' | 'waiting'>,
  received: ReceivedEvent<TenantFact>,
): Promise<Result<unknown>> {
  const { ctx, claim, event } = received
  if (RESERVED_TENANT_IDS.includes(ctx.tenantId)) return refuse('event.malformed', 'reserved tenant')
  if (event.sequence === undefined) return refuse('event.malformed', 'a tenant fact needs a sequence')
  const { state, tier, revision } = event.data
  const known = await deps.tenants.apply(ctx, claim, { state, tier, revision, sequence: event.sequence })
  if (!known.ok) return known
  const redriven = admitUsage(known.value) === 'apply' ? await redriveUsage(deps, ctx, received.signal) : 0
  return ok({ redriven })
}

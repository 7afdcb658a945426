import { type TenantFact, type TenantFactKind, tenantFactType } from '#shared/contracts/events/tenant-fact.ts'
import { RESERVED_TENANT_IDS } from '#shared/ids.ts'
import type { ReceivedEvent } from '#shared/pubsub/types.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { admitUsage } from '../domain/tenant-projection.ts'
import type { BillingDeps } from '../ports.ts'
import { undoCharge } from './charge-tier.ts'
import { beginErasure } from './erase-tenant.ts'
import { redriveUsage } from './redrive-usage.ts'

/** What a tenant's end is told by, when all that kept it is gone. */
const GONE: readonly string[] = types('purged', 'deletion-certificate-issued')
/** Facts that end an operation for which slots may be frozen. */
const ENDS: readonly string[] = types('tier-changed', 'tier-change-blocked', 'tier-change-failed')
/** Facts after which a tenant that was suspended or leaving may work again. */
const WORKS_AGAIN: readonly string[] = types('resumed', 'offboarding-cancelled')
/** Those of them after which the tenant has the tier that it had before. */
const KEEPS_TIER: readonly string[] = types('tier-change-blocked', 'tier-change-failed')

/**
 * Keeps what a tenant fact says, if it is newer than what is known, and does what follows from it: fetches
 * usage that waited, lets workflows begin again, takes back what a tier change cost that came to nothing, and
 * asks for the erasure of a tenant that is purged, whose last traces go once its tombstone stands.
 *
 * A tenant that is being purged never comes back, whatever sequence a fact says it with; `purge-started` told
 * again asks again. A copy of a fact changes nothing and still does all of it: what failed after the first one's commit must not
 * be taken for done. A fact about a reserved tenant is refused: nobody may purge the operators by event.
 */
export async function applyTenantFact(
  deps: Pick<
    BillingDeps,
    | 'due'
    | 'erasure'
    | 'ledger'
    | 'quarantine'
    | 'slots'
    | 'subscriptions'
    | 'tenants'
    | 'tombstones'
    | 'waiting'
    | 'work'
  >,
  received: ReceivedEvent<TenantFact>,
): Promise<Result<unknown>> {
  const { ctx, claim, event, nowMs, trace } = received
  if (RESERVED_TENANT_IDS.includes(ctx.tenantId)) return refuse('event.malformed', 'reserved tenant')
  if (event.sequence === undefined) return refuse('event.malformed', 'a tenant fact needs a sequence')
  // The tombstone is there before the fact leaves; a fact without one only says what it says.
  if (GONE.includes(event.type) && (await deps.tombstones.has(ctx.tenantId))) {
    await deps.erasure.forget(ctx, nowMs)
    return ok('forgotten')
  }
  const { state, tier, revision, operationId } = event.data
  const known = await deps.tenants.apply(ctx, claim, { state, tier, revision, sequence: event.sequence })
  if (!known.ok) return known
  // Of a tenant that is being purged nothing is written any more: it might outlast the erasure.
  if (admitUsage(known.value) !== 'refuse') {
    if (operationId !== undefined && ENDS.includes(event.type)) await deps.slots.thaw(ctx, { operationId })
    if (WORKS_AGAIN.includes(event.type) && state === 'ACTIVE') {
      await deps.slots.thaw(ctx, { sequence: event.sequence })
    }
    if (operationId !== undefined && KEEPS_TIER.includes(event.type)) {
      await undoCharge(deps, ctx, operationId, nowMs)
    }
  }
  if (event.type === tenantFactType('purge-started')) {
    await beginErasure(deps, ctx, { operationId, nowMs, trace })
  }
  const redriven = admitUsage(known.value) === 'apply' ? await redriveUsage(deps, ctx, received.signal) : 0
  return ok({ redriven })
}

function types(...kinds: readonly TenantFactKind[]): string[] {
  return kinds.map(tenantFactType)
}

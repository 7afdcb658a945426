import type { MessageOrigin } from '#shared/pubsub/quarantine.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { isNamedByOneEvent, type UsageBatch, without } from '../domain/usage-batch.ts'
import { faultInTime, MAX_AGE_WHEN_APPLIED_MS, type UsageEvent } from '../domain/usage-event.ts'
import type { BillingDeps } from '../ports.ts'
import { setAside } from './set-aside.ts'

/**
 * Counts a batch, without the events whose time does not hold; those are set aside.
 *
 * Two instances' clocks may disagree about that, and a message may come to both. What the first commit
 * accepted is the verdict for good: the batch is named by all its events, so the second finds it there,
 * and goes by what it holds. The rest is set aside after the commit, by whoever gets that far, so that
 * each event ends in the ledger or in quarantine and never in both.
 */
export async function countBatch(
  deps: Pick<BillingDeps, 'ledger' | 'quarantine'>,
  ctx: TenantContext,
  batch: UsageBatch,
  received: { readonly atMs: number; readonly origin: MessageOrigin; readonly signal: AbortSignal },
): Promise<void> {
  const { atMs, origin, signal } = received
  signal.throwIfAborted()
  const rules = { nowMs: atMs, maxAgeMs: MAX_AGE_WHEN_APPLIED_MS }
  const untimely = new Set(batch.events.filter((event) => faultInTime(event, rules) !== undefined))
  const left = await commitWithout(deps, ctx, batch, untimely, atMs)
  const entry = { tenantId: ctx.tenantId, producer: batch.producer, code: 'event.malformed' as const }
  await setAside(
    deps,
    left.map((event) => ({
      ...entry,
      atMs,
      origin,
      detail: faultInTime(event, rules) ?? 'time: did not hold when it came first',
      payload: event.raw,
    })),
    signal,
  )
}

/** The events that the batch, once stored, does not hold. */
async function commitWithout(
  deps: Pick<BillingDeps, 'ledger'>,
  ctx: TenantContext,
  batch: UsageBatch,
  untimely: ReadonlySet<UsageEvent>,
  receivedAtMs: number,
): Promise<readonly UsageEvent[]> {
  // What is set aside is sent again as a message of its own. Of a single event that has this very name, and
  // a verdict kept under it would refuse it for ever; counted under it, it counts once in any case.
  if (untimely.size > 0 && isNamedByOneEvent(batch)) return [...untimely]
  const outcome = await deps.ledger.append(ctx, without(batch, untimely), receivedAtMs)
  if (outcome === 'stored') return [...untimely]
  const recorded = await deps.ledger.recorded(ctx, batch)
  return batch.events.filter((event) => !recorded.has(event.key))
}

import { RESERVED_TENANT_IDS } from '#shared/ids.ts'
import type { ReceivedBatch } from '#shared/pubsub/types.ts'
import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { type Correction, checkCorrection, correctionBatches } from '../domain/correction.ts'
import { deduplicate } from '../domain/deduplicate.ts'
import { producerOf } from '../domain/producer.ts'
import { admitUsage, type UsageAdmission } from '../domain/tenant-projection.ts'
import { batchIdOf, makeBatches, type UsageBatch } from '../domain/usage-batch.ts'
import { checkUsageContent, isCorrection, type UsageEvent } from '../domain/usage-event.ts'
import type { BillingDeps } from '../ports.ts'
import { countBatch } from './count-batch.ts'
import { redriveUsage } from './redrive-usage.ts'
import { setAside } from './set-aside.ts'

export type IngestDeps = Pick<
  BillingDeps,
  'ledger' | 'corrections' | 'tenants' | 'tombstones' | 'waiting' | 'quarantine' | 'work'
>

type Part = {
  readonly ctx: TenantContext
  readonly events: readonly UsageEvent[]
  readonly corrections: readonly Correction[]
}

/**
 * Applies one message of usage, exactly once however often it comes.
 *
 * Each tenant's part is one commit named by its content, so a copy of the message fails as a whole
 * and changes nothing. What cannot be applied is set aside event by event; a tenant whose store fails
 * does not hold up the others, and the message comes again for it.
 */
export async function ingestUsage(deps: IngestDeps, received: ReceivedBatch): Promise<Result<unknown>> {
  const producer = producerOf(received.attributes)
  const parts: Part[] = []
  for (const part of received.parts) {
    const admitted = await admissible(deps, received, part)
    if (admitted.events.length + admitted.corrections.length > 0) parts.push({ ctx: part.ctx, ...admitted })
  }
  const batchId = batchIdOf(parts.flatMap((part) => part.events))
  const settled = await Promise.allSettled(
    parts.map(async ({ ctx, events, corrections }) => {
      const message = { batchId, tenantId: ctx.tenantId, mixed: parts.length > 1, producer }
      await applyPart(deps, received, ctx, makeBatches(events, message))
      // After the usage: what is taken back in the message that reports it is there to be found.
      if (corrections.length > 0) await applyCorrections(deps, received, ctx, corrections)
    }),
  )
  const failed = settled.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return ok({ batchId })
}

/**
 * The events of a part that hold whatever the time is, each once; the others are in quarantine when this
 * returns. Every instance finds the same: the message's name and how it is split are made from these.
 */
async function admissible(
  deps: IngestDeps,
  received: ReceivedBatch,
  part: ReceivedBatch['parts'][number],
): Promise<Omit<Part, 'ctx'>> {
  const { tenantId } = part.ctx
  const producer = producerOf(received.attributes)
  const rules = { tenantId, producer }
  const good: UsageEvent[] = []
  const corrections: Correction[] = []
  const entry = { tenantId, origin: received.origin, producer, atMs: received.nowMs }
  const refused: Parameters<IngestDeps['quarantine']['put']>[0][] = []
  for (const raw of part.events) {
    const event = isCorrection(raw) ? checkCorrection(raw, rules) : checkUsageContent(raw, rules)
    if (!event.ok) refused.push({ ...entry, code: event.code, detail: event.detail, payload: raw })
    else if ('targetKey' in event.value) corrections.push(event.value)
    else good.push(event.value)
  }
  const { events, conflicts } = deduplicate(good)
  for (const loser of conflicts) {
    refused.push({ ...entry, code: 'usage.conflict', detail: 'same id, other content', payload: loser.raw })
  }
  await setAside(deps, refused, received.signal)
  return { events, corrections }
}

async function applyPart(
  deps: IngestDeps,
  received: ReceivedBatch,
  ctx: TenantContext,
  batches: readonly UsageBatch[],
): Promise<void> {
  if (batches.length === 0) return
  const admission = await admissionOf(deps, ctx)
  for (const batch of batches) {
    const { nowMs, origin, signal } = received
    signal.throwIfAborted()
    // One commit for each: two batch ids in one commit would fail together when one is known.
    if (admission === 'apply') await countBatch(deps, ctx, batch, { atMs: nowMs, origin, signal })
    else if (admission === 'wait') await deps.waiting.put(ctx, batch, nowMs, origin)
    else await refuseBatch(deps, received, ctx, batch)
  }
  // The tenant may have become known while its usage was put aside, with nobody left to fetch it.
  if (admission === 'wait') await redriveUsage(deps, ctx, received.signal)
}

/**
 * Stores what corrects other events, and asks for the hours of those to be folded again. Of a tenant that is
 * not active it is set aside, for an operator to send again: there is nothing yet that it could correct.
 */
async function applyCorrections(
  deps: IngestDeps,
  received: ReceivedBatch,
  ctx: TenantContext,
  corrections: readonly Correction[],
): Promise<void> {
  const { nowMs, origin, signal, trace } = received
  if ((await admissionOf(deps, ctx)) === 'apply') {
    for (const batch of correctionBatches(corrections)) await deps.corrections.append(ctx, batch, nowMs)
    const unit = { tenantId: ctx.tenantId, kind: 'rollup', key: 'corrections' } as const
    await deps.work.request(unit, { id: `rollup.${ctx.tenantId}.${batchIdOf(corrections)}`, nowMs, trace })
    return
  }
  const entry = { tenantId: ctx.tenantId, origin, producer: 'collector', atMs: nowMs } as const
  const refused = {
    code: 'tenant.state_conflict',
    detail: 'corrections of a tenant that is not active',
  } as const
  await setAside(
    deps,
    corrections.map(({ raw }) => ({ ...entry, ...refused, payload: raw })),
    signal,
  )
}

/** Whom nobody knows may be somebody of whom everything was erased: its usage waits for nobody. */
async function admissionOf(deps: IngestDeps, ctx: TenantContext): Promise<UsageAdmission> {
  if (isReserved(ctx)) return 'refuse'
  const admission = admitUsage(await deps.tenants.find(ctx))
  return admission === 'wait' && (await deps.tombstones.has(ctx.tenantId)) ? 'refuse' : admission
}

/** No tenant ever gets such an id, so its usage would wait for ever. */
function isReserved(ctx: TenantContext): boolean {
  return RESERVED_TENANT_IDS.includes(ctx.tenantId)
}

/** A tenant that is being deleted leaves no new data: only that something came is kept. */
async function refuseBatch(
  deps: IngestDeps,
  received: ReceivedBatch,
  ctx: TenantContext,
  batch: UsageBatch,
): Promise<void> {
  await deps.quarantine.put({
    tenantId: ctx.tenantId,
    code: 'tenant.state_conflict',
    detail: 'usage of a tenant that is gone, refused or reserved',
    origin: received.origin,
    evidenceOnly: true,
    producer: batch.producer,
    payload: { batchId: batch.batchId, events: batch.events.length },
    atMs: received.nowMs,
  })
}

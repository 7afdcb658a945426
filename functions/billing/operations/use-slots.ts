import { TIER_LIMITS } from '#shared/catalogue/tiers.ts'
import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import { slotsDrained } from '#shared/contracts/events/slots-drained.ts'
import type { SlotsFreezeRequested } from '#shared/contracts/events/slots-freeze-requested.ts'
import { slotsHeld } from '#shared/contracts/events/slots-held.ts'
import type { WorkRequested } from '#shared/contracts/events/work-requested.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { RESERVED_TENANT_IDS } from '#shared/ids.ts'
import type { ReceivedEvent } from '#shared/pubsub/types.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import {
  acquireSlot,
  type Freeze,
  releaseSlot,
  renewSlot,
  type SlotAnswer,
  type SlotRequest,
  type SlotVerdict,
} from '../domain/slots.ts'
import { admitUsage, mayBeginWorkflows } from '../domain/tenant-projection.ts'
import type { DrainedFact, SlotState } from '../ports/slots.ts'
import type { BillingDeps } from '../ports.ts'

const SOURCE = '//energent.ai/billing'

type Deps = Pick<BillingDeps, 'slots'>
type Caller = { readonly ctx: TenantContext; readonly nowMs: number; readonly trace: Trace }

/** Gives a run one of the tenant's slots, as many as its tier has by the newest fact. */
export function acquire(deps: Deps, caller: Caller, request: SlotRequest): Promise<Result<SlotAnswer>> {
  return deps.slots.change(
    caller.ctx,
    (state) => {
      if (!mayBeginWorkflows(state.tenant)) return refuse('entitlement.restricted', state.tenant.state)
      return acquireSlot(state.slots, { ...request, limit: limitOf(state), atMs: state.atMs })
    },
    factMaker(caller),
  )
}

/** Keeps a run's slot; also while the tenant is suspended or frozen, so that what runs can end well. */
export function renew(deps: Deps, caller: Caller, request: SlotRequest): Promise<Result<SlotAnswer>> {
  return deps.slots.change(
    caller.ctx,
    (state) => renewSlot(state.slots, { ...request, limit: limitOf(state), atMs: state.atMs }),
    factMaker(caller),
  )
}

/** Gives a slot back. */
export function release(deps: Deps, caller: Caller, { runId }: SlotRequest): Promise<Result<SlotAnswer>> {
  return deps.slots.change(
    caller.ctx,
    (state) => releaseSlot(state.slots, { runId, limit: limitOf(state), atMs: state.atMs }),
    factMaker(caller),
  )
}

/**
 * Lets no workflow begin for an operation, and answers `slots-drained` when none runs: now, with the last
 * release, or when the last lease has ended by itself; `slots-held` when some still do after the time it
 * gave. Asked again, the same fact is published again.
 */
export async function freeze(
  deps: Pick<BillingDeps, 'slots' | 'due' | 'subscriptions' | 'tenants'>,
  received: ReceivedEvent<SlotsFreezeRequested>,
): Promise<Result<unknown>> {
  const { ctx, claim, event, nowMs, trace } = received
  if (RESERVED_TENANT_IDS.includes(ctx.tenantId)) return refuse('event.malformed', 'reserved tenant')
  if (admitUsage(await deps.tenants.findFresh(ctx)) === 'refuse') return ok('the tenant is going')
  const { operationId, sequence = '0', limitSeconds } = event.data
  const wanted = {
    operationId,
    causationId: event.id,
    correlationId: event.correlationid ?? operationId,
    after: sequence,
    limitMs: limitSeconds === undefined ? null : limitSeconds * 1000,
  }
  // Before the freeze: one that nobody looks at again would wait for ever.
  await deps.due.mark(ctx.tenantId, 'drain', operationId, nowMs)
  const frozen = await deps.slots.freeze(ctx, claim, wanted, factMaker({ ctx, nowMs, trace }))
  if (!frozen.ok || typeof frozen.value === 'string') return frozen
  await deps.subscriptions.publishAgain(ctx, frozen.value.toldBefore)
  return ok('answered again')
}

/** Looks whether the last lease of a frozen tenant has ended by itself. */
export async function drain(
  deps: Pick<BillingDeps, 'slots' | 'due'>,
  received: ReceivedEvent<WorkRequested>,
): Promise<Result<unknown>> {
  const { ctx, nowMs, trace } = received
  // Read first: who marks it again while we look is looked at again.
  const due = await deps.due.find(ctx.tenantId, 'drain')
  const done = await deps.slots.drain(ctx, factMaker({ ctx, nowMs, trace }))
  if (done && due !== undefined) await deps.due.settle(due)
  return ok({ done })
}

function limitOf({ tenant }: SlotState): number {
  return TIER_LIMITS[tenant.tier].concurrentWorkflows
}

function factMaker({ ctx, nowMs, trace }: Caller): DrainedFact {
  return ({ operationId, causationId, correlationId }: Freeze, verdict: SlotVerdict): CloudEvent =>
    newEvent({
      id: `slots-${verdict}.${operationId}`,
      source: SOURCE,
      type: verdict === 'drained' ? slotsDrained.type : slotsHeld.type,
      tenantId: ctx.tenantId,
      nowMs,
      data: { tenantId: ctx.tenantId, operationId, at: new Date(nowMs).toISOString() },
      causationId,
      correlationId,
      trace,
    })
}

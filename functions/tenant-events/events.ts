import { authErased } from '#shared/contracts/events/auth-erased.ts'
import { billingErased } from '#shared/contracts/events/billing-erased.ts'
import { chargeRefused } from '#shared/contracts/events/charge-refused.ts'
import { charged } from '#shared/contracts/events/charged.ts'
import { EXPORTED } from '#shared/contracts/events/export-requested.ts'
import { resumeRequested } from '#shared/contracts/events/resume-requested.ts'
import { slotsDrained } from '#shared/contracts/events/slots-drained.ts'
import { slotsHeld } from '#shared/contracts/events/slots-held.ts'
import { stepContinue } from '#shared/contracts/events/step-continue.ts'
import { subscriptionReady } from '#shared/contracts/events/subscription-ready.ts'
import { suspendRequested } from '#shared/contracts/events/suspend-requested.ts'
import { type AnyEventHandler, on, type ReceivedEvent } from '#shared/pubsub/types.ts'
import { ok, type Result } from '#shared/result.ts'
import type { Answer } from './domain/keep-answer.ts'
import { continueOperation } from './operations/continue-operation.ts'
import { hearCommand } from './operations/hear-command.ts'
import { recordAnswer } from './operations/record-answer.ts'
import type { LifecycleDeps } from './ports.ts'

/** What `tenantEventsHandler` hears. Facts of others that nobody here waits for are let go by the edge. */
export function lifecycleEvents(deps: LifecycleDeps): readonly AnyEventHandler[] {
  return [
    on(stepContinue, ({ event, ctx, trace, signal, log }) =>
      continueOperation(deps, { ctx, operationId: event.data.operationId, trace, signal, log }),
    ),
    on(suspendRequested, (received) => {
      const { mode, reason } = received.event.data
      return hearCommand(deps, received, { name: 'suspend', mode, reason })
    }),
    on(resumeRequested, (received) => {
      const { reason } = received.event.data
      return hearCommand(deps, received, { name: 'resume', reason })
    }),
    on(subscriptionReady, (received) => {
      const { operationId, subscriptionId, planId } = received.event.data
      const value = { kind: 'ready' as const, subscriptionId, planId }
      return keep(deps, received, operationId, { kind: 'subscription', value })
    }),
    on(charged, (received) => {
      const { operationId, effectiveAt, planId, tier } = received.event.data
      const value = { kind: 'charged' as const, tier, planId, effectiveAtMs: Date.parse(effectiveAt) }
      return keep(deps, received, operationId, { kind: 'charge', value })
    }),
    on(chargeRefused, (received) => {
      const { operationId, reason } = received.event.data
      return keep(deps, received, operationId, { kind: 'refusal', reason })
    }),
    on(slotsDrained, (received) => {
      const { operationId, at } = received.event.data
      return keep(deps, received, operationId, { kind: 'slots', value: { drainedAtMs: Date.parse(at) } })
    }),
    on(slotsHeld, (received) => {
      const { operationId, at } = received.event.data
      return keep(deps, received, operationId, { kind: 'slots', value: { heldAtMs: Date.parse(at) } })
    }),
    on(authErased, (received) => {
      const { operationId, counts, at } = received.event.data
      const value = { counts, archived: 0, atMs: Date.parse(at) }
      return keep(deps, received, operationId, { kind: 'authErased', value })
    }),
    on(EXPORTED.auth, (received) => {
      const { operationId, manifest, sha256 } = received.event.data
      return keep(deps, received, operationId, { kind: 'authExported', value: { manifest, sha256 } })
    }),
    on(EXPORTED.billing, (received) => {
      const { operationId, manifest, sha256 } = received.event.data
      return keep(deps, received, operationId, { kind: 'billingExported', value: { manifest, sha256 } })
    }),
    on(billingErased, (received) => {
      const { operationId, counts, archived, at } = received.event.data
      const value = { counts, archived, atMs: Date.parse(at) }
      return keep(deps, received, operationId, { kind: 'billingErased', value })
    }),
  ]
}

/** An erasure that no operation asked for is nobody's answer. */
async function keep(
  deps: Pick<LifecycleDeps, 'store' | 'world'>,
  { ctx, claim, nowMs, trace }: ReceivedEvent<unknown>,
  operationId: string | undefined,
  answer: Answer,
): Promise<Result<unknown>> {
  if (operationId === undefined) return ok('not asked for')
  return recordAnswer(deps, { ctx, claim, operationId, answer, nowMs, trace })
}

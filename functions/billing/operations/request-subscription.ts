import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import type { SubscriptionRequested } from '#shared/contracts/events/subscription-requested.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { RESERVED_TENANT_IDS } from '#shared/ids.ts'
import { canonicalJson } from '#shared/json.ts'
import type { ReceivedEvent } from '#shared/pubsub/types.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import {
  answerFact,
  type Decision,
  requestSubscription as decide,
  type OperationAnswer,
} from '../domain/subscription.ts'
import type { BillingDeps } from '../ports.ts'

const SOURCE = '//energent.ai/billing'

/**
 * Answers an operation that asks for a subscription, with `subscription-ready` or `charge-refused`.
 *
 * The subscription, the answer and the fact are one commit. Asked again, by the same message or a
 * new one, the operation gets the same fact, byte for byte.
 */
export async function requestSubscription(
  deps: Pick<BillingDeps, 'plans' | 'subscriptions'>,
  received: ReceivedEvent<SubscriptionRequested>,
): Promise<Result<unknown>> {
  const { ctx, claim, event, nowMs } = received
  if (RESERVED_TENANT_IDS.includes(ctx.tenantId)) return refuse('event.malformed', 'reserved tenant')
  const { operationId } = event.data
  const before = await deps.subscriptions.findAnswer(ctx, operationId)
  const settled = standingAnswer(before, orderOf(event))
  if (settled === 'stale') return ok('cancelled already')
  if (settled !== undefined) return again(deps, received, settled)
  const plan = await deps.plans.forTier(event.data.tier, nowMs)
  const changed = await deps.subscriptions.change(ctx, claim, operationId, (current, answer) => {
    if (standingAnswer(answer, orderOf(event)) !== undefined) return undefined
    const trialEndsAt = event.data.trialEndsAt
    const decision = decide(ctx.tenantId, current, {
      tier: event.data.tier,
      operationId,
      trialEndsAtMs: trialEndsAt === undefined ? undefined : Date.parse(trialEndsAt),
      nowMs,
      plan,
    })
    const round = (answer?.round ?? 0) + 1
    const fact = factOf(received, decision, round)
    return {
      ...(decision.outcome === 'ready'
        ? { subscription: decision.subscription, audit: `subscription.${decision.change}` }
        : {}),
      answer: {
        outcome: decision.outcome,
        fact: canonicalJson(fact),
        round,
        order: orderOf(event).toString(),
      },
      fact,
    }
  })
  return changed
}

/** What orders the commands of one operation: the sender's counter, or when it sent them. */
export function orderOf(event: CloudEvent): bigint {
  return BigInt(event.commandseq ?? Date.parse(event.time))
}

/** The fact that answers already; `stale` when the operation was cancelled after this request. */
function standingAnswer(answer: OperationAnswer | undefined, order: bigint): string | undefined {
  if (answer === undefined) return undefined
  if (answer.outcome === 'cancelled') return order > BigInt(answer.order) ? undefined : 'stale'
  return answer.fact
}

async function again(
  deps: Pick<BillingDeps, 'subscriptions'>,
  received: ReceivedEvent<unknown>,
  fact: string,
): Promise<Result<unknown>> {
  await deps.subscriptions.publishAgain(received.ctx, fact)
  return ok('answered again')
}

function factOf(
  received: ReceivedEvent<SubscriptionRequested>,
  decision: Decision,
  round: number,
): CloudEvent {
  const { ctx, event, nowMs, trace } = received
  const { operationId } = event.data
  const data =
    decision.outcome === 'ready'
      ? {
          tenantId: ctx.tenantId,
          operationId,
          subscriptionId: decision.subscription.subscriptionId,
          planId: decision.subscription.planId,
        }
      : { tenantId: ctx.tenantId, operationId, reason: decision.reason }
  const { type, id } = answerFact(decision.outcome, operationId, round)
  return newEvent({
    id,
    source: SOURCE,
    type,
    tenantId: ctx.tenantId,
    nowMs,
    data,
    causationId: event.id,
    correlationId: event.correlationid ?? operationId,
    trace,
  })
}

import { subscriptionCancelRequested } from '#shared/contracts/events/subscription-cancel-requested.ts'
import { subscriptionRequested } from '#shared/contracts/events/subscription-requested.ts'
import type { OutgoingEvent } from '../../domain/facts.ts'
import { stepOf } from '../../domain/operation.ts'
import { billingCommand } from './billing-command.ts'
import type { Step, StepWork } from './step.ts'

/**
 * P01: asks billing for a subscription and waits for its answer.
 *
 * The command leaves with the commit that says it was sent, once; billing answers with the operation's
 * id, and the answer is kept on the operation whenever it comes.
 */
export const prepareBilling: Step = {
  run: async (work) => {
    const billing = work.operation.answers.subscription
    if (billing?.kind === 'ready') {
      const { subscriptionId, planId } = billing
      return {
        kind: 'done',
        evidence: { subscriptionId, planId },
        change: (tenant) => ({ ...tenant, observed: { ...tenant.observed, subscriptionId, planId } }),
      }
    }
    if (billing?.kind === 'refused') {
      return {
        kind: 'failed',
        failure: { kind: 'refused', code: billing.reason, text: 'refused by billing' },
      }
    }
    const sent = stepOf(work.operation, 'prepare-billing').evidence['commandId'] !== undefined
    if (sent) return { kind: 'waiting', waitingFor: 'billing' }
    const command = requestSubscription(work)
    return {
      kind: 'waiting',
      waitingFor: 'billing',
      evidence: { commandId: command.event.id },
      events: [command],
    }
  },
  /** What was never asked for, or was refused, needs no cancelling. */
  undo: async (work) => {
    const asked = stepOf(work.operation, 'prepare-billing').evidence['commandId'] !== undefined
    const wanted = work.operation.answers.subscription?.kind === 'ready' || asked
    if (!wanted || work.operation.answers.subscription?.kind === 'refused') return { kind: 'done' }
    return {
      kind: 'done',
      events: [cancelSubscription(work)],
      change: (tenant) => ({
        ...tenant,
        observed: { ...tenant.observed, subscriptionId: null, planId: null },
      }),
    }
  },
}

function requestSubscription(work: StepWork): OutgoingEvent {
  const { tier, trialEndsAt } = work.operation.desired
  return billingCommand(work, subscriptionRequested, 'subscription-requested', {
    tier,
    ...(trialEndsAt === null ? {} : { trialEndsAt }),
  })
}

function cancelSubscription(work: StepWork): OutgoingEvent {
  return billingCommand(work, subscriptionCancelRequested, 'subscription-cancel-requested', {})
}

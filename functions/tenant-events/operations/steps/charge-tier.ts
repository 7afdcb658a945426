import {
  type TierChargeRequested,
  tierChargeRequested,
} from '#shared/contracts/events/tier-charge-requested.ts'
import { stepOf } from '../../domain/operation.ts'
import { billingCommand } from './billing-command.ts'
import { nothingToUndo, type Step, type StepWork } from './step.ts'

/**
 * Asks billing to bill the tenant by the new tier, and waits for its answer.
 *
 * A change for the end of the period is charged when it is ordered: billing says when the period ends, and
 * until then the operation is scheduled. There is nothing to undo here: billing takes the charge back when
 * it hears that the operation failed.
 */
export const chargeTier: Step = {
  run: async (work) => {
    const { charge } = work.operation.answers
    if (charge?.kind === 'refused') {
      return {
        kind: 'failed',
        failure: { kind: 'refused', code: charge.reason, text: 'refused by billing' },
      }
    }
    if (charge?.kind === 'charged') {
      const { planId, effectiveAtMs } = charge
      return {
        kind: 'done',
        evidence: { planId, effectiveAt: new Date(effectiveAtMs).toISOString() },
        // What holds from now on may be a moment away by our clock: billing's need not agree with it.
        ...(work.operation.request.effective === 'period_end' ? { scheduleAtMs: effectiveAtMs } : {}),
      }
    }
    const sent = stepOf(work.operation, 'charge-tier').evidence['commandId'] !== undefined
    if (sent) return { kind: 'waiting', waitingFor: 'billing' }
    const command = billingCommand(work, tierChargeRequested, 'tier-charge-requested', { ...chargeOf(work) })
    return {
      kind: 'waiting',
      waitingFor: 'billing',
      evidence: { commandId: command.event.id },
      events: [command],
    }
  },
  undo: nothingToUndo,
}

/** With the tier the tenant has: billing forgets what failed changes of tier were charged for. */
function chargeOf({ tenant, operation }: StepWork): Omit<TierChargeRequested, 'tenantId' | 'operationId'> {
  const { tier } = tenant.observed
  return {
    tier: operation.desired.tier,
    effective: operation.request.effective ?? 'now',
    ...(tier === null ? {} : { fromTier: tier }),
  }
}

import type { StepKey } from '#shared/catalogue/operation-steps.ts'
import { slotsFreezeRequested } from '#shared/contracts/events/slots-freeze-requested.ts'
import { stepOf } from '../../domain/operation.ts'
import type { StepOutcome } from '../../domain/step-outcome.ts'
import { billingCommand } from './billing-command.ts'
import { nothingToUndo, type Step, type StepWork } from './step.ts'

/** Longer than any lease of a workflow lasts without its renewal: a run that died never blocks a change. */
const DRAIN_LIMIT_SECONDS = 900

/**
 * U02, downwards: lets no workflow begin and waits until none runs. The new limit comes with the fact
 * `tier-changed`, by which billing counts; any end of the operation ends the freeze.
 *
 * Workflows that do not end in time keep the tenant where it is: nothing of theirs is stopped for a tier.
 * Whether they did is billing's to say, by its time: messages that are late block nobody.
 */
export const drainSlots: Step = {
  run: async (work) => {
    const { slots } = work.operation.answers
    if (slots !== null && 'heldAtMs' in slots) {
      const text = 'workflows did not end in time'
      return { kind: 'failed', failure: { kind: 'refused', code: 'tier.slots_in_use', text, blocked: true } }
    }
    if (slots !== null) return { kind: 'done' }
    return waitForSlots(work, 'drain-slots', DRAIN_LIMIT_SECONDS)
  },
  undo: nothingToUndo,
}

/** Waits for billing to say that no workflow runs; the first time with the command that asks for it. */
export function waitForSlots(work: StepWork, step: StepKey, limitSeconds?: number): StepOutcome {
  const waiting = { kind: 'waiting', waitingFor: 'slots' } as const
  if (stepOf(work.operation, step).evidence['commandId'] !== undefined) return waiting
  const command = billingCommand(work, slotsFreezeRequested, 'slots-freeze-requested', {
    sequence: `${work.tenant.factSequence}`,
    ...(limitSeconds === undefined ? {} : { limitSeconds }),
  })
  return { ...waiting, evidence: { commandId: command.event.id }, events: [command] }
}

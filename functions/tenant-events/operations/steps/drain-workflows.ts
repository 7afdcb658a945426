import { waitForSlots } from './drain-slots.ts'
import { nothingToUndo, type Step } from './step.ts'

/**
 * S03, first half, of a soft suspension: waits until no workflow runs. None begins since `suspend-started`,
 * and with the tenant's tokens gone nobody renews a lease, so that it ends by itself.
 *
 * A hard suspension waits for nobody, also one that became hard while this step waited.
 */
export const drainWorkflows: Step = {
  run: async (work) => {
    const { tenant, operation } = work
    const mode = tenant.desired.suspension?.mode ?? operation.request.mode
    if (mode === 'hard') return { kind: 'done', evidence: { drained: 'not waited for' } }
    if (operation.answers.slots !== null) return { kind: 'done', evidence: { drained: 'yes' } }
    return waitForSlots(work, 'drain-workflows')
  },
  undo: nothingToUndo,
}

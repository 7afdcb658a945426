import { nothingToUndo, type Step } from './step.ts'

/** The tenant stands still, in the hardest mode that was asked for so far, and everybody hears of it. */
export const commitSuspension: Step = {
  run: async ({ operation }) => ({
    kind: 'done',
    change: (tenant) => {
      const { mode = 'soft' } = operation.request
      const suspension = tenant.desired.suspension ?? { mode, reason: 'admin' }
      return { ...tenant, state: 'SUSPENDED', observed: { ...tenant.observed, suspension } }
    },
    facts: ['suspended'],
  }),
  undo: nothingToUndo,
}

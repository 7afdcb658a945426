import { nothingToUndo, type Step } from './step.ts'

/** The tenant works again, within the tier it pays for; one that was ordered meanwhile follows. */
export const commitResumption: Step = {
  run: async () => ({
    kind: 'done',
    change: (tenant) => ({
      ...tenant,
      state: 'ACTIVE',
      observed: { ...tenant.observed, suspension: null },
    }),
    facts: ['resumed'],
  }),
  undo: nothingToUndo,
}

import { nothingToUndo, type Step } from './step.ts'

/** P13: the tenant is active, and everybody hears of it, with the commit that ends the operation. */
export const activate: Step = {
  run: async ({ operation }) => ({
    kind: 'done',
    change: (tenant) => ({
      ...tenant,
      state: 'ACTIVE',
      observed: { ...tenant.observed, tier: operation.desired.tier },
    }),
    facts: ['activated'],
  }),
  undo: nothingToUndo,
}

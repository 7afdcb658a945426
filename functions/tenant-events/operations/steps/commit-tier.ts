import { nothingToUndo, type Step } from './step.ts'

/** U06: the tenant has the tier, and everybody hears of it, with the commit that ends the operation. */
export const commitTier: Step = {
  run: async ({ operation }) => {
    const { charge } = operation.answers
    return {
      kind: 'done',
      change: (tenant) => ({
        ...tenant,
        state: 'ACTIVE',
        observed: {
          ...tenant.observed,
          tier: operation.desired.tier,
          ...(charge?.kind === 'charged' ? { planId: charge.planId } : {}),
        },
      }),
      facts: ['tier-changed'],
    }
  },
  undo: nothingToUndo,
}

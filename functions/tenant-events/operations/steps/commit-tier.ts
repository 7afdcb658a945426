import { nothingToUndo, type Step } from './step.ts'

/**
 * U06: with the commit that ends the operation the tenant has the tier, and everybody hears of it; here,
 * that it is billed by the plan of the tier.
 */
export const commitTier: Step = {
  run: async ({ operation }) => {
    const { charge } = operation.answers
    if (charge?.kind !== 'charged') return { kind: 'done' }
    const { planId } = charge
    return { kind: 'done', change: (tenant) => ({ ...tenant, observed: { ...tenant.observed, planId } }) }
  },
  undo: nothingToUndo,
}

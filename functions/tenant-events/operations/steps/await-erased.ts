import { digestOf } from '#shared/json.ts'
import { nothingToUndo, type Step } from './step.ts'

/**
 * G07, first half: waits until auth and billing have said that they erased what they kept. `purge-started`
 * has asked them, with the commit that brought the tenant into its state; each answers once, with counts.
 */
export const awaitErased: Step = {
  run: async ({ operation }) => {
    const { authErased, billingErased } = operation.answers
    if (authErased === null) return { kind: 'waiting', waitingFor: 'auth' }
    if (billingErased === null) return { kind: 'waiting', waitingFor: 'billing' }
    return {
      kind: 'done',
      evidence: {
        auth: digestOf(authErased.counts),
        billing: digestOf(billingErased.counts),
        archived: `${billingErased.archived}`,
      },
    }
  },
  undo: nothingToUndo,
}

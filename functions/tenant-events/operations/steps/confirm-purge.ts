import { nothingToUndo, type Step } from './step.ts'

/**
 * G01: looks once more whether the tenant may go. Entering PURGING was the point of no return for whoever
 * commands; a legal hold that came in the same moment still stops the work before anything is gone.
 */
export const confirmPurge: Step = {
  run: async ({ operation, tenant }) => {
    if (tenant.legalHold !== null) {
      const text = 'the tenant is under legal hold'
      return { kind: 'failed', failure: { kind: 'refused', code: 'tenant.legal_hold', text } }
    }
    const { export: delivered } = tenant
    return {
      kind: 'done',
      evidence: {
        approvals: `${operation.request.approvals?.length ?? 0}`,
        export: delivered === null ? 'waived' : delivered.sha256,
      },
    }
  },
  undo: nothingToUndo,
}

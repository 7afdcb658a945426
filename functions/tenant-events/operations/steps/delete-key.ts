import { nothingToUndo, type Step } from './step.ts'

/**
 * G10, the end: takes the destroyed key out of Cloud KMS, versions first.
 *
 * Its name is retired with it: nobody can make a key of the purged tenant's name again, whatever comes
 * late.
 */
export const deleteKey: Step = {
  run: async ({ signal, tenant, world: { kms } }) => {
    const found = await kms.find(tenant.tenantId, signal)
    if (!found.ok) return { kind: 'failed', failure: found.failure }
    if (found.value === undefined) return { kind: 'done', evidence: { left: '0' } }
    for (const { name } of found.value.versions) {
      const deleted = await kms.deleteVersion(name, signal)
      if (!deleted.ok) return { kind: 'failed', failure: deleted.failure }
    }
    const deleted = await kms.deleteKey(tenant.tenantId, signal)
    if (!deleted.ok) return { kind: 'failed', failure: deleted.failure }
    const left = await kms.find(tenant.tenantId, signal)
    if (!left.ok) return { kind: 'failed', failure: left.failure }
    if (left.value === undefined) return { kind: 'done', evidence: { left: '0' } }
    const text = 'the key was deleted and is still there'
    return { kind: 'failed', failure: { kind: 'transient', code: 'cloud.read_back_differs', text } }
  },
  undo: nothingToUndo,
}

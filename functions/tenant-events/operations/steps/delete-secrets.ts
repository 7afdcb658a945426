import { nothingToUndo, type Step } from './step.ts'

/** G06: every secret that carries the tenant's label, with all its versions, and then a look that none is left. */
export const deleteSecrets: Step = {
  run: async ({ operation, signal, tenant, world }) => {
    const listed = await world.secrets.list(tenant.tenantId, signal)
    if (!listed.ok) return { kind: 'failed', failure: listed.failure }
    for (const { name } of listed.value) {
      const deleted = await world.secrets.delete(name, signal)
      if (!deleted.ok) return { kind: 'failed', failure: deleted.failure }
    }
    if (listed.value.length === 0) return { kind: 'done', evidence: { left: '0' } }
    const left = await world.secrets.list(tenant.tenantId, signal)
    if (!left.ok) return { kind: 'failed', failure: left.failure }
    if (left.value.length === 0) return { kind: 'done', evidence: { left: '0' } }
    const text = `${left.value.length} secrets of ${operation.tenantId} are still listed`
    return { kind: 'failed', failure: { kind: 'transient', code: 'cloud.read_back_differs', text } }
  },
  undo: nothingToUndo,
}

import { namespaceOf } from '#shared/contracts/events/tenant-fact.ts'
import { asRecord } from '#shared/json.ts'
import { judgeVolumes } from '../../domain/volumes.ts'
import { nothingToUndo, type Step } from './step.ts'

/**
 * G04: no volume of the tenant is left in the cluster. A volume outlives its namespace until the driver
 * has deleted the share behind it, so the share is gone when the volume is.
 */
export const proveVolumesGone: Step = {
  run: async (work) => {
    const namespace = namespaceOf(work.tenant.tenantId)
    const listed = await work.cluster.list({ apiVersion: 'v1', kind: 'PersistentVolume' }, work.signal)
    if (!listed.ok) return { kind: 'failed', failure: listed.failure }
    const left = listed.value.filter(
      ({ body }) => asRecord(asRecord(body['spec'])?.['claimRef'])?.['namespace'] === namespace,
    )
    const judged = judgeVolumes(left)
    if (judged.kind === 'gone') return { kind: 'done', evidence: { volumesLeft: '0' } }
    if (judged.kind === 'held') return { kind: 'failed', failure: judged.failure }
    return { kind: 'waiting', waitingFor: 'volume', evidence: { volumes: judged.names.slice(0, 300) } }
  },
  undo: nothingToUndo,
}

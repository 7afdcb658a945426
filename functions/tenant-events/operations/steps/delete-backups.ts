import { TENANT_LABEL } from '../../domain/kubernetes-objects.ts'
import { BACKUP_NAMESPACE, backupDeletion, backupSchedule } from '../../domain/kubernetes-workloads.ts'
import { clusterSpecOf, deleteObject, kindOf } from './apply-objects.ts'
import { nothingToUndo, type Step } from './step.ts'

/**
 * G09, the part in the cluster: no further backup is made, and Velero is asked to delete each one there
 * is with the data it holds. Done when none is listed any more.
 */
export const deleteBackups: Step = {
  run: async (work) => {
    const spec = clusterSpecOf(work)
    const schedule = backupSchedule(spec)
    const stopped = await deleteObject(work, kindOf(schedule), schedule.metadata.name)
    if (!stopped.ok) return { kind: 'failed', failure: stopped.failure }
    const backups = { apiVersion: 'velero.io/v1', kind: 'Backup', namespace: BACKUP_NAMESPACE }
    const labels = { [TENANT_LABEL]: work.tenant.tenantId }
    const listed = await work.cluster.list({ ...backups, labels }, work.signal)
    if (!listed.ok) return { kind: 'failed', failure: listed.failure }
    for (const { name } of listed.value) {
      const asked = await work.cluster.apply(backupDeletion(spec, name), work.signal)
      if (!asked.ok) return { kind: 'failed', failure: asked.failure }
    }
    const left = listed.value.length
    if (left > 0 || stopped.value === 'going') {
      return { kind: 'waiting', waitingFor: 'cluster', evidence: { backups: `${left}` } }
    }
    return { kind: 'done', evidence: { backups: '0' } }
  },
  undo: nothingToUndo,
}

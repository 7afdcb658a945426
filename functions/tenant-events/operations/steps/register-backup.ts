import { backupSchedule } from '../../domain/kubernetes-workloads.ts'
import { applyObjects, clusterSpecOf, deleteObject, kindOf } from './apply-objects.ts'
import type { Step } from './step.ts'

/** P12: Velero backs the namespace up each night from here on. */
export const registerBackup: Step = {
  run: (work) => applyObjects(work, [backupSchedule(clusterSpecOf(work))]),
  undo: async (work) => {
    const schedule = backupSchedule(clusterSpecOf(work))
    const deleted = await deleteObject(work, kindOf(schedule), schedule.metadata.name)
    if (!deleted.ok) return { kind: 'failed', failure: deleted.failure }
    return deleted.value === 'gone' ? { kind: 'done' } : { kind: 'waiting', waitingFor: 'cluster' }
  },
}

import { randomUUID } from 'node:crypto'
import { type KubeObject, objectAt, textAt, timestamp } from './json.ts'
import type { ObjectStore } from './object-store.ts'
import { resourceOf } from './resources.ts'

const DAY_MS = 86_400_000

/**
 * One turn of Velero: the last backup that each schedule owes, no backup beyond its time, and none that it
 * was asked to delete. Of a schedule it knows `minute hour * * *` alone.
 */
export function runBackups(store: ObjectStore, nowMs: number): void {
  for (const schedule of store.list(resourceOf('schedules'), 'velero')) backUp(store, schedule, nowMs)
  for (const backup of store.list(resourceOf('backups'), 'velero')) {
    if (Date.parse(textAt(backup, 'status', 'expiration')) <= nowMs)
      store.remove(resourceOf('backups'), backup)
  }
  for (const request of store.list(resourceOf('deletebackuprequests'), 'velero')) {
    const backup = store.get(resourceOf('backups'), 'velero', textAt(request, 'spec', 'backupName'))
    if (backup !== undefined) store.remove(resourceOf('backups'), backup)
    store.remove(resourceOf('deletebackuprequests'), request)
  }
}

function backUp(store: ObjectStore, schedule: KubeObject, nowMs: number): void {
  const due = lastDueMs(textAt(schedule, 'spec', 'schedule'), nowMs)
  const last = Date.parse(
    textAt(schedule, 'status', 'lastBackup') || (schedule.metadata.creationTimestamp ?? ''),
  )
  if (due === undefined || due <= last || objectAt(schedule, 'spec')['paused'] === true) return
  store.put(resourceOf('schedules'), {
    ...schedule,
    status: { phase: 'Enabled', lastBackup: timestamp(due) },
  })
  const template = objectAt(schedule, 'spec', 'template')
  const hours = Number(/^(\d+)h/.exec(textAt(template, 'ttl'))?.[1] ?? 720)
  store.put(resourceOf('backups'), {
    apiVersion: 'velero.io/v1',
    kind: 'Backup',
    metadata: {
      name: `${schedule.metadata.name}-${timestamp(due).replace(/\D/g, '')}`,
      namespace: 'velero',
      uid: randomUUID(),
      creationTimestamp: timestamp(nowMs),
      labels: {
        ...(objectAt(template, 'metadata', 'labels') as Record<string, string>),
        'velero.io/schedule-name': schedule.metadata.name,
        'velero.io/storage-location': textAt(template, 'storageLocation'),
      },
    },
    spec: template,
    status: { phase: 'Completed', expiration: timestamp(due + hours * 3_600_000) },
  })
}

/** When the schedule was due last, at or before `nowMs`. */
function lastDueMs(schedule: string, nowMs: number): number | undefined {
  const [, minute, hour] = /^(\d{1,2}) (\d{1,2}) \* \* \*$/.exec(schedule) ?? []
  if (minute === undefined || hour === undefined) return undefined
  const today = Math.floor(nowMs / DAY_MS) * DAY_MS + (Number(hour) * 60 + Number(minute)) * 60_000
  return today <= nowMs ? today : today - DAY_MS
}

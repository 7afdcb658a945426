import { runBackups } from './backups.ts'
import { runNamespaceController } from './namespaces.ts'
import type { ObjectStore } from './object-store.ts'
import type { Target } from './request.ts'
import { runVolumes } from './volumes.ts'
import { runWorkloads } from './workloads.ts'

export type ControllerOptions = {
  readonly now: () => number
  readonly namespaceTerminationMs?: number
  readonly volumeDeletionMs?: number
}

/**
 * One turn of the controllers a cluster lives by: namespaces, Flux, the storage driver, Velero.
 *
 * They run before a request instead of in the background, so that nothing happens between two requests
 * that a test did not cause; and each only where the request looks, all of them when nothing is named.
 */
export function runControllers(store: ObjectStore, options: ControllerOptions, target?: Target): void {
  const nowMs = options.now()
  const plural = target?.resource.plural
  const namespace = plural === 'namespaces' ? target?.name : target?.namespace
  runNamespaceController(store, nowMs, options.namespaceTerminationMs ?? 1000)
  runWorkloads(store, nowMs, namespace === '' ? undefined : namespace)
  const volumes = [undefined, 'persistentvolumes', 'persistentvolumeclaims', 'pods']
  if (volumes.includes(plural)) runVolumes(store, nowMs, options.volumeDeletionMs ?? 1000)
  if (target === undefined || target.resource.group === 'velero.io') runBackups(store, nowMs)
}

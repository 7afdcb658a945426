import { runBackups } from './backups.ts'
import { runNamespaceController } from './namespaces.ts'
import type { ObjectStore } from './object-store.ts'
import type { Target } from './request.ts'
import { runClaims, runVolumes } from './volumes.ts'
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
  const named = plural === 'namespaces' ? target?.name : target?.namespace
  const namespace = named === '' ? undefined : named
  runNamespaceController(store, nowMs, options.namespaceTerminationMs ?? 1000)
  runWorkloads(store, nowMs, namespace)
  const volumes = plural === undefined || plural === 'persistentvolumes'
  if (volumes || plural === 'persistentvolumeclaims' || plural === 'pods') runClaims(store, nowMs, namespace)
  if (volumes) runVolumes(store, nowMs, options.volumeDeletionMs ?? 1000)
  if (target === undefined || target.resource.group === 'velero.io') runBackups(store, nowMs)
}

import { randomUUID } from 'node:crypto'
import { at, type KubeObject, listAt, objectAt, textAt, timestamp } from './json.ts'
import type { ObjectStore } from './object-store.ts'
import { resourceOf } from './resources.ts'

/** Keeps a claim while a pod uses it. */
export const CLAIM_PROTECTION = 'kubernetes.io/pvc-protection'

/** Whether a pod of its namespace mounts the claim. */
export function isClaimInUse(store: ObjectStore, claim: KubeObject): boolean {
  return podsOf(store, claim).length > 0
}

function podsOf(store: ObjectStore, claim: KubeObject): KubeObject[] {
  return store
    .list(resourceOf('pods'), claim.metadata.namespace ?? '')
    .filter((pod) =>
      listAt(pod, 'spec', 'volumes').some(
        (volume) => textAt(volume, 'persistentVolumeClaim', 'claimName') === claim.metadata.name,
      ),
    )
}

/** One turn of the storage driver about the claims of a namespace, or of all: binds what pods want, lets it grow. */
export function runClaims(store: ObjectStore, nowMs: number, namespace: string | undefined): void {
  for (const claim of store.list(resourceOf('persistentvolumeclaims'), namespace)) {
    settleClaim(store, claim, nowMs)
  }
}

/** One about volumes: those of claims that are gone are deleted, `deletionMs` after they were released. */
export function runVolumes(store: ObjectStore, nowMs: number, deletionMs: number): void {
  for (const volume of store.list(resourceOf('persistentvolumes')))
    settleVolume(store, volume, nowMs, deletionMs)
}

function settleClaim(store: ObjectStore, claim: KubeObject, nowMs: number): void {
  const claims = resourceOf('persistentvolumeclaims')
  const used = isClaimInUse(store, claim)
  if (claim.metadata.deletionTimestamp !== undefined) {
    const finalizers = (claim.metadata.finalizers ?? []).filter((one) => one !== CLAIM_PROTECTION || used)
    if (finalizers.length === 0) store.remove(claims, claim)
    return
  }
  const storage = objectAt(claim, 'spec', 'resources', 'requests')['storage']
  const bound = textAt(claim, 'status', 'phase') === 'Bound'
  if (!bound && !used) return
  if (bound && at(claim, 'status', 'capacity', 'storage') === storage) return
  const volumeName = textAt(claim, 'spec', 'volumeName') || `pvc-${claim.metadata.uid}`
  const status = { phase: 'Bound', accessModes: listAt(claim, 'spec', 'accessModes'), capacity: { storage } }
  store.put(claims, { ...claim, spec: { ...objectAt(claim, 'spec'), volumeName }, status })
  const volumes = resourceOf('persistentvolumes')
  const old = store.get(volumes, '', volumeName)
  if (old === undefined) store.put(volumes, volumeOf(store, claim, volumeName, nowMs))
  else store.put(volumes, { ...old, spec: { ...objectAt(old, 'spec'), capacity: { storage } } })
}

function volumeOf(store: ObjectStore, claim: KubeObject, name: string, nowMs: number): KubeObject {
  const className = textAt(claim, 'spec', 'storageClassName')
  const storageClass = store.get(resourceOf('storageclasses'), '', className)
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name, uid: randomUUID(), creationTimestamp: timestamp(nowMs) },
    spec: {
      accessModes: listAt(claim, 'spec', 'accessModes'),
      capacity: { storage: objectAt(claim, 'spec', 'resources', 'requests')['storage'] },
      claimRef: {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        namespace: claim.metadata.namespace,
        name: claim.metadata.name,
        uid: claim.metadata.uid,
      },
      csi: {
        driver: textAt(storageClass, 'provisioner') || 'filestore.csi.storage.gke.io',
        volumeHandle: `modeMultishare/energent/${name}`,
      },
      persistentVolumeReclaimPolicy: textAt(storageClass, 'reclaimPolicy') || 'Delete',
      storageClassName: className,
      volumeMode: 'Filesystem',
    },
    status: { phase: 'Bound', lastPhaseTransitionTime: timestamp(nowMs) },
  }
}

function settleVolume(store: ObjectStore, volume: KubeObject, nowMs: number, deletionMs: number): void {
  const volumes = resourceOf('persistentvolumes')
  const claimRef = objectAt(volume, 'spec', 'claimRef')
  if (textAt(claimRef, 'name') === '') return
  const claim = store.get(
    resourceOf('persistentvolumeclaims'),
    textAt(claimRef, 'namespace'),
    textAt(claimRef, 'name'),
  )
  if (claim?.metadata.uid === claimRef['uid']) return
  if (textAt(volume, 'status', 'phase') !== 'Released') {
    store.put(volumes, {
      ...volume,
      status: { phase: 'Released', lastPhaseTransitionTime: timestamp(nowMs) },
    })
    return
  }
  const since = Date.parse(textAt(volume, 'status', 'lastPhaseTransitionTime'))
  const deletes = textAt(volume, 'spec', 'persistentVolumeReclaimPolicy') === 'Delete'
  if (deletes && nowMs >= since + deletionMs) store.remove(volumes, volume)
}

import { asRecord } from '#shared/json.ts'
import { USED_BYTES } from '../../functions/tenant-events/domain/volume.ts'
import type { ClusterKind, LiveObject } from '../../functions/tenant-events/ports/cluster.ts'

export type Objects = Map<string, LiveObject>
export type Store = (path: string, live: Omit<LiveObject, 'uid'>, uid?: string) => LiveObject

/** The key of an object: `Kind/namespace/name`. */
export function pathIn({ kind, namespace }: ClusterKind, name: string): string {
  return `${kind}/${namespace ?? ''}/${name}`
}

const AGENT = 'tenant-agents-0'

/**
 * What Flux, the autoscaler and the storage driver do about a namespace: one agent while the release is
 * active and the quota lets it in, with the volume it wants; none when the release says so. Velero deletes
 * the backups it is asked to.
 */
export function runControllers(objects: Objects, namespace: string, store: Store): void {
  for (const path of [...objects.keys()].filter((one) => one.startsWith('DeleteBackupRequest/'))) {
    objects.delete(path)
    objects.delete(path.replace('DeleteBackupRequest/', 'Backup/'))
  }
  const home = objects.get(`Namespace//${namespace}`)
  const release = specOf(objects.get(`HelmRelease/${namespace}/tenant-agents`))
  const pod = objects.get(`Pod/${namespace}/${AGENT}`)
  if (home === undefined || home.terminating || release === undefined || release['suspend'] === true) return
  if (asRecord(release['values'])?.['suspended'] === true) {
    if (pod !== undefined) objects.set(`Pod/${namespace}/${AGENT}`, { ...pod, terminating: true })
    return
  }
  const hard = asRecord(specOf(objects.get(`ResourceQuota/${namespace}/tenant-compute`))?.['hard'])
  if (pod !== undefined || hard?.['pods'] === '0') return
  bindVolume(objects, namespace, store)
  store(`Pod/${namespace}/${AGENT}`, {
    name: AGENT,
    labels: { 'energent.ai/role': 'agent' },
    terminating: false,
    body: { metadata: { name: AGENT, namespace }, spec: {}, status: { phase: 'Running' } },
  })
}

function bindVolume(objects: Objects, namespace: string, store: Store): void {
  const path = `PersistentVolumeClaim/${namespace}/tenant-data`
  const claim = objects.get(path)
  const name = `pvc-${claim?.uid}`
  if (claim === undefined || objects.has(`PersistentVolume//${name}`)) return
  const spec = { ...asRecord(claim.body['spec']), volumeName: name }
  const metadata = asRecord(claim.body['metadata'])
  // Whoever meters storage measures it from the first day on.
  const annotations = { ...asRecord(metadata?.['annotations']), [USED_BYTES]: `${2 ** 30}` }
  const body = { ...claim.body, metadata: { ...metadata, annotations }, spec, status: { phase: 'Bound' } }
  objects.set(path, { ...claim, body })
  const claimRef = { namespace, name: claim.name, uid: claim.uid }
  store(`PersistentVolume//${name}`, {
    name,
    labels: {},
    terminating: false,
    body: {
      metadata: { name },
      spec: { claimRef, csi: { volumeHandle: name }, persistentVolumeReclaimPolicy: 'Delete' },
      status: { phase: 'Bound' },
    },
  })
}

/** What was looked at while it was on its way out is gone; with a namespace go its contents, its volumes later. */
export function vanish(objects: Objects, path: string, store: Store): void {
  objects.delete(path)
  const [kind, inNamespace = '', name = ''] = path.split('/')
  if (kind === 'Pod') runControllers(objects, inNamespace, store)
  if (kind !== 'Namespace') return
  for (const inside of [...objects.keys()].filter((one) => one.split('/')[1] === name)) objects.delete(inside)
  for (const [at, live] of objects) {
    if (!at.startsWith('PersistentVolume/')) continue
    const claimRef = asRecord(specOf(live)?.['claimRef'])
    if (claimRef?.['namespace'] === name) objects.set(at, { ...live, terminating: true })
  }
}

function specOf(live: LiveObject | undefined): Readonly<Record<string, unknown>> | undefined {
  return asRecord(live?.body['spec'])
}

import type { LiveObject } from '../../../functions/tenant-events/ports.ts'
import { type MemoryCloud, memoryCloud } from '../memory-cloud.ts'
import { type MemoryCluster, memoryCluster } from '../memory-cluster.ts'
import { type MemoryLeaving, memoryLeaving } from '../memory-purge.ts'
import { type MemoryDocuments, memoryDocuments } from '../memory-store.ts'
import { newOthers, type Others } from './others.ts'

export const SHARED_CLUSTER = 'energent-shared'

/** As long as it took a real namespace after its last finalizer. */
const LINGERS_MS = 40_000

/** All that outlives a process. */
export type Ground = {
  readonly now: () => number
  readonly documents: MemoryDocuments
  readonly clusters: Map<string, MemoryCluster>
  readonly cloud: MemoryCloud
  readonly leaving: MemoryLeaving
  readonly others: Others
}

export function newGround(now: () => number, refuses: Others['refuses'] = {}): Ground {
  const documents = memoryDocuments()
  return {
    now,
    documents,
    clusters: new Map([[SHARED_CLUSTER, newCluster(now)]]),
    cloud: memoryCloud(now),
    leaving: { ...memoryLeaving(), certificates: documents.certificates },
    others: newOthers(refuses),
  }
}

/** The cluster of that name; a tenant's own one comes into being with the first look. */
export function clusterOf(ground: Ground, name: string): MemoryCluster {
  const known = ground.clusters.get(name)
  if (known !== undefined) return known
  const made = newCluster(ground.now)
  ground.clusters.set(name, made)
  return made
}

/** What is to be deleted goes a while after the first look at it, whoever looks in the meantime. */
function newCluster(now: () => number): MemoryCluster {
  const cluster = memoryCluster()
  const goesAtMs = new Map<string, number>()
  cluster.lingers = ({ uid }) => {
    const atMs = goesAtMs.get(uid) ?? now() + LINGERS_MS
    goesAtMs.set(uid, atMs)
    return now() < atMs
  }
  return cluster
}

/** Every object of every cluster, by cluster and path. */
export function objectsOf(ground: Ground): Map<string, LiveObject> {
  const all = new Map<string, LiveObject>()
  for (const [name, cluster] of ground.clusters) {
    for (const [path, live] of cluster.objects) all.set(`${name} ${path}`, live)
  }
  return all
}

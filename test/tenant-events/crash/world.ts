import type { LiveObject } from '../../../functions/tenant-events/ports.ts'
import { type MemoryCloud, memoryCloud } from '../memory-cloud.ts'
import { type MemoryCluster, memoryCluster } from '../memory-cluster.ts'
import { type MemoryLeaving, memoryLeaving } from '../memory-purge.ts'
import { type MemoryDocuments, memoryDocuments } from '../memory-store.ts'
import { newOthers, type Others } from './others.ts'

export const SHARED_CLUSTER = 'energent-shared'

/** All that outlives a process. */
export type Ground = {
  readonly documents: MemoryDocuments
  readonly clusters: Map<string, MemoryCluster>
  readonly cloud: MemoryCloud
  readonly leaving: MemoryLeaving
  readonly others: Others
}

export function newGround(now: () => number, refuses: Others['refuses'] = {}): Ground {
  const documents = memoryDocuments()
  return {
    documents,
    clusters: new Map([[SHARED_CLUSTER, memoryCluster()]]),
    cloud: memoryCloud(now),
    leaving: { ...memoryLeaving(), certificates: documents.certificates },
    others: newOthers(refuses),
  }
}

/** The cluster of that name; a tenant's own one comes into being with the first look. */
export function clusterOf(ground: Ground, name: string): MemoryCluster {
  const found = ground.clusters.get(name) ?? memoryCluster()
  ground.clusters.set(name, found)
  return found
}

/** Every object of every cluster, by cluster and path. */
export function objectsOf(ground: Ground): Map<string, LiveObject> {
  const all = new Map<string, LiveObject>()
  for (const [name, cluster] of ground.clusters) {
    for (const [path, live] of cluster.objects) all.set(`${name} ${path}`, live)
  }
  return all
}

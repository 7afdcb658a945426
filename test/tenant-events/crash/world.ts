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

export function newGround(now: () => number): Ground {
  const documents = memoryDocuments()
  return {
    now,
    documents,
    clusters: new Map([[SHARED_CLUSTER, newCluster(now)]]),
    cloud: memoryCloud(now),
    leaving: { ...memoryLeaving(), certificates: documents.certificates },
    others: newOthers(),
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

/** The same world at another moment: what happens in the one does not happen in the other. */
export function copyOf(ground: Ground, now: () => number): Ground {
  const { documents, leaving, others } = ground
  const certificates = new Map(documents.certificates)
  return {
    now,
    documents: {
      tenants: new Map(documents.tenants),
      operations: new Map(documents.operations),
      tombstones: new Set(documents.tombstones),
      certificates,
      timers: new Map(documents.timers),
      outbox: [...documents.outbox],
      audit: [...documents.audit],
      claims: new Map(documents.claims),
    },
    clusters: new Map(
      [...ground.clusters].map(([name, { objects, fail }]) => {
        const copy = newCluster(now, objects)
        copy.fail = fail
        return [name, copy]
      }),
    ),
    cloud: copyOfCloud(ground.cloud, now),
    leaving: { versions: [...leaving.versions], below: new Map(leaving.below), certificates },
    others: structuredClone(others),
  }
}

function copyOfCloud(cloud: MemoryCloud, now: () => number): MemoryCloud {
  const copy = memoryCloud(now)
  for (const [tenantId, key] of cloud.keys) copy.keys.set(tenantId, structuredClone(key))
  for (const [name, secret] of cloud.secretsByName) copy.secretsByName.set(name, structuredClone(secret))
  for (const [name, machine] of cloud.machines) copy.machines.set(name, structuredClone(machine))
  for (const [name, tenantId] of cloud.fleet) copy.fleet.set(name, tenantId)
  return copy
}

/** What is to be deleted goes a while after the first look at it, whoever looks in the meantime. */
function newCluster(now: () => number, held?: MemoryCluster['objects']): MemoryCluster {
  const cluster = memoryCluster(held)
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

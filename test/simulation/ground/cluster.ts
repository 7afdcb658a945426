import type { Simulation } from '#shared/testing/simulation.ts'
import type { Cluster, ClusterAnswer } from '../../../functions/tenant-events/ports.ts'
import { type MemoryCluster, memoryCluster } from '../../tenant-events/memory-cluster.ts'

export type SimulatedCluster = {
  /** What the code under test calls. */
  readonly port: Cluster
  readonly memory: MemoryCluster
}

/** An API server at the end of a line that fails; failures are values, as the production adapter makes them. */
export function simulatedCluster(simulation: Simulation): SimulatedCluster {
  const memory = memoryCluster()
  const call = async <T>(
    what: string,
    signal: AbortSignal,
    apply: () => Promise<ClusterAnswer<T>>,
  ): Promise<ClusterAnswer<T>> => {
    const tooSlow = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason))
    })
    try {
      return await Promise.race([simulation.call('cluster', what, apply), tooSlow])
    } catch (error) {
      return { ok: false, failure: { kind: 'transient', code: 'cluster.unavailable', text: String(error) } }
    }
  }
  const port: Cluster = {
    apply: (object, signal) =>
      call(`apply ${object.kind}/${object.metadata.name}`, signal, () => memory.apply(object, signal)),
    preview: (object, signal) =>
      call(`preview ${object.kind}/${object.metadata.name}`, signal, () => memory.preview(object, signal)),
    find: (kind, name, signal) =>
      call(`find ${kind.kind}/${name}`, signal, () => memory.find(kind, name, signal)),
    list: (kind, signal) => call(`list ${kind.kind}`, signal, () => memory.list(kind, signal)),
    delete: (kind, name, uid, signal) =>
      call(`delete ${kind.kind}/${name}`, signal, () => memory.delete(kind, name, uid, signal)),
    review: (questions, signal) => call('review', signal, () => memory.review(questions, signal)),
    ping: () => memory.ping(),
  }
  return { port, memory }
}

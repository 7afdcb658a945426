import type { Simulation } from '#shared/testing/simulation.ts'
import type { CloudAnswer, CloudPorts } from '../../../functions/tenant-events/ports/cloud.ts'
import { type MemoryCloud, memoryCloud } from '../../tenant-events/memory-cloud.ts'

export type SimulatedCloud = {
  /** What the code under test calls. */
  readonly ports: CloudPorts
  readonly memory: MemoryCloud
}

type Call = (...args: unknown[]) => Promise<CloudAnswer<unknown>>

/** Google's services at the end of a line that fails; failures are values, as the production adapters make them. */
export function simulatedCloud(simulation: Simulation): SimulatedCloud {
  const memory = memoryCloud(() => simulation.time.now())
  const reached = <T extends object>(name: string, port: T): T =>
    Object.fromEntries(
      Object.entries(port as Record<string, Call>).map(([method, call]) => [
        method,
        (...args: unknown[]) =>
          inTime(args, async () => simulation.call('cluster', `${name}.${method}`, () => call(...args))),
      ]),
    ) as T
  const ports: CloudPorts = {
    kms: reached('kms', memory.kms),
    iam: reached('iam', memory.iam),
    secrets: reached('secrets', memory.secrets),
    clusters: reached('clusters', memory.clusters),
    memberships: reached('memberships', memory.memberships),
  }
  return { ports, memory }
}

/** The last argument of every method is the signal that ends the call early. */
async function inTime(
  args: readonly unknown[],
  work: () => Promise<CloudAnswer<unknown>>,
): Promise<CloudAnswer<unknown>> {
  const signal = args.at(-1) as AbortSignal
  const tooSlow = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
  })
  try {
    return await Promise.race([work(), tooSlow])
  } catch (error) {
    return { ok: false, failure: { kind: 'transient', code: 'cloud.unreachable', text: String(error) } }
  }
}

import type { NetworkFaults, ProxyCounts } from '#local/fault-proxy/index.ts'
import { type FaultProxy, startFaultProxy } from '#local/fault-proxy/index.ts'

/** One bad line for each instance of a function to one dependency. */
export type Network = {
  readonly lines: readonly FaultProxy[]
  cuts(): number
  counts(): ProxyCounts
  /** Cuts at this rate of requests, until so many connections have been cut on all lines together. */
  cutUntil(cuts: number, rate: number): void
  heal(): void
  close(): Promise<void>
}

/** Most cuts lose the answer of something that happened; the others leave open whether it did. */
const ANSWERS = 0.7

/** Lines that are sound until told otherwise. */
export async function openNetwork(target: string, lines: number, seed: number): Promise<Network> {
  const proxies = await Promise.all(
    Array.from({ length: lines }, (_, at) => startFaultProxy({ target, seed: seed * 1000 + at })),
  )
  const counts = (): ProxyCounts => {
    const all = proxies.map((proxy) => proxy.counts())
    const sum = (name: keyof ProxyCounts): number => all.reduce((total, each) => total + each[name], 0)
    return {
      connections: sum('connections'),
      refused: sum('refused'),
      requests: sum('requests'),
      delays: sum('delays'),
      cuts: sum('cuts'),
      unanswered: sum('unanswered'),
    }
  }
  const setFaults = (faults: NetworkFaults): void => {
    for (const proxy of proxies) proxy.setFaults(faults)
  }
  let watch: NodeJS.Timeout | undefined
  const heal = (): void => {
    clearInterval(watch)
    setFaults({})
  }
  return {
    lines: proxies,
    counts,
    cuts: () => counts().cuts,
    heal,
    cutUntil: (cuts, rate) => {
      setFaults({ cutAnswer: rate * ANSWERS, cutRequest: rate * (1 - ANSWERS) })
      watch = setInterval(() => (counts().cuts >= cuts ? heal() : undefined), 1)
    },
    close: async () => {
      heal()
      await Promise.all(proxies.map((proxy) => proxy.close()))
    },
  }
}

/** Does `act` for each item, `width` at a time. */
export async function eachOf<T>(
  items: readonly T[],
  width: number,
  act: (item: T, at: number) => Promise<void>,
): Promise<void> {
  let next = 0
  const work = async (): Promise<void> => {
    while (next < items.length) {
      const at = next
      next += 1
      const item = items[at]
      if (item !== undefined) await act(item, at)
    }
  }
  await Promise.all(Array.from({ length: width }, work))
}

import { createServer, type Socket } from 'node:net'
import { bindPort } from '#local/tcp-ports.ts'
import { seededChance } from './chance.ts'
import { type Connection, openConnection } from './connection.ts'

/** How often what goes wrong; rates from 0 to 1, of requests unless said otherwise. */
export type NetworkFaults = {
  /** The request takes effect, and the connection is cut in place of its answer. */
  readonly cutAnswer?: number
  /** The connection is cut as soon as the request went up: it may or may not take effect. */
  readonly cutRequest?: number
  /** The answer, and all others on the connection, come `delayMs` later. */
  readonly delay?: number
  readonly delayMs?: number
  /** Of connections: reset before a byte went through. */
  readonly refuse?: number
  /** Cuts after which no more are made. */
  readonly mostCuts?: number
}

/** What a proxy has done so far. */
export type ProxyCounts = {
  readonly connections: number
  readonly refused: number
  readonly requests: number
  readonly delays: number
  /** Connections cut while a request was on them. */
  readonly cuts: number
  /** Requests that never got their answer because of a cut, neighbours on the connection included. */
  readonly unanswered: number
}

export type FaultProxy = {
  /** `127.0.0.1:PORT`: what a client connects to in place of the target. */
  readonly host: string
  readonly port: number
  counts(): ProxyCounts
  /** Replaces the faults from now on; `{}` heals the network. */
  setFaults(faults: NetworkFaults): void
  /** Cuts every connection now, whatever is on it. */
  cutAll(): void
  close(): Promise<void>
}

export type FaultProxyOptions = {
  /** `host:port` to pass everything on to. */
  readonly target: string
  /** 0 or absent: any free port. */
  readonly port?: number
  /** The same seed draws the same faults in the same order; which request meets which is the network's. */
  readonly seed: number
  readonly faults?: NetworkFaults
}

const NO_COUNTS = { connections: 0, refused: 0, requests: 0, delays: 0, cuts: 0, unanswered: 0 }
const USUAL_DELAY_MS = 200

/**
 * A bad network between a client and a server, on the loopback interface.
 *
 * It passes bytes on as they are and cuts, delays or refuses where the seed says so. It understands as
 * much of HTTP/2 as it takes to know when a gRPC request has gone up whole and when its answer is
 * complete, so that "took effect, and nobody heard" is certain and not a matter of luck. Of other
 * protocols each chunk up counts as a request.
 */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const chance = seededChance(options.seed)
  const target = parseTarget(options.target)
  const counts: { -readonly [Name in keyof ProxyCounts]: number } = { ...NO_COUNTS }
  const connections = new Set<Connection>()
  let faults = options.faults ?? {}
  const decide = (): 'cutAnswer' | 'cutRequest' | { delayMs: number } | undefined => {
    counts.requests += 1
    const drawn = chance()
    const { cutAnswer = 0, cutRequest = 0, delay = 0, mostCuts = Number.POSITIVE_INFINITY } = faults
    if (drawn < cutAnswer + cutRequest) {
      // A cut that is under way counts: several requests may be waiting for theirs.
      const underWay = [...connections].filter((connection) => connection.doomed()).length
      if (counts.cuts + underWay >= mostCuts) return undefined
      return drawn < cutAnswer ? 'cutAnswer' : 'cutRequest'
    }
    if (drawn >= cutAnswer + cutRequest + delay) return undefined
    counts.delays += 1
    return { delayMs: faults.delayMs ?? USUAL_DELAY_MS }
  }
  const server = createServer((client: Socket) => {
    counts.connections += 1
    if (chance() < (faults.refuse ?? 0)) {
      counts.refused += 1
      client.resetAndDestroy()
      return
    }
    const connection = openConnection(client, target, {
      decide,
      onCut: (unanswered) => {
        counts.cuts += 1
        counts.unanswered += unanswered
      },
      onClosed: () => connections.delete(connection),
    })
    connections.add(connection)
  })
  const port = await bindPort(server, options.port ?? 0)
  const endAll = (): void => {
    for (const connection of connections) connection.cut()
  }
  return {
    host: `127.0.0.1:${port}`,
    port,
    counts: () => ({ ...counts }),
    setFaults: (next) => {
      faults = next
    },
    cutAll: endAll,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        endAll()
      }),
  }
}

function parseTarget(target: string): { host: string; port: number } {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(target) ?? []
  if (host === undefined || port === undefined) throw new TypeError(`'${target}' is not host:port`)
  return { host, port: Number(port) }
}

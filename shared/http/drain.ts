import type { Server, ServerResponse } from 'node:http'

/** Cloud Run ends the process ten seconds after SIGTERM. */
const LONGEST_DRAIN_MS = 9_000

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/** What a server has under way, so that it can end without cutting anyone off. */
export type Drain = {
  /** Counts a request until its response is over. */
  enter(response: ServerResponse): void
}

/**
 * Lets a server of functions-framework finish what it has begun when the platform stops the instance.
 *
 * The framework's own handlers of these signals end the process at once, and every request in flight
 * with it. They are registered as the server starts to listen, so they are told apart from others by
 * that moment and replaced; a server that is not run by the framework's main program keeps its own.
 */
export function drainOnSignal(server: Server): Drain {
  const underWay = new Set<ServerResponse>()
  let draining = false
  const endWhenIdle = (): void => {
    if (draining && underWay.size === 0) process.exit(0)
  }
  const drain = (): void => {
    if (draining) return
    draining = true
    server.close()
    for (const response of underWay) response.shouldKeepAlive = false
    // Real time on purpose: the platform waits no longer, whatever our clock says.
    setTimeout(() => process.exit(0), LONGEST_DRAIN_MS).unref()
    endWhenIdle()
  }
  server.once('listening', () => {
    const known = new Map(SIGNALS.map((signal) => [signal, new Set(process.listeners(signal))]))
    queueMicrotask(() => {
      for (const signal of SIGNALS) {
        const added = process
          .listeners(signal)
          .filter((listener) => known.get(signal)?.has(listener) !== true)
        for (const listener of added) process.off(signal, listener)
        if (added.length > 0) process.on(signal, drain)
      }
    })
  })
  return {
    enter: (response) => {
      underWay.add(response)
      if (draining) response.shouldKeepAlive = false
      response.once('close', () => {
        underWay.delete(response)
        endWhenIdle()
      })
    },
  }
}

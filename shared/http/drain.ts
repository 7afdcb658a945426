import type { Server, ServerResponse } from 'node:http'
import net from 'node:net'
import { relieve } from './relief.ts'

/** Cloud Run ends the process ten seconds after SIGTERM. */
const LONGEST_DRAIN_MS = 9_000

/** For so long after the signal requests on their way are still taken; a proxy may not have heard of it yet. */
const GRACE_MS = 1_000
/** The process ends when nothing has been under way for so long. */
const QUIET_MS = 100

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
 *
 * A connection closed under a request that was just being sent is a reset for its sender. So the door
 * stays open a moment longer, every answer says that it is the connection's last, and the process ends
 * when it has been quiet.
 */
export function drainOnSignal(server: Server): Drain {
  const underWay = new Set<ServerResponse>()
  let draining = false
  let quiet: NodeJS.Timeout | undefined
  // Real time on purpose, here and below: the platform waits no longer, whatever our clock says.
  const endWhenQuiet = (): void => {
    clearTimeout(quiet)
    if (draining && underWay.size === 0) quiet = setTimeout(() => process.exit(0), QUIET_MS)
  }
  const drain = (): void => {
    if (draining) return
    draining = true
    relieve()
    for (const response of underWay) response.shouldKeepAlive = false
    setTimeout(() => {
      // The listening socket alone: `http.Server.close` would cut the idle connections as well.
      net.Server.prototype.close.call(server)
      server.closeIdleConnections()
    }, GRACE_MS).unref()
    setTimeout(() => process.exit(0), LONGEST_DRAIN_MS).unref()
    endWhenQuiet()
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
      clearTimeout(quiet)
      response.once('close', () => {
        underWay.delete(response)
        endWhenQuiet()
      })
    },
  }
}

import { openSync, readSync } from 'node:fs'

/** Where every reading of the time comes from. Milliseconds since the Unix epoch, UTC. */
export type Clock = {
  now(): number
}

/** The machine's clock: the one place in the project that asks the machine for the time. */
export const systemClock: Clock = { now: () => Date.now() }

/**
 * A clock that runs `offset` milliseconds beside the machine's, the offset read from an 8-byte file
 * (signed, big-endian) at every call.
 *
 * The local stack moves the time of all its processes at once by writing that file. A read of a
 * descriptor kept open costs about a microsecond and has no propagation delay, and the offset
 * survives restarts. `readConfig` refuses the setting outside `demo-*` projects.
 */
export function fileClock(path: string): Clock {
  const descriptor = openSync(path, 'r')
  const bytes = Buffer.alloc(8)
  return {
    now: () => {
      const read = readSync(descriptor, bytes, 0, 8, 0)
      return Date.now() + (read === 8 ? Number(bytes.readBigInt64BE()) : 0)
    },
  }
}

/** A clock that stands still until it is moved, for tests and simulations. */
export function manualClock(startMs: number): Clock & { set(ms: number): void; advance(ms: number): void } {
  let current = startMs
  return {
    now: () => current,
    set: (ms) => {
      current = ms
    },
    advance: (ms) => {
      current += ms
    },
  }
}

/** How much an instance takes on. */
export type LoadLimits = {
  /** Requests under way at once, open routes not counted out. */
  readonly mostUnderWay: number
  /** How late the event loop may run, in milliseconds, before nothing more is taken. */
  readonly mostLagMs: number
}

/** What of an instance is full. */
export type Full = 'places' | 'loop'

export type LoadGate = {
  /** What leaves no room for one more; undefined while there is room. */
  whatIsFull(): Full | undefined
  /** Counts one that was let in, with or without room, until the returned function is called. */
  enter(): () => void
}

/** Real time and timers; a test puts its own. */
export type GateTimers = {
  readonly nowMs: () => number
  /** Calls `tick` every `ms` until the returned function is called. */
  readonly every: (ms: number, tick: () => void) => () => void
}

const SAMPLE_EVERY_MS = 100
/** So many late samples in a row are overload; a single long block, as the loading of a client, is not. */
const LATE_SAMPLES = 3

const realTimers: GateTimers = {
  nowMs: () => performance.now(),
  every: (ms, tick) => {
    const timer = setInterval(tick, ms).unref()
    return () => clearInterval(timer)
  },
}

/**
 * Decides whether an instance takes one more request, by what is under way and by how late its event
 * loop runs.
 *
 * To refuse costs a small part of what an answer costs, so an instance that refuses in time goes on
 * answering at its best rate whatever is offered. The loop is only watched while something is under
 * way: between requests the platform takes the processor away, and everything would look late.
 */
export function loadGate(limits: LoadLimits, timers: GateTimers = realTimers): LoadGate {
  let underWay = 0
  let lateSamples = 0
  let stopWatching: (() => void) | undefined
  const watch = (): void => {
    let expectedMs = timers.nowMs() + SAMPLE_EVERY_MS
    stopWatching = timers.every(SAMPLE_EVERY_MS, () => {
      const nowMs = timers.nowMs()
      lateSamples = nowMs - expectedMs > limits.mostLagMs ? lateSamples + 1 : 0
      expectedMs = nowMs + SAMPLE_EVERY_MS
    })
  }
  return {
    whatIsFull: () => {
      if (underWay >= limits.mostUnderWay) return 'places'
      return lateSamples < LATE_SAMPLES ? undefined : 'loop'
    },
    enter: () => {
      underWay += 1
      if (stopWatching === undefined) watch()
      let left = false
      return () => {
        if (left) return
        left = true
        underWay -= 1
        if (underWay > 0) return
        stopWatching?.()
        stopWatching = undefined
        lateSamples = 0
      }
    },
  }
}

/** A dependency did not answer in time: the caller gets 503, a message is delivered again. */
export class DeadlineExceeded extends Error {
  override readonly name = 'DeadlineExceeded'
}

/** A dependency could not be reached or did not answer as it should: the same as one that is too slow. */
export class DependencyFailed extends Error {
  override readonly name = 'DependencyFailed'
}

/**
 * The promise's outcome, or `DeadlineExceeded` after `limitMs` of real time.
 *
 * The work itself cannot be called back: its effect may still happen, which is why every effect is
 * a conditional commit that recognises itself.
 */
export async function withDeadline<T>(what: string, limitMs: number, work: Promise<T>): Promise<T> {
  let cancel = (): void => {}
  const expiry = new Promise<never>((_resolve, reject) => {
    const expire = (): void => reject(new DeadlineExceeded(`${what} took longer than ${limitMs} ms`))
    cancel = timers.after(limitMs, expire)
  })
  try {
    return await Promise.race([work, expiry])
  } finally {
    cancel()
  }
}

/** Resolves after `ms` of real time: what lies between two tries. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void timers.after(ms, resolve))
}

/**
 * Resolves in the next round of the event loop, after what has arrived in the meantime was looked at.
 * Not one of `timers`: no time passes, in a simulation either.
 */
export function nextRound(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}

/** Calls back after `ms` of real time; the returned function takes that back. */
export function after(ms: number, run: () => void): () => void {
  return timers.after(ms, run)
}

/** A signal that ends work after `limitMs` of real time; alone it keeps no process alive. */
export function signalAfter(limitMs: number): AbortSignal {
  return timers.signalAfter(limitMs)
}

/** How long one call to a store, a broker or a secret may take. */
export const CALL_DEADLINE_MS = 8_000

/** What waits in real time. A simulation runs hours in moments, so it puts its own in place. */
export type Timers = {
  /** Calls back after `ms`; the returned function takes that back. */
  after(ms: number, run: () => void): () => void
  signalAfter(ms: number): AbortSignal
}

const systemTimers: Timers = {
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
  signalAfter: (ms) => AbortSignal.timeout(ms),
}

let timers = systemTimers

/** Puts other timers in place, for the whole process; the returned function puts the real ones back. */
export function replaceTimers(own: Timers): () => void {
  timers = own
  return () => {
    timers = systemTimers
  }
}

import { replaceTimers } from '#shared/deadline.ts'
import type { Ids } from '#shared/ids.ts'
import { type Random, randomOf } from '#shared/testing/random.ts'
import { type TraceHash, traceHash } from '#shared/testing/trace-hash.ts'
import { promisesAtRest, type VirtualTime, virtualTime } from '#shared/testing/virtual-time.ts'
import type { Faults } from './faults.ts'

/** One process: its memory is the promises that wait in it, and a crash takes them with it. */
export type Process = {
  readonly name: string
  readonly now: () => number
  readonly ids: Ids
  /** Its calls take no time: whoever decides at the same moment comes second. */
  readonly hurried: boolean
  alive: boolean
  frozenUntilMs: number
  /** What its event loop finds when it wakes: what is due comes before what has arrived. */
  readonly due: (() => void)[]
  readonly arrived: (() => void)[]
  /** Told of its end. */
  readonly widows: Set<() => void>
}

/** How an invocation ended for whoever asked: `cut` when the process died under it. */
export type Ending<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'cut' }

export type Kernel = {
  readonly time: VirtualTime
  readonly trace: TraceHash
  readonly faults: Faults
  readonly random: (concern: string) => Random
  readonly violations: string[]
  /** Calls of ports so far. */
  calls(): number
  start(hurried?: boolean): Process
  crash(process: Process): void
  /** A call of what lies outside of the process: `effect` happens in one moment, or never. */
  call<T>(
    process: Process,
    port: string,
    what: string,
    effect: () => T | Promise<T>,
    unheard: Unheard<T>,
  ): Promise<T>
  invoke<T>(process: Process, cause: string, work: () => Promise<T>, ended: (ending: Ending<T>) => void): void
  /** Runs in the process after `ms`: not at all if it is dead by then. */
  later(process: Process, ms: number, run: () => void): () => void
  close(): void
}

/** What a caller hears instead of an answer; may throw. */
export type Unheard<T> = (why: 'refused' | 'lost' | 'late' | 'throttled' | 'broken' | 'conflict') => T

/** How long the caller of a port waits for its answer. */
const PATIENCE_MS = 10_000
/** How much later than that an effect may still happen at the other end. */
const AFTERMATH_MS = 2_000

/** Time, chance, processes that die and calls that fail; the same for the same seed. */
export function createKernel(options: {
  readonly seed: number
  readonly startMs: number
  readonly faults: Faults
  readonly keepTrace?: number
}): Kernel {
  const { seed, faults } = options
  const time = virtualTime(options.startMs, promisesAtRest)
  const trace = traceHash(options.keepTrace)
  const latency = randomOf(seed, 'latency')
  const violations: string[] = []
  let started = 0
  let calls = 0
  /** Whose code runs now: nothing else runs until its promises have come to rest. */
  let running: Process | undefined

  const within = (process: Process, queue: 'due' | 'arrived', run: () => void): void => {
    if (!process.alive) return
    if (process.frozenUntilMs > time.now()) {
      process[queue].push(run)
      return
    }
    running = process
    run()
  }
  const thaw = (process: Process): void => {
    // Frozen once more in the meantime.
    if (process.frozenUntilMs > time.now()) return
    for (const run of process.due.splice(0)) within(process, 'due', run)
    for (const run of process.arrived.splice(0)) time.after(0, () => within(process, 'arrived', run))
  }
  const freeze = (process: Process): void => {
    const forMs = latency.between(20_000, 300_000)
    process.frozenUntilMs = time.now() + forMs
    time.after(forMs, () => thaw(process))
  }
  const later = (process: Process, ms: number, run: () => void): (() => void) =>
    time.after(ms, () => within(process, 'due', run))

  const kernel: Kernel = {
    time,
    trace,
    faults,
    violations,
    random: (concern) => randomOf(seed, concern),
    calls: () => calls,
    start: (hurried = false) => {
      started += 1
      const skewMs = faults.skewMs()
      const name = `p${started}`
      return {
        name,
        hurried,
        now: () => time.now() + skewMs,
        ids: idsOf(name, randomOf(seed, name)),
        ...{ alive: true, frozenUntilMs: 0, due: [], arrived: [], widows: new Set() },
      }
    },
    crash: (process) => {
      if (!process.alive) return
      trace.note(time.now(), process.name, 'crashed')
      process.alive = false
      for (const widow of process.widows) time.after(latency.between(1, 20), widow)
      process.widows.clear()
    },
    call: (process, port, what, effect, unheard) =>
      new Promise((resolve, reject) => {
        if (!process.alive) return
        calls += 1
        const fate = faults.call(port, what, time.now())
        trace.note(time.now(), process.name, port, what, fate)
        const hear = (why: Parameters<Unheard<never>>[0]): void => {
          try {
            resolve(unheard(why))
          } catch (error) {
            reject(error)
          }
        }
        const arrives = (answered: boolean) => (): void => {
          // Its effect does not depend on whether anybody is left to hear of it.
          const effected = settled(effect)
          trace.note(time.now(), port, what, 'took effect')
          effected.catch(() => {})
          if (answered) within(process, 'arrived', () => effected.then(resolve, reject))
        }
        switch (fate) {
          case 'answered':
          case 'frozen':
            time.after(process.hurried ? 0 : latency.between(1, 12), () => {
              if (!process.alive) return
              if (fate === 'frozen') freeze(process)
              arrives(true)()
            })
            return
          case 'crash-before':
            kernel.crash(process)
            return
          case 'crash-after':
            time.after(latency.between(1, 12), () => {
              arrives(false)()
              kernel.crash(process)
            })
            return
          case 'refused':
          case 'throttled':
          case 'broken':
          case 'conflict':
            time.after(latency.between(1, 12), () => within(process, 'arrived', () => hear(fate)))
            return
          case 'lost':
            time.after(latency.between(1, 12), arrives(false))
            later(process, latency.between(20, PATIENCE_MS), () => hear(fate))
            return
          case 'late':
            time.after(latency.between(PATIENCE_MS - 5_000, PATIENCE_MS + AFTERMATH_MS), arrives(false))
            later(process, PATIENCE_MS, () => hear(fate))
            return
          default:
            throw new TypeError(`there is no fate ${fate satisfies never}`)
        }
      }),
    invoke: (process, cause, work, ended) => {
      const cut = (): void => {
        trace.note(time.now(), process.name, cause, 'cut')
        ended({ kind: 'cut' })
      }
      process.widows.add(cut)
      const end = <E extends Parameters<typeof ended>[0]>(ending: E): void => {
        if (process.alive && process.widows.delete(cut)) ended(ending)
      }
      within(process, 'arrived', () => {
        trace.note(time.now(), process.name, cause)
        work().then(
          (value) => end({ kind: 'done', value }),
          (error: unknown) => end({ kind: 'failed', error }),
        )
      })
    },
    later,
    close: replaceTimers({
      after: (ms, run) => (running === undefined ? time.after(ms, run) : later(running, ms, run)),
      signalAfter: (ms) => {
        const controller = new AbortController()
        if (running !== undefined) later(running, ms, () => controller.abort())
        return controller.signal
      },
    }),
  }
  return kernel
}

/** The effect's outcome; what it throws is an outcome too. */
async function settled<T>(effect: () => T | Promise<T>): Promise<T> {
  return effect()
}

/** Ids that tell who made them; chance of its own for each process. */
function idsOf(name: string, random: Random): Ids {
  let made = 0
  return {
    uuid: () => {
      made += 1
      return `${name}-${made}`
    },
    bytes: (count) => random.bytes(count),
  }
}

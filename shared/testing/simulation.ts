import { AsyncLocalStorage } from 'node:async_hooks'
import type { Clock } from '../clock.ts'
import { CALL_DEADLINE_MS, replaceTimers } from '../deadline.ts'
import type { Ids } from '../ids.ts'
import { type CallFault, type Fault, type FaultPlan, faultPlan, type Phases } from './fault-plan.ts'
import { type Random, randomOf } from './random.ts'
import { type TraceHash, traceHash } from './trace-hash.ts'
import { type VirtualTime, virtualTime } from './virtual-time.ts'

/** One process of a function: its own clock, its own chance, and a memory that a crash takes with it. */
export type Instance = {
  readonly name: string
  readonly clock: Clock
  readonly ids: Ids
  alive(): boolean
}

/** One message, request or tick that an instance works on. */
export type Invocation = {
  readonly instance: Instance
  /** What it is about, for the trace. */
  readonly cause: string
  /** The tenants whose documents it may touch; undefined for the group's own sweeps. */
  readonly tenants: ReadonlySet<string> | undefined
}

/** How an invocation ended for whoever asked: `cut` when the instance died under it. */
export type Ending<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'cut' }

export type Simulation = {
  readonly time: VirtualTime
  readonly trace: TraceHash
  readonly plan: FaultPlan
  readonly phases: Phases
  /** Faults that happened, by class. */
  readonly injected: ReadonlyMap<string, number>
  readonly violations: readonly string[]
  /** A stream of chance of its own for each concern. */
  random(concern: string): Random
  count(fault: Fault): void
  violated(what: string): void
  start(name: string): Instance
  /** Lets an instance work; `ended` hears of it once. */
  invoke<T>(invocation: Invocation, work: () => Promise<T>, ended: (ending: Ending<T>) => void): void
  /**
   * A call of what lies outside the process. `apply` happens at the other end, in one moment; the
   * fault plan decides whether, and what the caller hears of it and when.
   */
  call<T>(port: string, what: string, apply: () => T): Promise<T>
  /** Whose call is being applied right now. */
  applying(): Invocation | undefined
  /** Gives real time back to the process. */
  close(): void
}

/** Codes of gRPC. */
const CODES: Readonly<Partial<Record<CallFault, number>>> = {
  unavailable: 14,
  aborted: 10,
  exhausted: 8,
  'answer-lost': 14,
  'deadline-after': 4,
}

/** A call that answers, or its deadline, comes sooner than this. */
const LONGEST_SILENCE_MS = CALL_DEADLINE_MS + 1_000

type Life = { alive: boolean; frozenUntilMs: number; readonly open: Set<() => void> }
type Watch = { lastMs: number; readonly slow: Map<string, number>; over: boolean }

/**
 * The world below the code under test: time, chance, processes that die and calls that fail.
 *
 * `patience` names ports whose callers wait longer than for others, in milliseconds.
 */
export function createSimulation(options: {
  readonly seed: number
  readonly phases: Phases
  readonly ports: readonly string[]
  readonly patience?: Readonly<Record<string, number>>
  readonly keepTrace?: number
}): Simulation {
  const { seed, phases, ports, patience = {} } = options
  const time = virtualTime(phases.startMs)
  const trace = traceHash(options.keepTrace)
  const plan = faultPlan(seed, phases, ports)
  const latency = randomOf(seed, 'latency')
  const injected = new Map<string, number>()
  const violations: string[] = []
  const current = new AsyncLocalStorage<Invocation>()
  const lives = new Map<Instance, Life>()
  const watches = new WeakMap<Invocation, Watch>()
  let applying: Invocation | undefined
  let started = 0

  const lifeOf = (instance: Instance): Life => {
    const life = lives.get(instance)
    if (life === undefined) throw new TypeError('not an instance of this simulation')
    return life
  }
  const count = (fault: Fault): void => void injected.set(fault, (injected.get(fault) ?? 0) + 1)
  const violated = (what: string): void => {
    if (violations.length < 20) violations.push(what)
    trace.note(time.now(), 'VIOLATED', what)
  }
  /** Runs what the process itself does: not at all when it is dead, and later when it is frozen. */
  const within = (instance: Instance, run: () => void): void => {
    const life = lifeOf(instance)
    if (!life.alive) return
    const waitMs = life.frozenUntilMs - time.now()
    if (waitMs > 0) time.after(waitMs, () => within(instance, run))
    else run()
  }
  // Failures are part of the plan and come by the thousand; nobody reads their stacks.
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  const restore = replaceTimers({
    after: (ms, run) => {
      const instance = current.getStore()?.instance
      let taken = false
      const fire = (): void => {
        if (!taken) run()
      }
      const cancel = time.after(ms, () => (instance === undefined ? fire() : within(instance, fire)))
      return () => {
        taken = true
        cancel()
      }
    },
    signalAfter: (ms) => {
      const controller = new AbortController()
      const instance = current.getStore()?.instance
      const abort = (): void => controller.abort(new DOMException('took too long', 'TimeoutError'))
      time.after(ms, () => (instance === undefined ? abort() : within(instance, abort)))
      return controller.signal
    },
  })
  const crash = (instance: Instance): void => {
    const life = lifeOf(instance)
    life.alive = false
    trace.note(time.now(), instance.name, 'crashed')
    for (const cut of life.open) time.after(latency.between(1, 20), cut)
    life.open.clear()
  }
  /** Notes that an invocation moved, and complains when it had stood still for too long. */
  const moved = (invocation: Invocation): void => {
    const watch = watches.get(invocation)
    if (watch === undefined) return
    const waits = [...watch.slow].filter(([, calls]) => calls > 0).map(([port]) => patience[port] ?? 0)
    const silentMs = time.now() - Math.max(watch.lastMs, lifeOf(invocation.instance).frozenUntilMs)
    if (!watch.over && silentMs > Math.max(LONGEST_SILENCE_MS, ...waits)) {
      violated(`${invocation.cause} was held ${silentMs} ms by one call without a deadline`)
    }
    watch.lastMs = time.now()
  }
  const shift = (invocation: Invocation, port: string, by: number): void => {
    moved(invocation)
    const slow = watches.get(invocation)?.slow
    if (patience[port] !== undefined) slow?.set(port, (slow.get(port) ?? 0) + by)
  }

  return {
    time,
    trace,
    plan,
    phases,
    injected,
    violations,
    random: (concern) => randomOf(seed, concern),
    count,
    violated,
    start: (name) => {
      started += 1
      const chance = randomOf(seed, `ids of ${name}-${started}`)
      const skewMs = plan.skewMs()
      if (skewMs !== 0) count('skew')
      const life: Life = { alive: true, frozenUntilMs: 0, open: new Set() }
      const instance: Instance = {
        name: `${name}-${started}`,
        clock: { now: () => time.now() + (time.now() < phases.healedMs ? skewMs : 0) },
        ids: idsOf(chance),
        alive: () => life.alive,
      }
      lives.set(instance, life)
      return instance
    },
    invoke: (invocation, work, ended) => {
      const { instance } = invocation
      const { open } = lifeOf(instance)
      const watch: Watch = { lastMs: time.now(), slow: new Map(), over: false }
      watches.set(invocation, watch)
      const cut = (): void => {
        trace.note(time.now(), instance.name, invocation.cause, 'cut')
        ended({ kind: 'cut' })
      }
      open.add(cut)
      const end = <E>(ending: E, tell: (ending: E) => void): void => {
        if (!open.delete(cut)) return
        moved(invocation)
        watch.over = true
        tell(ending)
      }
      within(instance, () => {
        current.run(invocation, work).then(
          (value) => within(instance, () => end({ kind: 'done', value } as const, ended)),
          (error: unknown) => within(instance, () => end({ kind: 'failed', error } as const, ended)),
        )
      })
    },
    call: <T>(port: string, what: string, apply: () => T) => {
      const invocation = current.getStore()
      if (invocation === undefined) throw new TypeError(`${port} ${what} was called by nobody`)
      const { instance } = invocation
      const life = lifeOf(instance)
      return new Promise<T>((resolve, reject) => {
        if (!life.alive) return
        shift(invocation, port, 1)
        const fault = plan.callFault(port, time.now())
        if (fault !== undefined) count(fault)
        trace.note(time.now(), instance.name, invocation.cause, port, what, fault ?? '')
        if (fault === 'crash-before') return crash(instance)
        if (fault === 'freeze') life.frozenUntilMs = time.now() + latency.between(100_000, 400_000)
        const answer = (settle: () => void): void => {
          time.after(latency.between(1, 15), () =>
            within(instance, () => {
              shift(invocation, port, -1)
              settle()
            }),
          )
        }
        const code = fault === undefined ? undefined : CODES[fault]
        const failure =
          code === undefined ? undefined : Object.assign(new Error(`${port} ${what}: ${fault}`), { code })
        const refused = fault === 'unavailable' || fault === 'aborted' || fault === 'exhausted'
        const unheard = fault === 'hang' && latency.chance(0.5)
        const slowMs = fault === 'slow' ? latency.between(1_000, 30_000) : 0
        time.after(latency.between(1, 15) + slowMs, () => {
          if (unheard) return
          if (refused) return answer(() => reject(failure))
          const settle = applied(apply, resolve, reject)
          if (fault === 'crash-after' && life.alive) return crash(instance)
          if (fault === 'hang') return
          answer(failure === undefined ? settle : () => reject(failure))
        })
      })
      function applied(
        run: () => T,
        resolve: (value: T) => void,
        reject: (error: unknown) => void,
      ): () => void {
        applying = invocation
        try {
          const value = run()
          trace.note(time.now(), port, what, 'took effect')
          return () => resolve(value)
        } catch (error) {
          const code = error instanceof Error && 'code' in error ? error.code : undefined
          // What the other end did not foresee is a fault of the simulation, not of the code under test.
          if (typeof code !== 'number') violated(`${port} ${what} broke: ${error}`)
          trace.note(time.now(), port, what, 'refused', String(code))
          return () => reject(error)
        } finally {
          applying = undefined
        }
      }
    },
    applying: () => applying,
    close: () => {
      Error.stackTraceLimit = stackTraceLimit
      restore()
    },
  }
}

/** Ids of one instance: version 7 as production's are, of seeded chance. */
function idsOf(chance: Random): Ids {
  return {
    uuid: (nowMs) => {
      const time = nowMs.toString(16).padStart(12, '0')
      const hex = chance.bytes(10).toString('hex')
      const clock = `7${hex.slice(1, 4)}-${'89ab'.charAt(Number.parseInt(hex.charAt(4), 16) & 3)}${hex.slice(5, 8)}`
      return `${time.slice(0, 8)}-${time.slice(8, 12)}-${clock}-${hex.slice(8, 20)}`
    },
    bytes: (count) => chance.bytes(count),
  }
}

import { AsyncLocalStorage } from 'node:async_hooks'
import { replaceTimers, type Timers } from '../deadline.ts'
import { travel } from './calls.ts'
import { type Fault, type FaultPlan, faultPlan, type Phases } from './fault-plan.ts'
import { createInstances, type Instance, type Instances } from './instances.ts'
import { type Random, randomOf } from './random.ts'
import { type Silence, watchSilence } from './silence.ts'
import { type TraceHash, traceHash } from './trace-hash.ts'
import { type VirtualTime, virtualTime } from './virtual-time.ts'

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

const MOST_VIOLATIONS = 20

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
  const { seed, phases } = options
  const time = virtualTime(phases.startMs)
  const latency = randomOf(seed, 'latency')
  const current = new AsyncLocalStorage<Invocation>()
  const instances = createInstances(time, latency)
  const world: World = {
    ...{ time, latency, current, instances, phases },
    trace: traceHash(options.keepTrace),
    plan: faultPlan(seed, phases, options.ports),
    patience: options.patience ?? {},
    random: (concern) => randomOf(seed, concern),
    injected: new Map(),
    violations: [],
    silences: new WeakMap(),
    applying: undefined,
    started: 0,
  }
  // Failures are part of the plan and come by the thousand; nobody reads their stacks.
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  const restore = replaceTimers(timersOf(world))
  return {
    ...{ time, phases, trace: world.trace, plan: world.plan, random: world.random },
    injected: world.injected,
    violations: world.violations,
    count: (fault) => count(world, fault),
    violated: (what) => violated(world, what),
    start: (name) => start(world, name),
    invoke: (invocation, work, ended) => invoke(world, invocation, work, ended),
    call: (port, what, apply) => call(world, port, what, apply),
    applying: () => world.applying,
    close: () => {
      Error.stackTraceLimit = stackTraceLimit
      restore()
    },
  }
}

type World = Pick<Simulation, 'time' | 'trace' | 'plan' | 'phases' | 'random'> & {
  readonly latency: Random
  readonly current: AsyncLocalStorage<Invocation>
  readonly instances: Instances
  readonly patience: Readonly<Record<string, number>>
  readonly injected: Map<string, number>
  readonly violations: string[]
  readonly silences: WeakMap<Invocation, Silence>
  applying: Invocation | undefined
  started: number
}

function count({ injected }: World, fault: Fault): void {
  injected.set(fault, (injected.get(fault) ?? 0) + 1)
}

function violated({ violations, trace, time }: World, what: string): void {
  if (violations.length < MOST_VIOLATIONS) violations.push(what)
  trace.note(time.now(), 'VIOLATED', what)
}

/** A process's own timers stop with it. */
function timersOf({ time, current, instances }: World): Timers {
  const later = (ms: number, run: () => void): (() => void) => {
    const instance = current.getStore()?.instance
    return time.after(ms, () => (instance === undefined ? run() : instances.within(instance, run)))
  }
  return {
    after: (ms, run) => {
      let taken = false
      const cancel = later(ms, () => {
        if (!taken) run()
      })
      return () => {
        taken = true
        cancel()
      }
    },
    signalAfter: (ms) => {
      const controller = new AbortController()
      later(ms, () => controller.abort(new DOMException('took too long', 'TimeoutError')))
      return controller.signal
    },
  }
}

function start(world: World, name: string): Instance {
  const { time, phases, plan, instances } = world
  world.started += 1
  const skewMs = plan.skewMs()
  if (skewMs !== 0) count(world, 'skew')
  const fullName = `${name}-${world.started}`
  return instances.start(fullName, world.random(`ids of ${fullName}`), () =>
    time.now() < phases.healedMs ? skewMs : 0,
  )
}

function invoke<T>(
  world: World,
  invocation: Invocation,
  work: () => Promise<T>,
  ended: (ending: Ending<T>) => void,
): void {
  const { time, trace, current, instances, patience } = world
  const { instance, cause } = invocation
  const silence = watchSilence({
    ...{ now: time.now, patience },
    frozenUntilMs: () => instances.frozenUntilMs(instance),
    complain: (ms) => violated(world, `${cause} was held ${ms} ms by one call without a deadline`),
  })
  world.silences.set(invocation, silence)
  const takeBack = instances.onCrash(instance, () => {
    trace.note(time.now(), instance.name, cause, 'cut')
    ended({ kind: 'cut' })
  })
  const end = (ending: Ending<T>): void =>
    instances.within(instance, () => {
      if (!takeBack()) return
      silence.end()
      ended(ending)
    })
  instances.within(instance, () => {
    current.run(invocation, work).then(
      (value) => end({ kind: 'done', value }),
      (error: unknown) => end({ kind: 'failed', error }),
    )
  })
}

function call<T>(world: World, port: string, what: string, apply: () => T): Promise<T> {
  const { time, trace, plan, latency, instances } = world
  const invocation = world.current.getStore()
  if (invocation === undefined) throw new TypeError(`${port} ${what} was called by nobody`)
  const { instance, cause } = invocation
  const silence = world.silences.get(invocation)
  const crash = (): void => {
    if (!instance.alive()) return
    trace.note(time.now(), instance.name, 'crashed')
    instances.crash(instance)
  }
  return new Promise<T>((resolve, reject) => {
    if (!instance.alive()) return
    silence?.call(port, 1)
    const fault = plan.callFault(port, time.now())
    if (fault !== undefined) count(world, fault)
    trace.note(time.now(), instance.name, cause, port, what, fault ?? '')
    if (fault === 'crash-before') return crash()
    if (fault === 'freeze') instances.freeze(instance, time.now() + latency.between(100_000, 400_000))
    const answer = (settle: () => void): void => {
      const heard = (): void => {
        silence?.call(port, -1)
        settle()
      }
      time.after(latency.between(1, 15), () => instances.within(instance, heard))
    }
    const applied = (): (() => void) =>
      takeEffect(world, invocation, `${port} ${what}`, apply, resolve, reject)
    travel({ fault, name: `${port} ${what}`, apply: applied, answer, reject, crash }, time, latency)
  })
}

/** What happens at the other end of a call, in one moment; returns how the caller is told. */
function takeEffect<T>(
  world: World,
  invocation: Invocation,
  name: string,
  apply: () => T,
  resolve: (value: T) => void,
  reject: (error: unknown) => void,
): () => void {
  const { time, trace } = world
  world.applying = invocation
  try {
    const value = apply()
    trace.note(time.now(), name, 'took effect')
    return () => resolve(value)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    // What the other end did not foresee is a fault of the simulation, not of the code under test.
    if (typeof code !== 'number') violated(world, `${name} broke: ${error}`)
    trace.note(time.now(), name, 'refused', String(code))
    return () => reject(error)
  } finally {
    world.applying = undefined
  }
}

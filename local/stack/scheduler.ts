import type { Rotations } from '#local/engine/secrets/rotation.ts'
import { FUNCTIONS, JOBS, type JobName } from '#shared/catalogue.ts'
import { StackError } from './options.ts'

type Scheduler = {
  /** Calls a job's function now, as Cloud Scheduler would; rejects when it did not answer 2xx. */
  run(name: string): Promise<unknown>
  /** Runs what falls due while `setNow` moves the time from one instant to the other, in order. */
  advance(fromMs: number, toMs: number, setNow: (ms: number) => Promise<void>): Promise<void>
  stop(): void
}

type SchedulerOptions = {
  readonly now: () => number
  readonly mintIdToken: (request: { email: string; audience: string }) => Promise<string>
  readonly account: string
  readonly audienceOf: (job: JobName) => string
  readonly urlOf: (job: JobName) => string
  readonly onFailure: (sentence: string) => void
  /** What falls due on the clock besides the jobs. */
  readonly rotations: Pick<Rotations, 'nextRotationMs' | 'rotateDue'>
}

const TICK_MS = 500
const CALL_LIMIT_MS = 70_000
/** A jump of a month would run a minute's job 43,200 times; evenly chosen instants show the same. */
const MOST_RUNS_PER_JUMP = 60

/** Calls the jobs of the catalogue at their cadence, on the stack's clock. */
export function startScheduler(options: SchedulerOptions): Scheduler {
  const names = Object.keys(JOBS) as JobName[]
  const lastSlot = new Map<JobName, number>(names.map((name) => [name, slotOf(name, options.now())]))
  const call = async (name: JobName): Promise<unknown> => {
    const token = await options.mintIdToken({ email: options.account, audience: options.audienceOf(name) })
    const answer = await fetch(`${options.urlOf(name)}${JOBS[name].path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: '{}',
      signal: AbortSignal.timeout(CALL_LIMIT_MS),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${name} answered ${answer.status}: ${text.slice(0, 200)}`)
    return text === '' ? {} : JSON.parse(text)
  }
  const rotate = async (): Promise<void> => {
    await options.rotations.rotateDue().catch((error: unknown) => options.onFailure(String(error)))
  }
  /** Rotates what falls due up to an instant, each at its time; one that failed waits for the next instant. */
  const rotateUntil = async (toMs: number, setNow: (ms: number) => Promise<void>): Promise<void> => {
    let doneMs = Number.NEGATIVE_INFINITY
    for (let runs = 0; runs < MOST_RUNS_PER_JUMP; runs += 1) {
      const nextMs = options.rotations.nextRotationMs()
      if (nextMs === undefined || nextMs > toMs || nextMs <= doneMs) return
      doneMs = nextMs
      await setNow(Math.max(nextMs, options.now()))
      await rotate()
    }
  }
  let busy = false
  let advancing = 0
  const tick = async (): Promise<void> => {
    // While the clock is moved, what falls due is run by that, in its order.
    if (busy || advancing > 0) return
    busy = true
    if ((options.rotations.nextRotationMs() ?? Number.POSITIVE_INFINITY) <= options.now()) await rotate()
    for (const name of names) {
      const slot = slotOf(name, options.now())
      if (slot === lastSlot.get(name)) continue
      lastSlot.set(name, slot)
      await call(name).catch((error: unknown) => {
        options.onFailure(`job ${name} of ${FUNCTIONS[JOBS[name].function].name} failed: ${String(error)}`)
      })
    }
    busy = false
  }
  const timer = setInterval(() => void tick(), TICK_MS)
  return {
    run: async (name) => {
      const known = names.find((candidate) => candidate === name)
      if (known === undefined)
        throw new StackError(`There is no job '${name}'. Known jobs: ${names.join(', ')}`)
      return call(known)
    },
    advance: async (fromMs, toMs, setNow) => {
      advancing += 1
      try {
        for (const { atMs, due } of dueBetween(names, fromMs, toMs)) {
          await rotateUntil(atMs, setNow)
          await setNow(atMs)
          for (const name of due) {
            lastSlot.set(name, slotOf(name, atMs))
            await call(name)
          }
        }
        await rotateUntil(toMs, setNow)
        await setNow(toMs)
        for (const name of names) lastSlot.set(name, slotOf(name, toMs))
      } finally {
        advancing -= 1
      }
    },
    stop: () => clearInterval(timer),
  }
}

function slotOf(name: JobName, ms: number): number {
  return Math.floor(ms / (JOBS[name].everySeconds * 1000))
}

/** The instants in (from, to] at which jobs are due, in order; long spans are thinned out evenly. */
export function dueBetween(
  names: readonly JobName[],
  fromMs: number,
  toMs: number,
): { atMs: number; due: JobName[] }[] {
  const byInstant = new Map<number, JobName[]>()
  for (const name of names) {
    const everyMs = JOBS[name].everySeconds * 1000
    const first = slotOf(name, fromMs) + 1
    const last = slotOf(name, toMs)
    const stride = Math.max(1, Math.ceil((last - first + 1) / MOST_RUNS_PER_JUMP))
    // Counted from the last one, so that the newest due time is always among them.
    for (let slot = last; slot >= first; slot -= stride) {
      byInstant.set(slot * everyMs, [...(byInstant.get(slot * everyMs) ?? []), name])
    }
  }
  return [...byInstant].sort(([left], [right]) => left - right).map(([atMs, due]) => ({ atMs, due }))
}

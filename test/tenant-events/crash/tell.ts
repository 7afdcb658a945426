import { silentLogger } from '#shared/log.ts'
import { resumeDueOperations } from '../../../functions/tenant-events/operations/resume-due-operations.ts'
import { runTimers } from '../../../functions/tenant-events/operations/run-timers.ts'
import type { Fleet } from './fleet.ts'
import type { Kernel } from './kernel.ts'
import type { PubSub } from './pubsub.ts'
import type { Run } from './simulate.ts'
import { claimOfAsk } from './story.ts'
import type { Watch } from './watch.ts'
import type { Ground } from './world.ts'

export type Stage = {
  readonly ground: Ground
  readonly fleet: Fleet
  readonly pubsub: PubSub
  readonly watch: Watch
}

const MINUTE_MS = 60_000
/** Within which what a tick began has come to rest, unless something goes wrong. */
const SETTLE_MS = 2_000
const HEAL_AFTER_CALLS = 400
/** Ticks without a commit after which nobody is waited for; the longest back-off is a few. */
const MOST_IDLE_TICKS = 200

/** Those who ask, and the scheduler that ticks until nothing is left to be done. */
export function tellStory(kernel: Kernel, run: Run, stage: Stage): { over: () => boolean } {
  const { time, faults } = kernel
  const { ground, fleet, pubsub, watch } = stage
  const { asks } = run.story
  const patience = kernel.random('clients')
  let made = 0
  let unanswered = 0
  let commitsBefore = 0
  const resting = (): boolean => {
    const still = unanswered + fleet.open() + pubsub.outstanding() === 0
    return still && [...ground.documents.tenants.values()].every(({ op }) => op === null)
  }
  const over = (): boolean => made === asks.length && resting() && dueAtMs(ground) === undefined
  const send = (at: number): void => {
    const ask = asks[at]
    if (ask === undefined) throw new RangeError(`there is no ask ${at}`)
    fleet.invoke(
      `ask ${at} ${ask.name}`,
      ({ deps }) => ask.send(deps, claimOfAsk(at, run.told)),
      (ending) => {
        // Whoever got no answer asks again, and says that it is the same.
        if (ending.kind !== 'done') time.after(patience.between(500, 20_000), () => send(at))
        else {
          unanswered -= 1
          watch.answered(at, ending.value)
          askMeanwhile()
        }
      },
      run.asksFirst === true,
    )
  }
  const askNext = (): void => {
    unanswered += 1
    made += 1
    commitsBefore = watch.commits()
    send(made - 1)
  }
  const askMeanwhile = (): void => {
    const next = asks[made]
    if (next?.when !== 'meanwhile' || unanswered > 0) return
    if (watch.commits() - commitsBefore < (run.meanwhile?.(made) ?? 1)) return
    // Not asked for a second time before it has been asked.
    commitsBefore = Number.POSITIVE_INFINITY
    time.after(0, askNext)
  }
  watch.each(askMeanwhile)
  let idleTicks = 0
  let commitsAtTick = 0
  const tick = (): void => {
    idleTicks = watch.commits() === commitsAtTick ? idleTicks + 1 : 0
    commitsAtTick = watch.commits()
    if (idleTicks > MOST_IDLE_TICKS) {
      kernel.violations.push(`nothing happens any more: ${watch.point()}`)
      return
    }
    if (kernel.calls() > (run.healAfter ?? HEAL_AFTER_CALLS)) faults.heal()
    if (!faults.missedSweep()) sweep(stage)
    time.after(SETTLE_MS, afterTick)
  }
  const afterTick = (): void => {
    if (resting() && made < asks.length) askNext()
    const due = dueAtMs(ground)
    const idle = fleet.open() + pubsub.outstanding() + unanswered === 0
    const untilDueMs = idle && due !== undefined ? due - time.now() : 0
    time.after(Math.max(MINUTE_MS - SETTLE_MS, untilDueMs), tick)
  }
  time.after(0, () => {
    askNext()
    time.after(MINUTE_MS, tick)
  })
  return { over }
}

/** When something is to go on by itself; undefined when nothing is. */
function dueAtMs({ documents }: Ground): number | undefined {
  const due = [...documents.tenants.values()].flatMap(({ op, queue }) => [
    ...(op === null ? [] : [op.dueAtMs]),
    ...queue.map(({ notBeforeMs }) => notBeforeMs ?? 0),
  ])
  for (const timer of documents.timers.values()) due.push(timer.dueAtMs)
  return due.length === 0 ? undefined : Math.min(...due)
}

function sweep({ ground, fleet, pubsub }: Stage): void {
  pubsub.sweep()
  fleet.invoke(
    'sweep',
    ({ deps }) => resumeDueOperations(deps, deps.clock.now(), silentLogger),
    () => {},
  )
  if (ground.documents.timers.size === 0) return
  fleet.invoke(
    'timers',
    ({ deps }) => runTimers(deps, { nowMs: deps.clock.now(), log: silentLogger }),
    () => {},
  )
}

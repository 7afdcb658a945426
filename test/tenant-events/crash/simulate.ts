import { putObject } from '../memory-purge.ts'
import type { Message } from '../messages.ts'
import { checkEnd, endOf } from './end.ts'
import { type Faults, noFaults } from './faults.ts'
import { createFleet, type Fleet } from './fleet.ts'
import { createKernel, type Ending, type Kernel } from './kernel.ts'
import { type Mutant, NO_MUTANT } from './mutant.ts'
import { hear } from './others.ts'
import { createPubSub } from './pubsub.ts'
import { type Beginning, claimOfAsk, type Story } from './story.ts'
import { tellStory } from './tell.ts'
import { type Stuck, watchCommits } from './watch.ts'
import { copyOf, type Ground, newGround } from './world.ts'

export type Run = {
  readonly seed: number
  readonly story: Story
  readonly faults: Faults
  readonly mutant?: Mutant
  readonly keepTrace?: number
  /** When, in commits since the ask before, each ask that does not wait is made. */
  readonly meanwhile?: (at: number) => number
  /** Whether an ask is always faster than who works at the same moment. */
  readonly asksFirst?: boolean
  /** Faults end after so many calls of ports. */
  readonly healAfter?: number
  /** Whether it is the beginning of other stories that is told. */
  readonly told?: 'beginning'
}

export type Outcome = {
  readonly violations: readonly string[]
  /** The same for the same seed and code. */
  readonly hash: string
  /** How everything ended, in a form that can be compared with another run. */
  readonly end: string
  /** Where the tenant was when each ask was accepted. */
  readonly points: readonly string[]
  /** What lies in the bucket, by name. */
  readonly bucket: readonly string[]
  /** What was said about operations that were stuck. */
  readonly stuck: readonly Stuck[]
  readonly calls: number
  readonly commits: number
  readonly lastedMs: number
  readonly tail: readonly string[]
}

type Begun = { readonly ground: Ground; readonly nowMs: number }

const begun = new WeakMap<Beginning, Promise<Begun>>()

const START_MS = Date.parse('2026-11-23T09:00:00Z')
/** Longer than any story lasts in which everything that can is done: then something waits for ever. */
const LONGEST_MS = 200 * 86_400_000

/** One tenant's life with faults, from its first request until nothing is left to be done. */
export async function simulate(run: Run): Promise<Outcome> {
  const { stackTraceLimit } = Error
  // Failures are part of the plan and come by the thousand; nobody reads their stacks.
  Error.stackTraceLimit = 0
  const { begins } = run.story
  const from = begins === undefined ? undefined : await beginningOf(begins)
  const { seed, faults, keepTrace = 0 } = run
  const kernel = createKernel({ seed, startMs: from?.nowMs ?? START_MS, faults, keepTrace })
  try {
    const { now } = kernel.time
    const ground = from === undefined ? newGround(now) : copyOf(from.ground, now)
    return await live(kernel, run, ground)
  } finally {
    kernel.close()
    Error.stackTraceLimit = stackTraceLimit
  }
}

/** The world as a beginning leaves it. */
function beginningOf(begins: Beginning): Promise<Begun> {
  const known = begun.get(begins) ?? begin(begins)
  begun.set(begins, known)
  return known
}

async function begin({ asks, setting }: Beginning): Promise<Begun> {
  const faults = noFaults()
  const kernel = createKernel({ seed: 0, startMs: START_MS, faults })
  try {
    const ground = newGround(kernel.time.now)
    const story: Story = { name: 'beginning', asks, ends: '', ...(setting === undefined ? {} : { setting }) }
    const { violations } = await live(kernel, { seed: 0, story, faults, told: 'beginning' }, ground)
    if (violations.length > 0) throw new Error(`a beginning: ${violations.join('; ')}`)
    return { ground, nowMs: kernel.time.now() }
  } finally {
    kernel.close()
  }
}

async function live(kernel: Kernel, run: Run, ground: Ground): Promise<Outcome> {
  const { time, trace, violations } = kernel
  const { asks, refuses, setting } = run.story
  const startMs = time.now()
  Object.assign(ground.others.refuses, refuses)
  setting?.(ground)
  const claims = asks.map((_ask, at) => claimOfAsk(at, run.told))
  const watch = watchCommits(kernel, ground, claims)
  const fleet = createFleet(kernel, ground, run.mutant ?? NO_MUTANT, {
    committed: (process) => {
      watch.commit()
      pubsub.collect(process)
    },
    publish: (message) => pubsub.publish(message),
  })
  const pubsub = createPubSub(kernel, ground, (message, ended) => push(kernel, ground, fleet, message, ended))
  const teller = tellStory(kernel, run, { ground, fleet, pubsub, watch })
  await time.run(startMs + LONGEST_MS, () => teller.over() || violations.length > 0)
  if (violations.length === 0) {
    const wrong = teller.over() ? checkEnd(ground, run.story) : [`it does not end: ${watch.point()}`]
    violations.push(...wrong)
  }
  return {
    violations,
    hash: trace.digest(),
    end: endOf(ground),
    points: watch.points,
    bucket: ground.leaving.versions.map(({ name }) => name),
    stuck: watch.stuck,
    calls: kernel.calls(),
    commits: watch.commits(),
    lastedMs: time.now() - startMs,
    tail: trace.tail(),
  }
}

/** Brings a message to whom it is for. */
function push(
  kernel: Kernel,
  ground: Ground,
  fleet: Fleet,
  message: Message,
  ended: (ending: Ending<unknown>) => void,
): void {
  const { topic, event } = message
  const { time } = kernel
  if (topic === 'billing-commands' || topic === 'auth-events' || topic === 'tenant-facts') {
    const put = (name: string, bytes: Uint8Array): void => putObject(ground.leaving, name, bytes)
    const at = { nowMs: time.now(), isGone: isGone(ground, message), put }
    for (const said of hear(ground.others, message, at)) fleet.publish(said)
    ended({ kind: 'done', value: undefined })
    return
  }
  fleet.invoke(
    `hear ${event.id}`,
    ({ handlers, process }) => handlers(process.now(), message),
    (ending) => {
      const refused = ending.kind === 'done' && !ending.value.ok ? ending.value.code : undefined
      if (refused !== undefined && !isGone(ground, message)) kernel.violations.push(`${event.id}: ${refused}`)
      ended(ending)
    },
  )
}

/** Of a tenant that was purged late messages come to nothing. */
function isGone({ documents }: Ground, { event }: Message): boolean {
  return documents.tombstones.has(String(event.tenantid))
}

import { createStore } from '#local/engine/firestore/store.ts'
import { silentLogger } from '#shared/log.ts'
import { createSimulation, type Simulation } from '#shared/testing/simulation.ts'
import { watchAnswers } from './answers.ts'
import { createFleet, type Fleet, type Ground } from './fleet.ts'
import { simulatedCloud } from './ground/cloud.ts'
import { simulatedCluster } from './ground/cluster.ts'
import { type SimulatedPubSub, simulatedPubSub } from './ground/pubsub.ts'
import { busyTenants, checkEnd, documentsOf, pendingRows, watchCommits, watchFacts } from './invariants.ts'
import { type Mutant, NO_MUTANT } from './mutant.ts'
import { startWorkload } from './workload.ts'

export type Outcome = {
  readonly seed: number
  /** What was wrong; empty when everything held. */
  readonly violations: readonly string[]
  /** The same for the same seed and code. */
  readonly hash: string
  readonly steps: number
  /** Faults that happened, by class. */
  readonly injected: ReadonlyMap<string, number>
  /** Virtual time, in milliseconds. */
  readonly lastedMs: number
  /** What happened last, if it was asked for. */
  readonly tail: readonly string[]
}

const START_MS = Date.parse('2026-11-23T09:00:00Z')
const MINUTE_MS = 60_000
const PHASES = { startMs: START_MS, calmMs: START_MS + 10 * MINUTE_MS, healedMs: START_MS + 20 * MINUTE_MS }
/** Back-off reaches ten minutes and a lost acknowledgement nine; some of it in a row. */
const REST_WITHIN_MS = 60 * MINUTE_MS
const REDRIVEN_AFTER_MS = 30 * 60 * MINUTE_MS

/** One life of the platform: ten minutes of load, faults from one seed, and everything must come right. */
export async function simulate(
  seed: number,
  options: { readonly mutant?: Mutant; readonly keepTrace?: number } = {},
): Promise<Outcome> {
  const simulation = createSimulation({
    seed,
    phases: PHASES,
    ports: ['firestore', 'pubsub', 'cluster'],
    // A step may take 40 s before it is called off.
    patience: { cluster: 42_000 },
    keepTrace: options.keepTrace ?? 0,
  })
  try {
    await live(simulation, options.mutant ?? NO_MUTANT)
  } finally {
    simulation.close()
  }
  const { injected, time, trace, violations } = simulation
  return {
    seed,
    violations,
    hash: trace.digest(),
    steps: time.steps(),
    injected,
    lastedMs: time.now() - START_MS,
    tail: trace.tail(),
  }
}

async function live(simulation: Simulation, mutant: Mutant): Promise<void> {
  const { time } = simulation
  const store = createStore({ now: time.now })
  const ground: Ground = {
    simulation,
    store,
    cluster: simulatedCluster(simulation),
    cloud: simulatedCloud(simulation),
    pubsub: undefined,
  }
  const fleet = createFleet(ground, mutant)
  const pubsub = simulatedPubSub(simulation, fleet.push)
  ground.pubsub = pubsub
  watchCommits(simulation, store)
  watchAnswers(simulation, store)
  const facts = watchFacts(simulation, pubsub)
  if (simulation.plan.outage !== undefined) simulation.count('outage')
  const workload = startWorkload(simulation, fleet, pubsub)
  const atRest = (): boolean => {
    if (time.now() < PHASES.healedMs) return false
    if (pubsub.outstanding() + workload.pending() + fleet.open() > 0) return false
    const documents = documentsOf(store)
    const waiting = pubsub.deadLetters() > 0 ? [] : busyTenants(documents)
    return pendingRows(documents).length + waiting.length === 0
  }
  await runUntilRest(simulation, fleet, atRest, PHASES.healedMs + REST_WITHIN_MS)
  if (pubsub.deadLetters() > 0) {
    await redriveLater(simulation, pubsub)
    await runUntilRest(simulation, fleet, atRest, time.now() + REST_WITHIN_MS)
  }
  if (!atRest()) {
    const left = `${pubsub.outstanding()} messages, ${workload.pending()} requests, ${fleet.open()} invocations`
    simulation.violated(`no rest: ${left}, ${busyTenants(documentsOf(store)).length} operations`)
  }
  if (pubsub.deadLetters() > 0) simulation.violated('dead letters although nothing goes wrong any more')
  checkEnd(simulation, { store, cluster: ground.cluster, facts }, workload)
}

/** Lets the scheduler tick every other minute until nothing is left to do. */
async function runUntilRest(
  simulation: Simulation,
  fleet: Fleet,
  atRest: () => boolean,
  untilMs: number,
): Promise<void> {
  const { time } = simulation
  let over = false
  const tick = (): void => {
    if (over || atRest()) {
      over = true
      return
    }
    time.after(2 * MINUTE_MS, tick)
    for (const functionId of SWEPT) {
      if (simulation.plan.deliveryFault('missed-tick', time.now())) simulation.count('missed-tick')
      else sweep(fleet, functionId)
    }
  }
  time.after(0, tick)
  await time.run(untilMs, () => over)
  over = true
}

const SWEPT = ['auth', 'billing-api', 'tenants-api'] as const

function sweep(fleet: Fleet, functionId: (typeof SWEPT)[number]): void {
  fleet.request(
    functionId,
    `sweep of ${functionId}`,
    undefined,
    async ({ authOutbox, billing, tenants }, instance) => {
      if (functionId === 'auth') return authOutbox?.sweep()
      const run = functionId === 'billing-api' ? billing?.runBillingSweep : tenants?.runLifecycleSweep
      if (run === undefined) throw new TypeError('the function has no sweep')
      return run({ nowMs: instance.clock.now(), log: silentLogger } as Parameters<typeof run>[0])
    },
    () => {},
  )
}

/** An operator looks at the dead letters a day later. */
async function redriveLater(simulation: Simulation, pubsub: SimulatedPubSub): Promise<void> {
  const { time } = simulation
  time.after(REDRIVEN_AFTER_MS, pubsub.redrive)
  await time.run(time.now() + REDRIVEN_AFTER_MS)
}

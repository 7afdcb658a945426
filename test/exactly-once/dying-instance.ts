import type { Store } from '#local/engine/firestore/store.ts'
import { readConfig } from '#shared/config.ts'
import { openDatabase } from '#shared/firestore/database.ts'
import { silentLogger } from '#shared/log.ts'
import { eventEdge } from '#shared/pubsub/event-edge.ts'
import type { Random } from '#shared/testing/random.ts'
import type { Simulation } from '#shared/testing/simulation.ts'
import { billingEvents } from '../../functions/billing/events.ts'
import type { BillingDeps } from '../../functions/billing/ports.ts'
import { wireBilling } from '../../functions/billing/wiring.ts'
import { simulatedFirestore } from '../simulation/ground/firestore-client.ts'

/** What can happen to one call: one whose answer is lost has its effect; `for good` is what the client does not repeat. */
export type Fault =
  | 'crash before'
  | 'crash after'
  | 'failed'
  | 'failed for good'
  | 'answer lost'
  | 'answer lost for good'

/** One process of the function, cold: no memory but its own, and gone at its first crash. */
export type Instance = {
  readonly events: ReturnType<typeof eventEdge>
  readonly deps: BillingDeps
  alive(): boolean
  /** Resolves with the status that nobody gets to see when the process dies. */
  readonly death: Promise<500>
}

const CONFIG = readConfig({
  GOOGLE_CLOUD_PROJECT: 'demo-sim',
  FUNCTION_TARGET: 'billingHandler',
  FUNCTION_URI: 'http://127.0.0.1:1',
  PUBLIC_BASE_URL: 'http://127.0.0.1:1',
  CALLER_CHECK: 'direct',
  FIRESTORE_EMULATOR_HOST: '127.0.0.1:1',
})
const UNAVAILABLE = 14
const INVALID_ARGUMENT = 3

export function startInstance(
  world: {
    readonly store: Store
    readonly drawFault: (call: string) => Fault | undefined
    readonly random: Random
    readonly now: () => number
  },
  mutate: (deps: BillingDeps) => BillingDeps,
): Instance {
  const { store, drawFault, random, now } = world
  const dying = Promise.withResolvers<500>()
  let alive = true
  const never = new Promise<never>(() => {})
  const crash = (): Promise<never> => {
    alive = false
    dying.resolve(500)
    return never
  }
  const call = async <T>(_port: string, what: string, apply: () => T): Promise<T> => {
    // As over a network: nothing is there at once, and others come between.
    await Promise.resolve()
    if (!alive) return never
    const fault = drawFault(what.slice(0, what.indexOf(' ')))
    if (fault === 'crash before') return crash()
    if (fault === 'failed') throw failure(UNAVAILABLE)
    if (fault === 'failed for good') throw failure(INVALID_ARGUMENT)
    const value = apply()
    if (fault === 'crash after') return crash()
    if (fault === 'answer lost') throw failure(UNAVAILABLE)
    if (fault === 'answer lost for good') throw failure(INVALID_ARGUMENT)
    return value
  }
  const network = { call } as unknown as Simulation
  const { platform, deps: wired } = wireBilling(CONFIG, {
    clock: { now },
    ids: {
      bytes: (length) => random.bytes(length),
      uuid: () => random.bytes(16).toString('hex'),
    },
    log: silentLogger,
    database: openDatabase({
      project: 'demo-sim',
      databaseId: '(default)',
      open: async () => simulatedFirestore(network, store, random),
    }),
    publisher: { publish: async () => 'unheard' },
  })
  const deps = mutate(wired)
  return {
    events: eventEdge(platform, 'billing', billingEvents(deps)),
    deps,
    alive: () => alive,
    death: dying.promise,
  }
}

function failure(code: number): Error {
  return Object.assign(new Error('the call failed'), { code })
}

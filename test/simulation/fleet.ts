import type { ServerResponse } from 'node:http'
import type { Store } from '#local/engine/firestore/store.ts'
import type { FunctionId } from '#shared/catalogue/functions.ts'
import { readConfig } from '#shared/config.ts'
import type { Subscription } from '#shared/contracts/topics.ts'
import { openDatabase } from '#shared/firestore/database.ts'
import type { Outbox } from '#shared/firestore/outbox.ts'
import type { FrameworkRequest } from '#shared/http/read-request.ts'
import { silentLogger } from '#shared/log.ts'
import { type EventHandlers, eventEdge } from '#shared/pubsub/event-edge.ts'
import type { OutgoingMessage } from '#shared/pubsub/publisher.ts'
import type { Instance } from '#shared/testing/instances.ts'
import type { Ending, Simulation } from '#shared/testing/simulation.ts'
import type { Platform, PlatformParts } from '#shared/wiring.ts'
import { authEventHandlers } from '../../functions/auth/events.ts'
import { wireAuth } from '../../functions/auth/wiring.ts'
import { billingEvents } from '../../functions/billing/events.ts'
import { billingApi } from '../../functions/billing/http.ts'
import { wireBilling } from '../../functions/billing/wiring.ts'
import { lifecycleEvents } from '../../functions/tenant-events/events.ts'
import { tenantsApi } from '../../functions/tenant-events/http.ts'
import { wireLifecycle } from '../../functions/tenant-events/wiring.ts'
import type { SimulatedCloud } from './ground/cloud.ts'
import type { SimulatedCluster } from './ground/cluster.ts'
import { simulatedFirestore } from './ground/firestore-client.ts'
import { exchange } from './ground/http-exchange.ts'
import type { SimulatedPubSub } from './ground/pubsub.ts'
import type { Mutant } from './mutant.ts'

type Handler = (request: FrameworkRequest, response: ServerResponse) => Promise<void>

export type BillingApi = ReturnType<typeof billingApi>
export type TenantsApi = ReturnType<typeof tenantsApi>

/** What one process of a function answers with. */
export type Wired = {
  readonly events?: Handler
  readonly billing?: BillingApi
  readonly tenants?: TenantsApi
  /** What the sweep of auth publishes; the rest of it, keys and the audit's chain, is not simulated. */
  readonly authOutbox?: Outbox
}

export type Ground = {
  readonly simulation: Simulation
  readonly store: Store
  readonly cluster: SimulatedCluster
  readonly cloud: SimulatedCloud
  /** Set once Pub/Sub exists, which needs the fleet itself. */
  pubsub: SimulatedPubSub | undefined
}

export type Fleet = {
  push(
    subscription: Subscription,
    body: Uint8Array,
    message: OutgoingMessage,
    answered: (status: number | undefined) => void,
  ): void
  /** A request to an HTTP function, as its handlers see it. */
  request<T>(
    functionId: FunctionId,
    cause: string,
    tenants: ReadonlySet<string> | undefined,
    work: (wired: Wired, instance: Instance) => Promise<T>,
    ended: (ending: Ending<T>) => void,
  ): void
  /** Invocations that have not ended. */
  open(): number
}

/** Instances beside each other, for each function. */
const INSTANCES: Readonly<Partial<Record<FunctionId, number>>> = {
  billing: 2,
  'tenant-events': 2,
  'auth-events': 2,
}

const CONFIG = readConfig({
  GOOGLE_CLOUD_PROJECT: 'demo-sim',
  FUNCTION_TARGET: 'simulated',
  FUNCTION_URI: 'http://127.0.0.1:1',
  PUBLIC_BASE_URL: 'http://127.0.0.1:1',
  CALLER_CHECK: 'direct',
  FIRESTORE_EMULATOR_HOST: '127.0.0.1:1',
  KUBERNETES_API_URL: 'https://127.0.0.1:1',
})

/** All functions as processes that start cold, work side by side and die; built by production's own wiring. */
export function createFleet(ground: Ground, mutant: Mutant): Fleet {
  const { simulation } = ground
  const routing = simulation.random('routing')
  const slots = new Map<string, { instance: Instance; wired: Wired }>()
  let open = 0
  const reach = (functionId: FunctionId, then: (instance: Instance, wired: Wired) => void): void => {
    const name = `${functionId}/${routing.between(1, INSTANCES[functionId] ?? 1)}`
    const running = slots.get(name)
    if (running?.instance.alive() === true) {
      then(running.instance, running.wired)
      return
    }
    const instance = simulation.start(functionId)
    const started = { instance, wired: wire(ground, mutant, functionId, instance) }
    slots.set(name, started)
    simulation.time.after(routing.between(200, 3_000), () => then(started.instance, started.wired))
  }
  const invoke = <T>(
    functionId: FunctionId,
    cause: string,
    tenants: ReadonlySet<string> | undefined,
    work: (wired: Wired, instance: Instance) => Promise<T>,
    ended: (ending: Ending<T>) => void,
  ): void => {
    open += 1
    const end = (ending: Ending<T>): void => {
      open -= 1
      ended(ending)
    }
    reach(functionId, (instance, wired) => {
      // It may have died while it was on its way to us.
      if (!instance.alive()) return end({ kind: 'cut' })
      simulation.invoke({ instance, cause, tenants }, () => work(wired, instance), end)
    })
  }
  return {
    push: (subscription, body, message, answered) => {
      const work = async ({ events }: Wired): Promise<number> => {
        if (events === undefined) throw new TypeError(`${subscription.listener} hears no events`)
        return exchange(events, `/events/${subscription.name}`, body)
      }
      invoke(subscription.listener, `push ${subscription.name}`, tenantsOf(message), work, (ending) =>
        answered(ending.kind === 'done' ? ending.value : undefined),
      )
    },
    request: invoke,
    open: () => open,
  }
}

/** The tenants a message is about, whatever in it says so. */
function tenantsOf(message: OutgoingMessage): ReadonlySet<string> {
  const parsed: unknown = JSON.parse(Buffer.from(message.data).toString())
  const events = (Array.isArray(parsed) ? parsed : [parsed]) as { subject?: string }[]
  return new Set(events.map(({ subject = '' }) => subject.replace(/^tenants\//, '')))
}

function wire(ground: Ground, mutant: Mutant, functionId: FunctionId, instance: Instance): Wired {
  const { simulation, store, cloud, cluster, pubsub } = ground
  if (pubsub === undefined) throw new TypeError('Pub/Sub is not there yet')
  const { clock, ids } = instance
  const chance = simulation.random(`retries of ${instance.name}`)
  const parts: PlatformParts = {
    clock,
    ids,
    log: silentLogger,
    database: openDatabase({
      project: 'demo-sim',
      databaseId: '(default)',
      open: async () => simulatedFirestore(simulation, store, chance),
    }),
    publisher: pubsub.publisher,
  }
  const edge = (platform: Platform, handlers: EventHandlers): Handler =>
    (mutant.edge ?? same)(eventEdge(platform, functionId, handlers))
  if (functionId === 'auth-events' || functionId === 'auth') {
    const deps = wireAuth(CONFIG, parts)
    return { events: edge(deps.platform, authEventHandlers(deps)), authOutbox: deps.platform.outbox }
  }
  if (functionId === 'billing' || functionId === 'billing-api') {
    const { platform, deps: wired } = wireBilling(CONFIG, parts)
    const deps = mutant.billing?.(wired, platform) ?? wired
    const handlers = mutant.billingEvents?.(deps, platform) ?? billingEvents(deps)
    return { billing: billingApi(platform, deps), events: edge(platform, handlers) }
  }
  const { platform, deps: wired, checks } = wireLifecycle(CONFIG, parts)
  const reached = {
    ...wired,
    clusterNamed: (name: string) => (name === wired.defaultCluster ? cluster.port : undefined),
    world: { ...wired.world, ...cloud.ports },
    elapsedMs: () => simulation.time.now(),
  }
  const deps = mutant.lifecycle?.(reached, platform) ?? reached
  return {
    tenants: tenantsApi(platform, { ...wired, ...deps }, checks),
    events: edge(platform, { events: lifecycleEvents(deps) }),
  }
}

function same<T>(value: T): T {
  return value
}

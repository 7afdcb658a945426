import { createStore } from '#local/engine/firestore/store.ts'
import { systemClock } from '#shared/clock.ts'
import { replaceTimers } from '#shared/deadline.ts'
import { type Random, randomOf } from '#shared/testing/random.ts'
import { rollUp } from '../../functions/billing/operations/roll-up-tenant.ts'
import type { BillingDeps } from '../../functions/billing/ports.ts'
import { contextOf } from '../shared/support/store.ts'
import { exchange } from '../simulation/ground/http-exchange.ts'
import { type Counted, countEvents, type Truth } from './delivery-count.ts'
import { type Fault, type Instance, startInstance } from './dying-instance.ts'
import { tenantFact } from './messages.ts'

export type DeliveryScale = {
  /** Messages handed to the handler, copies and redeliveries included. */
  readonly deliveries: number
  readonly seed: number
  /** Puts something wrong into every process: what shows that the counting would notice. */
  readonly mutate?: ((deps: BillingDeps) => BillingDeps) | undefined
}

export type DeliveryOutcome = {
  readonly deliveries: number
  /** Events in those deliveries, and how many different ones they were. */
  readonly eventDeliveries: number
  readonly distinctEvents: number
  readonly badEvents: number
  readonly redelivered: number
  /** Faults by kind, and by kind and call. */
  readonly faults: Readonly<Record<string, number>>
  readonly instances: number
} & Counted

export const TENANTS = ['acme', 'globex', 'initech', 'umbrella', 'wayne']
export const NOW = Date.parse('2026-11-23T12:00:00Z')
const USAGE = 'billing-events-to-billing'
const FACTS = 'tenant-facts-to-billing'
const CONCURRENT = 12
const SLOTS = 3
const MOST_EVENTS = 3
const HOURS = 20
const HOUR_MS = 3_600_000
const METERS = ['agent_minutes', 'workflow_runs', 'active_users'] as const

/**
 * Usage in messages that come once to five times in any order, some of their events in other messages too,
 * to processes that die or lose answers at every call they make: production's edge, operations, adapters
 * and conditional commits, on the embedded engine's store, without a network between them.
 *
 * What is counted in the end, by roll-ups made by the same dying processes, is compared with what was sent.
 */
export async function runDeliveries(scale: DeliveryScale): Promise<DeliveryOutcome> {
  const restore = replaceTimers(impatience)
  const { stackTraceLimit } = Error
  // Failures come by the thousand, and nobody reads their stacks.
  Error.stackTraceLimit = 0
  try {
    return await run(scale)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
    restore()
  }
}

/** What waits for a moment goes on at once; a deadline never comes: who hangs is dead. */
const impatience = {
  after: (ms: number, act: () => void) => {
    const timer = ms < 6_000 ? setImmediate(act) : undefined
    return () => clearImmediate(timer)
  },
  signalAfter: () => new AbortController().signal,
}

async function run({ deliveries, seed, mutate = (deps) => deps }: DeliveryScale): Promise<DeliveryOutcome> {
  const random = (concern: string): Random => randomOf(seed, concern)
  const fleet = startFleet(random('faults'), mutate)
  for (const tenant of TENANTS) await deliverUntilTaken(fleet, FACTS, jsonOf(tenantFact(tenant, NOW)))
  fleet.break(1)
  const plan = planOf(deliveries, random('plan'))
  const queue = [...plan.deliveries]
  const seen = { deliveries: 0, eventDeliveries: 0, redelivered: 0 }
  const worker = async (): Promise<void> => {
    for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
      const message = plan.messages[at]
      if (message === undefined) continue
      seen.deliveries += 1
      seen.eventDeliveries += message.events
      if (await deliver(fleet, USAGE, message.body)) continue
      seen.redelivered += 1
      // It comes again some time: soon, or after everything else.
      queue.splice(fleet.chance.between(0, queue.length), 0, at)
    }
  }
  await Promise.all(Array.from({ length: CONCURRENT }, worker))
  // A roll-up makes a hundred calls where a delivery makes two, and begins anew when it dies.
  fleet.break(0.05)
  for (const tenant of TENANTS) await rollUpUntilDone(fleet, tenant)
  fleet.break(0)
  for (const tenant of TENANTS) await rollUpUntilDone(fleet, tenant)
  return {
    ...seen,
    distinctEvents: plan.truth.events,
    badEvents: plan.truth.bad,
    faults: Object.fromEntries([...fleet.faults].sort()),
    instances: fleet.started(),
    ...(await countEvents(fleet.store, fleet.instance().deps, plan.truth)),
  }
}

type Fleet = ReturnType<typeof startFleet>

function startFleet(chance: Random, mutate: (deps: BillingDeps) => BillingDeps) {
  const store = createStore({ now: systemClock.now })
  const faults = new Map<string, number>()
  const slots: Instance[] = []
  let breakage = 0
  let started = 0
  const drawFault = (call: string): Fault | undefined => {
    const draw = chance.next()
    const at = RATES.findIndex(([, below]) => draw < below * breakage)
    const fault = RATES[at]?.[0]
    if (fault === undefined) return undefined
    for (const name of [fault, `${call} ${fault}`]) faults.set(name, (faults.get(name) ?? 0) + 1)
    return fault
  }
  return {
    ...{ store, chance, faults },
    started: () => started,
    /** How much worse than never calls fail, as a share of the rates below. */
    break: (share: number) => {
      breakage = share
    },
    instance: (): Instance => {
      const slot = chance.between(0, SLOTS - 1)
      const running = slots[slot]
      if (running?.alive() === true) return running
      started += 1
      const fresh = startInstance(
        { store, drawFault, random: randomOf(started, 'ids'), now: () => NOW },
        mutate,
      )
      slots[slot] = fresh
      return fresh
    },
  }
}

/** Cumulative: each call dies before or after it has its effect, or fails before or after it. */
const RATES: readonly (readonly [Fault, number])[] = [
  ['crash before', 0.003],
  ['crash after', 0.009],
  ['failed', 0.02],
  ['answer lost', 0.035],
  ['answer lost for good', 0.05],
  ['failed for good', 0.07],
]

/** One delivery to some process; whether it was acknowledged. */
async function deliver(fleet: Fleet, subscription: string, data: string): Promise<boolean> {
  const instance = fleet.instance()
  const message = { data, attributes: {}, messageId: String(fleet.chance.next()) }
  const body = jsonBytes({ message, subscription: `projects/p/subscriptions/${subscription}` })
  const answered = exchange(instance.events, `/events/${subscription}`, body).catch(() => 500)
  const status = await Promise.race([answered, instance.death])
  if (status !== 204 && status !== 500) throw new Error(`the edge answered ${status}`)
  return status === 204
}

async function deliverUntilTaken(fleet: Fleet, subscription: string, data: string): Promise<void> {
  while (!(await deliver(fleet, subscription, data)));
}

async function rollUpUntilDone(fleet: Fleet, tenant: string): Promise<void> {
  for (;;) {
    const { deps, death } = fleet.instance()
    const reading = deps.reads.background(new AbortController().signal)
    const work = rollUp(deps, contextOf(tenant), { reading, nowMs: NOW, open: true })
    const done = await Promise.race([work.then(() => 204).catch(() => 500), death])
    if (done === 204) return
  }
}

type Message = { readonly body: string; readonly events: number }

function planOf(deliveries: number, random: Random) {
  const truth: Truth = { events: 0, bad: 0, hours: new Map() }
  const messages: Message[] = []
  const copies: number[] = []
  let earlier: object[] = []
  while (copies.length < deliveries) {
    const tenant = random.pick(TENANTS)
    const fresh = Array.from({ length: random.between(1, MOST_EVENTS) }, () => anEvent(truth, tenant, random))
    // A producer that lost its buffer sends some of what it sent before, in batches of other content.
    const again = random.chance(0.3) ? earlier.slice(0, random.between(1, 4)) : []
    const events = shuffled([...fresh, ...again], random)
    if (random.chance(0.5)) earlier = shuffled([...earlier, ...fresh], random).slice(0, 20)
    messages.push({ body: jsonOf(events), events: events.length })
    for (let copy = random.between(1, 5); copy > 0; copy -= 1) copies.push(messages.length - 1)
  }
  return { truth, messages, deliveries: shuffled(copies, random) }
}

function anEvent(truth: Truth, tenant: string, random: Random) {
  const meter = random.pick(METERS)
  const hour = random.between(1, HOURS)
  const value = random.between(0, 9_999)
  const isBad = random.chance(0.002)
  const number = truth.events + truth.bad
  if (isBad) truth.bad += 1
  else {
    truth.events += 1
    const key = `${tenant} ${meter} ${NOW - hour * HOUR_MS}`
    const known = truth.hours.get(key) ?? { events: 0, value: 0n }
    truth.hours.set(key, {
      events: known.events + 1,
      value: known.value + (meter === 'agent_minutes' ? BigInt(value) : 1n),
    })
  }
  return {
    specversion: '1.0',
    id: `e-${number}`,
    source: '//test.example/deliveries',
    type: `ai.energent.usage.${meter}.v1`,
    subject: `tenants/${tenant}`,
    time: new Date(NOW - hour * HOUR_MS + random.between(0, HOUR_MS - 1)).toISOString(),
    data: {
      ...(meter === 'agent_minutes' ? { value: isBad ? 'x' : String(value) } : {}),
      ...(isBad && meter !== 'agent_minutes' ? { value: 'x' } : {}),
      // Each user once: a set that is too small or too large shows.
      ...(meter === 'active_users' ? { resource: `user-${number}` } : {}),
    },
  }
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const mixed = [...items]
  for (let at = mixed.length - 1; at > 0; at -= 1) {
    const other = random.between(0, at)
    const [one, two] = [mixed[at] as T, mixed[other] as T]
    mixed[at] = two
    mixed[other] = one
  }
  return mixed
}

function jsonOf(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64')
}

function jsonBytes(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}

import { systemIds } from '#shared/ids.ts'
import { randomOf } from '#shared/testing/random.ts'
import { rollUp } from '../../functions/billing/operations/roll-up-tenant.ts'
import { type Instance, startInstance } from '../exactly-once/dying-instance.ts'
import { tenantFact } from '../exactly-once/messages.ts'
import { contextOf } from '../shared/support/store.ts'
import { exchange } from '../simulation/ground/http-exchange.ts'
import { countingStore, type Operations } from './counting-store.ts'
import { NAIVE, type NaiveDesign } from './naive-designs.ts'

/** What one design needs for so many events, message by message. */
export type CountedDesign = {
  readonly events: number
  readonly eventsPerMessage: number
  /** Until the message is acknowledged. */
  readonly ingest: Operations
  /** Later, until the hour is exact: for us the roll-up, for a naive design the sum. */
  readonly settle: Operations
  /** A run of the roll-up job that finds nothing new, while the day lasts. */
  readonly idle: Operations
  /** What a TTL policy deletes once it is old enough. */
  readonly kept: number
  /** Bytes of an average message as Pub/Sub carries it. */
  readonly messageBytes: number
}

/** About what a tenant with a million events a month has in an hour. */
export const EVENTS = 1_000
export const SIZES = [1, 10, 100, 500] as const
const NOW = Date.parse('2026-11-23T12:00:00Z')
const HOUR = Date.parse('2026-11-23T10:00:00Z')
const METERS = ['agent_minutes', 'vcpu_seconds', 'memory_gib_seconds', 'llm_tokens_in', 'workflow_runs']

/** Usage of one tenant in one hour, through production's edge and adapters. */
export async function countOurs(eventsPerMessage: number): Promise<CountedDesign> {
  const { store, take } = countingStore()
  const random = randomOf(eventsPerMessage, 'cost')
  const instance = startInstance(
    { store, drawFault: () => undefined, random, now: () => NOW },
    (deps) => deps,
  )
  await push(instance, 'tenant-facts-to-billing', Buffer.from(JSON.stringify(tenantFact('acme', NOW))))
  // The first message of a minute reads the tenant's state: that is one read a minute and instance.
  await push(instance, 'billing-events-to-billing', messageOf([anEvent(EVENTS)]))
  take()
  const messages = messagesOf(eventsPerMessage)
  for (const message of messages) await push(instance, 'billing-events-to-billing', message)
  const ingest = take()
  const { deps } = instance
  const reading = deps.reads.background(new AbortController().signal)
  await rollUp(deps, contextOf('acme'), { reading, nowMs: NOW })
  const messageBytes = messages.reduce((sum, { byteLength }) => sum + byteLength, 0) / messages.length
  const settle = take()
  await rollUp(deps, contextOf('acme'), { reading, nowMs: NOW })
  const idle = take()
  return { events: EVENTS, eventsPerMessage, ingest, settle, idle, kept: messages.length, messageBytes }
}

/** The same events through a naive design. */
export async function countNaive(design: NaiveDesign, eventsPerMessage: number): Promise<CountedDesign> {
  const { store, take } = countingStore()
  const build = NAIVE[design](store)
  const messages = messagesOf(eventsPerMessage)
  for (const message of messages) build.ingest(JSON.parse(message.toString()))
  const ingest = take()
  build.settle()
  const messageBytes = messages.reduce((sum, { byteLength }) => sum + byteLength, 0) / messages.length
  const settle = take()
  return { events: EVENTS, eventsPerMessage, ingest, settle, idle: take(), kept: EVENTS, messageBytes }
}

function messagesOf(eventsPerMessage: number): Buffer[] {
  return Array.from({ length: EVENTS / eventsPerMessage }, (_none, at) =>
    messageOf(
      Array.from({ length: eventsPerMessage }, (_one, index) => anEvent(at * eventsPerMessage + index)),
    ),
  )
}

const messageOf = (events: readonly object[]): Buffer => Buffer.from(JSON.stringify(events))

function anEvent(at: number) {
  const meter = METERS[at % METERS.length]
  return {
    specversion: '1.0',
    id: `018f2c5e-7b1d-7c3a-9a41-${String(at).padStart(12, '0')}`,
    source: '//agents.example/clusters/eu1/namespaces/t-42/pods/agent-7',
    type: `ai.energent.usage.${meter}.v1`,
    subject: 'tenants/acme',
    time: new Date(HOUR + at * 1_000).toISOString(),
    data: { value: String(1 + (at % 90)) },
  }
}

async function push(instance: Instance, subscription: string, data: Buffer): Promise<void> {
  const message = {
    data: data.toString('base64'),
    attributes: {},
    messageId: systemIds.bytes(4).toString('hex'),
  }
  const body = Buffer.from(
    JSON.stringify({ message, subscription: `projects/p/subscriptions/${subscription}` }),
  )
  const status = await exchange(instance.events, `/events/${subscription}`, body)
  if (status !== 204) throw new Error(`${subscription} was answered ${status}`)
}

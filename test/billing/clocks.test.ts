import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLogger } from '#shared/log.ts'
import type { ReceivedBatch } from '#shared/pubsub/types.ts'
import { ingestUsage } from '../../functions/billing/operations/ingest-usage.ts'
import { redriveUsage } from '../../functions/billing/operations/redrive-usage.ts'
import { contextOf } from '../shared/support/store.ts'
import { aTenantFact, aUsageEvent, NOW, startWorld, type World } from './support/world.ts'

// An event is taken up to 5 minutes ahead. Two instances may see one on either side of that, and Pub/Sub
// gives a message to both.
const BEHIND = NOW - 30_000
const AHEAD = NOW + 30_000
const ORDERS = [
  ['the one behind first', BEHIND, AHEAD],
  ['the one ahead first', AHEAD, BEHIND],
] as const
const EARLY = new Date(NOW + 5 * 60_000).toISOString()

let world: World
beforeEach(async () => {
  world = await startWorld()
  await world.fact(aTenantFact({}))
})
afterEach(() => world.close())

type Event = ReturnType<typeof aUsageEvent>

/** One delivery of a message to an instance whose clock says `nowMs`. */
async function deliver(
  events: readonly Event[],
  nowMs: number,
  deps = world.deps,
  signal = new AbortController().signal,
): Promise<void> {
  const byTenant = Map.groupBy(events, (event) => event.subject.slice('tenants/'.length))
  const received = {
    parts: [...byTenant].map(([tenant, own]) => ({ ctx: contextOf(tenant), events: own })),
    attributes: {},
    origin: { messageId: '1', traceId: 't', attributes: {}, orderingKey: '' },
    messageId: '1',
    nowMs,
    log: silentLogger,
    signal,
  }
  await ingestUsage(deps, received as unknown as ReceivedBatch)
}

/** What each event came to: how often live counters count it, and whether it is in the ledger or set aside. */
function fates(tenant = 'acme') {
  const below = (prefix: string) => world.documents(prefix).map(({ data }) => data as Doc)
  const ledger = below(`tenants/${tenant}/billing_usageBatches`).flatMap((doc) =>
    (JSON.parse(gunzipSync(Buffer.from(doc['payload'] as string, 'base64')).toString()) as Event[]).map(
      ({ id }) => id,
    ),
  )
  const aside = below('billing_quarantine')
    .filter((doc) => doc['status'] === 'waiting' && doc['tenantId'] === tenant)
    .map((doc) => (JSON.parse(Buffer.from(doc['payload'] as string, 'base64').toString()) as Event).id)
  const live = below(`tenants/${tenant}/billing_live`)
    .flatMap((doc) => Object.values(doc['h'] as Record<string, { agent_minutes?: { events: number } }>))
    .reduce((sum, hour) => sum + (hour.agent_minutes?.events ?? 0), 0)
  return { ledger: ledger.sort(), aside: aside.sort(), live }
}
type Doc = Record<string, unknown>

const early = (id: string, tenant = 'acme') => aUsageEvent({ id, tenant, time: EARLY })
const good = (id: string, tenant = 'acme') => aUsageEvent({ id, tenant })

/** Each event in one place, and in the live counters exactly if it is in the ledger. */
function expectOnce(ids: readonly string[], tenant = 'acme') {
  const { ledger, aside, live } = fates(tenant)
  expect([...ledger, ...aside].sort()).toEqual([...ids].sort())
  expect(live).toBe(ledger.length)
}

test.each(ORDERS)('a message that comes to two instances counts once: %s', async (_order, first, second) => {
  const message = [early('x'), good('y'), good('z')]
  await deliver(message, first)
  await deliver(message, second)
  await deliver(message, first)

  expectOnce(['x', 'y', 'z'])
  expect(fates().aside).toEqual(first === BEHIND ? ['x'] : [])
})

test.each(ORDERS)('a message of nothing but early events has one fate: %s', async (_order, first, second) => {
  const message = [early('x'), early('y')]
  await deliver(message, first)
  await deliver(message, second)

  expectOnce(['x', 'y'])
  // An operator sends what was set aside again, event by event, once its time has come.
  for (const id of fates().aside) await deliver([early(id)], AHEAD)
  expect(fates().live).toBe(2)
  expect(fates().ledger).toEqual(['x', 'y'])
})

test('an early event alone can be sent again, and counts once whoever takes it', async () => {
  await deliver([early('x')], BEHIND)
  expect(fates()).toEqual({ ledger: [], aside: ['x'], live: 0 })

  await deliver([early('x')], AHEAD)
  await deliver([early('x')], BEHIND)
  await deliver([early('x')], AHEAD)
  expect(fates()).toMatchObject({ ledger: ['x'], live: 1 })
})

test.each(ORDERS)(
  'what is set aside of one tenant does not rename another’s part: %s',
  async (_o, first, second) => {
    await world.fact(aTenantFact({ tenant: 'globex' }))
    const message = [early('x'), good('y', 'globex')]
    await deliver(message, first)
    await deliver(message, second)

    expectOnce(['x'])
    expectOnce(['y'], 'globex')
  },
)

// Who dies after the commit has set nothing aside; whoever takes over may find the event good.
test('what the first commit left out is set aside by the second delivery', async () => {
  const message = [early('x'), good('y')]
  const dying = { put: () => Promise.reject(new Error('the instance died')) }
  await expect(deliver(message, BEHIND, { ...world.deps, quarantine: dying })).rejects.toThrow('died')
  await deliver(message, AHEAD)

  expect(fates()).toEqual({ ledger: ['y'], aside: ['x'], live: 1 })
})

// Usage that just gets too old stands first in order, and would move where each document begins.
test('a large message is split in the same places by every instance', async () => {
  const oldest = NOW - 66 * 24 * 3_600_000
  const message = [
    aUsageEvent({ id: 'old', time: new Date(oldest).toISOString() }),
    ...Array.from({ length: 100 }, (_none, at) =>
      aUsageEvent({ id: `e${at}`, time: new Date(NOW - (at + 1) * 3_600_000).toISOString() }),
    ),
  ]
  const { ledger } = world.deps
  let appended = 0
  const dying: typeof ledger = {
    ...ledger,
    append: (...batch) => {
      appended += 1
      return appended === 2 ? Promise.reject(new Error('the instance died')) : ledger.append(...batch)
    },
  }
  await expect(deliver(message, AHEAD, { ...world.deps, ledger: dying })).rejects.toThrow('died')
  await deliver(message, BEHIND)

  expect(appended).toBe(2)
  expectOnce(message.map(({ id }) => id))
})

test.each(ORDERS)('usage that waited for its tenant has the same fate: %s', async (_order, first, second) => {
  const message = [early('x', 'newcomer'), good('y', 'newcomer')]
  await deliver(message, first)
  await world.fact(aTenantFact({ tenant: 'newcomer' }))
  await deliver(message, second)

  expectOnce(['x', 'y'], 'newcomer')
  expect(fates('newcomer').aside).toEqual(first === BEHIND ? ['x'] : [])
})

// A slow store: the message was answered 500 in the meantime and comes again, perhaps at this moment.
test('a message whose deadline has passed is left where it is, and the rest counts once', async () => {
  const message = Array.from({ length: 100 }, (_none, at) =>
    aUsageEvent({ id: `e${at}`, time: new Date(NOW - (at + 1) * 3_600_000).toISOString() }),
  )
  const deadline = new AbortController()
  const { ledger } = world.deps
  let appended = 0
  const slow: typeof ledger = {
    ...ledger,
    append: async (...batch) => {
      appended += 1
      deadline.abort(new Error('too late'))
      return ledger.append(...batch)
    },
  }
  const deps = { ...world.deps, ledger: slow }
  await expect(deliver(message, NOW, deps, deadline.signal)).rejects.toThrow('too late')
  expect(appended).toBe(1)

  await deliver(message, NOW)
  expectOnce(message.map(({ id }) => id))
})

test('usage that waited is fetched until the deadline, and the rest by the next delivery', async () => {
  const events = ['a', 'b', 'c'].map((id) => good(id, 'newcomer'))
  for (const event of events) await deliver([event], NOW)
  const deadline = new AbortController()
  const { ledger } = world.deps
  const slow: typeof ledger = {
    ...ledger,
    append: async (...batch) => {
      deadline.abort(new Error('too late'))
      return ledger.append(...batch)
    },
  }
  const ctx = contextOf('newcomer')
  await world.deps.tenants.apply(
    ctx,
    { id: 'activated', kind: 'event', digest: 'd', keepMs: 1_000 },
    { state: 'ACTIVE', tier: 'standard', revision: 2, sequence: '2' },
  )
  await expect(redriveUsage({ ...world.deps, ledger: slow }, ctx, deadline.signal)).rejects.toThrow(
    'too late',
  )
  expect(fates('newcomer').ledger).toHaveLength(1)

  await redriveUsage(world.deps, ctx, new AbortController().signal)
  expectOnce(['a', 'b', 'c'], 'newcomer')
  expect(fates('newcomer').live).toBe(3)
})

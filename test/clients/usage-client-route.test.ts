import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  createUsageClient,
  httpTransport,
  pubsubTransport,
  type UsageEvent,
} from '../../clients/usage/index.ts'
import { aTenantFact, aUsageEvent, startWorld, type World } from '../billing/support/world.ts'
import { manualTime } from './manual-time.ts'

const DAY = '2026-11-20'
const TENANTS = ['acme', 'globex'] as const

let world: World
beforeAll(async () => {
  world = await startWorld()
  for (const tenant of TENANTS) await world.fact(aTenantFact({ tenant }))
})
afterAll(() => world.close())

/** What happens to one call on its way: before the service has it, or after. */
type Weather = 'fine' | 'unreachable' | 'answerLost' | 'busy' | 'stranger' | 'stale'
const weather = fc.constantFrom<Weather>(
  'fine',
  'fine',
  'unreachable',
  'answerLost',
  'busy',
  'stranger',
  'stale',
)

/** `fetch` through bad weather. */
function through(changes: { next(): { value: Weather } }, inner: typeof fetch = fetch): typeof fetch {
  return async (input, init) => {
    const today = changes.next().value
    if (today === 'unreachable') throw new TypeError('fetch failed')
    if (today === 'busy') return new Response('', { status: 429, headers: { 'retry-after': '3' } })
    if (today === 'stranger') return new Response('<html>', { status: 200 })
    if (today === 'stale') return new Response('{}', { status: 401 })
    const answer = await inner(input, init)
    if (today === 'answerLost') throw new TypeError('socket closed')
    return answer
  }
}

let runs = 0

const events = fc.array(
  fc.record({
    tenant: fc.constantFrom(...TENANTS),
    value: fc.integer({ min: 0, max: 90 }),
    at: fc.nat(3_599),
  }),
  { minLength: 1, maxLength: 60 },
)

/** Every event in an hour that no other run uses, so that each run can count its own. */
function written(plan: readonly { tenant: string; value: number; at: number }[]): UsageEvent[] {
  runs += 1
  const hour = Date.parse(`${DAY}T00:00:00Z`) - runs * 3_600_000
  return plan.map(({ tenant, value, at }, index) =>
    aUsageEvent({
      id: `run-${runs}-${index}`,
      tenant,
      value: String(value),
      time: new Date(hour + at * 1_000).toISOString(),
    }),
  ) as UsageEvent[]
}

async function counted(tenant: string): Promise<string> {
  const toMs = Date.parse(`${DAY}T00:00:00Z`) - (runs - 1) * 3_600_000
  const [from, to] = [toMs - 3_600_000, toMs].map((ms) => new Date(ms).toISOString())
  const path = `/v1/tenants/${tenant}/usage?meter=agent_minutes&from=${from}&to=${to}`
  const answer = await world.request({ path, token: `${tenant}+usage:read` })
  expect(answer.status, JSON.stringify(answer.json)).toBe(200)
  const data = answer.json['data'] as { value: string }[]
  return data[0]?.value ?? '0'
}

function expected(recorded: readonly UsageEvent[], tenant: string): string {
  const own = recorded.filter(({ subject }) => subject === `tenants/${tenant}`)
  return String(own.reduce((sum, { data }) => sum + Number(data['value']), 0))
}

async function deliverAll(deliveries: number): Promise<void> {
  for (const message of world.published.splice(0)) {
    if (message.topic !== 'billing-events') continue
    for (let copy = 0; copy < deliveries; copy += 1) {
      expect(await world.push('billing-events-to-billing', message.data, message.attributes)).toBe(204)
    }
  }
}

// The client on POST /v1/usage and the consumer behind it: the number that is billed is what was recorded.
test('whatever happens to the calls, what was recorded is counted once', async () => {
  const tokens: boolean[] = []
  await fc.assert(
    fc.asyncProperty(
      events,
      fc.infiniteStream(weather),
      fc.integer({ min: 1, max: 25 }),
      fc.integer({ min: 1, max: 3 }),
      async (plan, changes, maxEvents, deliveries) => {
        const recorded = written(plan)
        const time = manualTime()
        const client = createUsageClient({
          transport: httpTransport({
            url: world.apiUrl,
            token: async (tenantId, { fresh }) => {
              tokens.push(fresh)
              return `${tenantId}+usage:write`
            },
            fetch: through(changes),
          }),
          onRejected: (fate) => expect.unreachable(JSON.stringify(fate)),
          maxEvents,
          time: { ...time, after: (_ms, run) => time.after(0, run) },
        })
        for (const event of recorded) await client.record(event)
        const flushed = client.flush().then(() => true)
        while (!(await Promise.race([flushed, time.advance(1)])));
        await deliverAll(deliveries)
        for (const tenant of TENANTS) expect(await counted(tenant)).toBe(expected(recorded, tenant))
        expect(await client.close()).toEqual([])
      },
    ),
    { numRuns: 25 },
  )
  expect(new Set(tokens)).toEqual(new Set([true, false]))
}, 60_000)

test('a collector that publishes by itself is counted once too', async () => {
  await fc.assert(
    fc.asyncProperty(events, fc.infiniteStream(weather), async (plan, changes) => {
      const recorded = written(plan)
      const time = manualTime()
      const client = createUsageClient({
        transport: pubsubTransport(async ({ data, attributes }) => {
          const today = changes.next().value
          if (today === 'unreachable') throw new Error('UNAVAILABLE')
          world.published.push({ topic: 'billing-events', data: Buffer.from(data), attributes })
          if (today === 'answerLost') throw Object.assign(new Error('DEADLINE_EXCEEDED'), { code: 4 })
        }),
        onRejected: (fate) => expect.unreachable(JSON.stringify(fate)),
        time: { ...time, after: (_ms, run) => time.after(0, run) },
      })
      for (const event of recorded) await client.record(event)
      const flushed = client.flush().then(() => true)
      while (!(await Promise.race([flushed, time.advance(1)])));
      await deliverAll(2)
      for (const tenant of TENANTS) expect(await counted(tenant)).toBe(expected(recorded, tenant))
    }),
    { numRuns: 15 },
  )
}, 60_000)

test('what the service refuses comes back with its code, event by event', async () => {
  const fates: string[] = []
  const client = createUsageClient({
    transport: httpTransport({ url: world.apiUrl, token: async () => 'acme+usage:write' }),
    onRejected: ({ event, code }) => fates.push(`${event.id} ${code}`),
  })
  const good = aUsageEvent({ id: 'good' }) as UsageEvent
  await client.record(good)
  await client.record({ ...(aUsageEvent({ id: 'future', time: '2031-01-01T00:00:00Z' }) as UsageEvent) })
  await client.record({ ...(aUsageEvent({ id: 'bad', value: 'many' }) as UsageEvent) })
  await client.flush()
  await client.record(aUsageEvent({ id: 'not mine', tenant: 'globex' }) as UsageEvent)
  await client.flush()

  expect(fates).toEqual(['future event.malformed', 'bad event.malformed', 'not mine event.malformed'])
  expect(client.stats()).toMatchObject({ delivered: 1, rejected: 3 })
})

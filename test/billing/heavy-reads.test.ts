import { afterEach, beforeEach, expect, test } from 'vitest'
import type { TenantId } from '#shared/ids.ts'
import { TenantContext } from '#shared/tenancy/context.ts'
import { prove } from '#shared/tenancy/proofs.ts'
import { makeBatches } from '../../functions/billing/domain/usage-batch.ts'
import { checkUsageEvent } from '../../functions/billing/domain/usage-event.ts'
import { aTenantFact, aUsageEvent, NOW, startWorld, type World } from './support/world.ts'

let world: World
beforeEach(async () => {
  world = await startWorld()
  await world.fact(aTenantFact({}))
  await world.fact(aTenantFact({ tenant: 'rival' }))
})
afterEach(() => world.close())

const HOUR_MS = 3_600_000

/** Puts `count` events of a tenant into the ledger, past the edge: 500 in a batch, over so many hours. */
async function fill(tenant: string, count: number, hours = 480): Promise<void> {
  const ctx = new TenantContext(prove.event({ tenantId: tenant as TenantId, eventId: 'e', type: 'test' }))
  const rules = { tenantId: tenant, nowMs: NOW, maxAgeMs: 40 * 24 * HOUR_MS, producer: 'collector' } as const
  for (let at = 0; at < count; at += 500) {
    const events = Array.from({ length: 500 }, (_, index) => {
      const time = new Date(NOW - 60_000 - ((at / 500) % hours) * HOUR_MS).toISOString()
      const checked = checkUsageEvent(
        aUsageEvent({ id: `e${at + index}`, tenant, time, value: '1' }) as never,
        rules,
      )
      if (!checked.ok) throw new Error(checked.detail)
      return checked.value
    })
    const message = {
      batchId: Buffer.from(`batch ${at}`).toString('base64url'),
      tenantId: tenant,
      mixed: false,
    }
    for (const batch of makeBatches(events, { ...message, producer: 'collector' })) {
      await world.deps.ledger.append(ctx, batch, NOW)
    }
  }
}

const read = (query = '', tenant = 'acme') =>
  world.request({ path: `/v1/tenants/${tenant}/usage?window=hour${query}`, token: tenant })
const queries = () => world.calls.filter((call) => call === 'RunQuery').length
const totalOf = (answer: Awaited<ReturnType<typeof read>>) =>
  (answer.json['data'] as { value: string }[]).reduce((sum, row) => sum + Number(row.value), 0)

test('the same question asked many times at once is answered once', async () => {
  await fill('acme', 2_000)
  await read()
  world.calls.length = 0
  const first = await read()
  const once = queries()
  world.calls.length = 0
  const answers = await Promise.all(Array.from({ length: 8 }, () => read()))
  expect(new Set(answers.map((answer) => JSON.stringify(answer.json['data'])))).toEqual(
    new Set([JSON.stringify(first.json['data'])]),
  )
  // Some may come when the first is done already.
  expect(queries()).toBeLessThan(4 * once)
  expect(totalOf(first)).toBe(2_000)
})

test('two tenants that ask the same at the same time get each their own', async () => {
  await fill('acme', 1_000)
  const [mine, theirs] = await Promise.all([read(), read('', 'rival')])
  expect(totalOf(mine)).toBe(1_000)
  expect(theirs.json['data']).toEqual([])
})

test('what came after an answer is in the next one', async () => {
  await fill('acme', 1_000)
  await read()
  await world.usage(aUsageEvent({ id: 'new', value: '5' }))
  expect(totalOf(await read())).toBe(1_005)
})

test('a tenant has few large reads at a time, and its small ones and its neighbours go on', async () => {
  // What an answer holds at once is an hour, so what is large is an hour with a great deal in it.
  await fill('acme', 7_000, 1)
  const large = Array.from({ length: 8 }, (_, index) => read(`&to=2026-11-23T09:2${index}:00Z`))
  const small = Array.from({ length: 8 }, (_, index) =>
    read(`&from=2026-11-23T07:00:00Z&to=2026-11-23T07:1${index}:00Z`),
  )
  const answers = await Promise.all(large)
  const statuses = answers.map(({ status }) => status)
  expect(statuses).toContain(200)
  expect(statuses).toContain(429)
  const refused = answers.find(({ status }) => status === 429)
  expect(refused).toMatchObject({ json: { code: 'rate.limited' } })
  expect(Number(refused?.headers['retry-after'])).toBeGreaterThan(0)
  expect((await Promise.all(small)).map(({ status }) => status)).toEqual(small.map(() => 200))
  expect((await read('', 'rival')).status).toBe(200)
  // The room comes back, whether a read was answered or refused.
  expect((await read()).status).toBe(200)
})

test('a neighbour is answered while a large read is under way, not after it', async () => {
  await fill('acme', 60_000)
  await read('', 'rival')
  const beganMs = performance.now()
  let longestMs = 0
  let lastMs = beganMs
  let open = true
  const watch = (): void => {
    const nowMs = performance.now()
    longestMs = Math.max(longestMs, nowMs - lastMs)
    lastMs = nowMs
    if (open) setTimeout(watch, 1)
  }
  watch()
  const large = Array.from({ length: 3 }, (_, index) => read(`&to=2026-11-23T09:2${index}:00Z`))
  const answered = Promise.all(large).then((answers) => {
    open = false
    return answers
  })
  let during = 0
  while (open) {
    expect((await read('', 'rival')).status).toBe(200)
    during += 1
  }
  for (const answer of await answered) expect(answer.status).toBe(200)
  const tookMs = performance.now() - beganMs
  expect(during).toBeGreaterThan(3)
  // One slice and what the engine in this process does: far from all of the work at once.
  expect(longestMs).toBeLessThan(Math.max(tookMs / 4, 150))
}, 120_000)

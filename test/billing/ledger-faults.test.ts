import { afterAll, beforeAll, expect, test } from 'vitest'
import { workRequested } from '#shared/contracts/events/work-requested.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import type { TenantId } from '#shared/ids.ts'
import { aTenantFact, aUsageEvent, NOW, startWorld, type World } from './support/world.ts'

/** The kind of error that the client never tries again by itself. */
const INVALID_ARGUMENT = 3

/** All that there is to try takes minutes; a run that many wait for tries a part of it. */
const THOROUGH = process.env['LONG'] !== undefined

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

const target = (id: string) => ({ source: '//agents.example/pods/agent-7', id })

/** A day's usage of a tenant on several meters, with a late correction of each kind. */
function history(tenant: string) {
  const at = (id: string, time: string, fields: object = {}) =>
    aUsageEvent({ id, tenant, time: `2026-11-${time}Z`, ...fields })
  const correction = (id: string, type: string, data: object) => ({
    ...aUsageEvent({ id, tenant, value: null, source: '//energent.ai/billing' }),
    type: `ai.energent.usage.${type}.v1`,
    data,
  })
  const volume = { meter: 'storage_gib_hours', data: { resource: 'vol-1' } }
  return {
    usage: [
      at('a', '20T08:30:00'),
      at('b', '20T08:59:59.999', { value: '1.25' }),
      at('c', '20T09:00:00', { value: '2' }),
      at('d', '20T23:30:00', { ...volume, value: '10' }),
      at('e', '21T00:45:00', { ...volume, value: '20' }),
      at('f', '21T00:10:00', { meter: 'active_users', data: { resource: 'u1' } }),
      at('g', '21T00:20:00', { meter: 'active_users', data: { resource: 'u1' } }),
      at('h', '21T05:00:00', { meter: 'llm_tokens_in', data: { dimensions: { model: 'm' } } }),
      at('b', '20T08:59:59.999', { value: '0.5' }),
    ],
    corrections: [
      correction('v', 'void', { voids: target('a') }),
      correction('r', 'replace', { replaces: target('c'), value: '3', time: '2026-11-21T06:00:00Z' }),
    ],
  }
}

/** What was rolled up, but for what says how it came to that. */
function contents(tenant: string): unknown[] {
  const strip = ({ path, data }: { path: string; data: Record<string, unknown> }) => {
    // Not how many contradicted each other: of two in one message, one never comes this far.
    const { root, events, tallies, digest } = data
    return [path.replace(tenant, 't'), { root, events, tallies, digest: path.includes('Days') ? '' : digest }]
  }
  return ['billing_rollups', 'billing_rollupDays'].flatMap((name) =>
    world.documents(`tenants/${tenant}/${name}`).map(strip),
  )
}

async function known(tenant: string): Promise<void> {
  expect(await world.fact(aTenantFact({ tenant }))).toBe(204)
}

async function deliver(messages: readonly unknown[]): Promise<void> {
  for (let left = [...messages]; left.length > 0; ) {
    const outcomes: number[] = []
    for (const message of left) outcomes.push(await world.usage(message))
    left = left.filter((_, index) => outcomes[index] !== 204)
  }
}

/** One unit of the job, for one tenant. */
function rollUp(tenant: string): Promise<number> {
  const tenantId = tenant as TenantId
  const data = { tenantId, kind: 'rollup', key: 'dirty' }
  const { type } = workRequested
  const source = '//energent.ai/billing'
  return world.push(
    'billing-work-to-billing',
    newEvent({ id: 'r', source, type, tenantId, nowMs: NOW, data }),
    { tenantid: tenant, type },
  )
}

/** A unit that fails is delivered again, and the job asks for another in five minutes. */
async function rollUpUntilDone(tenant: string): Promise<void> {
  for (let run = 0; run < 3; run += 1) await rollUp(tenant)
}

async function calmly(tenant: string): Promise<unknown[]> {
  await known(tenant)
  const { usage, corrections } = history(tenant)
  await deliver([usage.slice(0, 8), usage.slice(8)])
  await rollUp(tenant)
  await deliver([corrections])
  await rollUpUntilDone(tenant)
  return contents(tenant)
}

test('whichever commit of a roll-up fails or loses its answer, the next runs end in the same bytes', async () => {
  const expected = await calmly('calm')
  expect(expected.length).toBeGreaterThan(6)
  for (const mode of ['error', 'lostAnswer'] as const) {
    for (let failing = 1, reached = true; reached; failing += THOROUGH ? 1 : 8) {
      const tenant = `crash-${mode === 'error' ? 'e' : 'l'}-${failing}`
      await known(tenant)
      const { usage, corrections } = history(tenant)
      await deliver([usage.slice(0, 8), usage.slice(8), corrections])
      let calls = 0
      world.engine.setFault((rpc) => {
        if (rpc !== 'Commit') return undefined
        calls += 1
        return calls === failing ? { mode, code: INVALID_ARGUMENT } : undefined
      })
      await rollUpUntilDone(tenant)
      world.engine.setFault(undefined)
      reached = calls >= failing
      expect(contents(tenant), `commit ${failing} of ${calls}, ${mode}`).toEqual(expected)
    }
  }
}, 600_000)

test('shuffled, copied and batched anew, with roll-ups in between, a history leaves the same bytes', async () => {
  const expected = await calmly('orderly')
  let seed = 7
  const next = (most: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return seed % most
  }
  for (let round = 0; round < (THOROUGH ? 100 : 2); round += 1) {
    const tenant = `shuffled-${round}`
    await known(tenant)
    const { usage, corrections } = history(tenant)
    const again = [...usage, ...corrections].flatMap((event) =>
      Array.from({ length: 1 + next(3) }, () => event),
    )
    const shuffled = again
      .map((event) => [next(1_000_000), event] as const)
      .sort(([left], [right]) => left - right)
      .map(([, event]) => event)
    while (shuffled.length > 0) {
      await deliver([shuffled.splice(0, 1 + next(5))])
      if (next(4) === 0) await rollUp(tenant)
    }
    await rollUpUntilDone(tenant)
    expect(contents(tenant), `round ${round}`).toEqual(expected)
  }
}, 600_000)

test('units of one tenant at the same time leave what one of them leaves', async () => {
  const expected = await calmly('alone')
  await known('together')
  const { usage, corrections } = history('together')
  await deliver([usage.slice(0, 8), usage.slice(8), corrections])
  const units = Array.from({ length: 6 }, () => rollUp('together'))
  expect(new Set(await Promise.all(units))).toEqual(new Set([204]))
  await rollUpUntilDone('together')
  expect(contents('together')).toEqual(expected)
}, 600_000)

test('a hundred events in a message cost two writes and no read, a fiftieth of a write for each', async () => {
  await known('cheap')
  let [writes, others] = [0, 0]
  world.engine.onCommit((commit) => {
    writes += commit.changes.length
  })
  world.engine.setFault((rpc) => {
    if (rpc !== 'Commit') others += 1
    return undefined
  })
  const messages = 20
  for (let message = 0; message < messages; message += 1) {
    const events = Array.from({ length: 100 }, (_, index) =>
      aUsageEvent({
        id: `${message}-${index}`,
        tenant: 'cheap',
        meter: index % 2 === 0 ? 'agent_minutes' : 'egress_bytes',
      }),
    )
    expect(await world.usage(events)).toBe(204)
  }
  world.engine.setFault(undefined)
  expect(writes / (messages * 100)).toBeLessThanOrEqual(0.02)
  expect(others).toBe(0)
})

import { afterEach, beforeEach, expect, test } from 'vitest'
import type { TenantId } from '#shared/ids.ts'
import { TenantContext } from '#shared/tenancy/context.ts'
import { prove } from '#shared/tenancy/proofs.ts'
import {
  findCrossHourConflicts,
  settleCrossHourConflicts,
} from '../../functions/billing/operations/settle-conflicts.ts'
import { aTenantFact, aUsageEvent, NOW, startWorld, type World } from './support/world.ts'

let world: World
beforeEach(async () => {
  world = await startWorld()
  await world.fact(aTenantFact({}))
})
afterEach(() => world.close())

const ctx = new TenantContext(prove.event({ tenantId: 'acme' as TenantId, eventId: 'e', type: 't' }))
const period = { fromMs: Date.parse('2026-11-01T00:00:00Z'), toMs: Date.parse('2026-12-01T00:00:00Z') }
const run = () => ({ reading: world.deps.reads.background(AbortSignal.timeout(60_000)), nowMs: NOW })

async function minutesUsed(): Promise<unknown> {
  const answer = await world.request({
    path: '/v1/tenants/acme/usage?meter=agent_minutes&from=2026-11-01T00:00:00Z&to=2026-11-23T09:00:00Z',
    token: 'acme',
  })
  return answer.json['data']
}

// Each hour alone sees one event, so both count until the period is looked at as a whole.
test('one id with two times counts once after the period was settled, and both sides are kept', async () => {
  await world.usage([aUsageEvent({ id: 'a', value: '1', time: '2026-11-20T08:00:00Z' })])
  await world.usage([aUsageEvent({ id: 'a', value: '5', time: '2026-11-21T10:00:00Z' })])
  await world.usage([aUsageEvent({ id: 'b', value: '10', time: '2026-11-20T08:00:00Z' })])
  await world.usage([aUsageEvent({ id: 'b', value: '10', time: '2026-11-20T08:00:00Z' })])
  await world.rollUp()
  expect(await minutesUsed()).toMatchObject([{ value: '16', events: 3 }])
  expect(await settleCrossHourConflicts(world.deps, ctx, period, run())).toBe(1)
  expect(await minutesUsed()).toMatchObject([{ value: '15', events: 2 }])
  const listed = await world.request({ path: '/v1/tenants/acme/usage/conflicts', token: 'acme' })
  expect(listed.json['items']).toMatchObject([{ id: 'a', time: '2026-11-21T10:00:00Z' }])
  expect(await settleCrossHourConflicts(world.deps, ctx, period, run())).toBe(0)
  expect(await findCrossHourConflicts(world.deps, ctx, period, run().reading)).toEqual([])
})

test('which side counts does not depend on the order in which they came', async () => {
  await world.usage([aUsageEvent({ id: 'a', value: '5', time: '2026-11-21T10:00:00Z' })])
  await world.usage([aUsageEvent({ id: 'a', value: '1', time: '2026-11-20T08:00:00Z' })])
  // A third content, in the hour of the one that loses, must not take its place.
  await world.usage([aUsageEvent({ id: 'a', value: '0.5', time: '2026-11-20T08:00:00Z' })])
  await settleCrossHourConflicts(world.deps, ctx, period, run())
  expect(await minutesUsed()).toMatchObject([{ value: '5', events: 1 }])
})

test('a void of the id takes all of its contents, in whatever hours', async () => {
  await world.usage([aUsageEvent({ id: 'a', value: '1', time: '2026-11-20T08:00:00Z' })])
  await world.usage([aUsageEvent({ id: 'a', value: '5', time: '2026-11-21T10:00:00Z' })])
  await world.rollUp()
  await world.usage([
    {
      ...aUsageEvent({ id: 'v', value: null, source: '//energent.ai/billing' }),
      type: 'ai.energent.usage.void.v1',
      data: { voids: { source: '//agents.example/pods/agent-7', id: 'a' } },
    },
  ])
  await world.rollUp()
  expect(await minutesUsed()).toMatchObject([{ value: '0', events: 0 }])
  expect(await settleCrossHourConflicts(world.deps, ctx, period, run())).toBe(0)
})

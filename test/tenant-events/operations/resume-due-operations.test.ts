import { expect, test } from 'vitest'
import type { TenantId } from '#shared/ids.ts'
import { resumeDueOperations } from '../../../functions/tenant-events/operations/resume-due-operations.ts'
import { aWorld, LOG, request } from '../world.ts'

const tenants = ['acme', 'globex', 'initech'] as TenantId[]

test('a tenant whose message cannot be published does not hold up the others', async () => {
  const world = aWorld()
  for (const tenantId of tenants) await request(world, { tenantId })
  const asked: string[] = []
  const enqueue = async (tenantId: TenantId): Promise<void> => {
    if (tenantId === 'acme') throw new Error('Pub/Sub is down')
    asked.push(tenantId)
  }

  const resumed = await resumeDueOperations(
    { ...world.process(), queue: { enqueue } },
    world.clock.now(),
    LOG,
  )

  expect(resumed).toEqual({ resumed: 2, notResumed: 1 })
  expect(asked.sort()).toEqual(['globex', 'initech'])
})

// The sweep writes nothing, so what it asked for in vain it asks for again.
test('an operation stays due until a worker takes it, and is asked for by one id until then', async () => {
  const world = aWorld()
  await request(world)
  const ids: string[] = []
  const queue = {
    enqueue: async (_id: TenantId, { event }: { event: { id: string } }) => void ids.push(event.id),
  }
  for (const _minute of [1, 2]) {
    world.clock.advance(60_000)
    await resumeDueOperations({ ...world.process(), queue }, world.clock.now(), LOG)
  }
  expect(ids).toHaveLength(2)
  expect(new Set(ids).size).toBe(1)
})

test('nothing is asked for when no operation is due', async () => {
  const world = aWorld()
  await request(world)
  await world.settle()
  world.clock.advance(86_400_000)
  const none = await resumeDueOperations(world.process(), world.clock.now(), LOG)
  expect(none).toEqual({ resumed: 0, notResumed: 0 })
})

test('nothing is asked for once the deadline has passed, and the next sweep asks for the rest', async () => {
  const world = aWorld()
  const many = Array.from({ length: 25 }, (_none, at) => `tenant-${at}` as TenantId)
  for (const tenantId of many) await request(world, { tenantId })
  const deadline = new AbortController()
  const asked: TenantId[] = []
  const queue = {
    enqueue: async (tenantId: TenantId) => {
      asked.push(tenantId)
      deadline.abort()
    },
  }
  const sweep = (signal?: AbortSignal) =>
    resumeDueOperations({ ...world.process(), queue }, world.clock.now(), LOG, signal)

  expect(await sweep(deadline.signal)).toEqual({ resumed: 10, notResumed: 0 })
  expect(asked).toHaveLength(10)

  await sweep()
  expect([...new Set(asked)].sort()).toEqual([...many].sort())
})

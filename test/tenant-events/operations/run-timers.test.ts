import { describe, expect, test } from 'vitest'
import { timerId } from '../../../functions/tenant-events/domain/timers.ts'
import { continueOperation } from '../../../functions/tenant-events/operations/continue-operation.ts'
import { runTimers } from '../../../functions/tenant-events/operations/run-timers.ts'
import type { LifecycleDeps } from '../../../functions/tenant-events/ports.ts'
import { aTenantIn } from '../lifecycle/machine.ts'
import type { Message } from '../messages.ts'
import { ACME, aWorld, contextOf, LOG, NO_DEADLINE, TRACE, type World } from '../world.ts'

const HOUR_MS = 3_600_000

/** A tenant whose time to come back is over, and what the timers asked for. */
function aWorldInGrace(): { world: World; asked: Message[]; deps: LifecycleDeps; operationId: string } {
  const world = aWorld()
  const machine = aTenantIn('GRACE')
  const [timer] = machine.timers.values()
  if (timer === undefined) throw new Error('there is no timer')
  world.store.tenants.set(ACME, machine.tenant)
  for (const [id, operation] of machine.operations) world.store.operations.set(id, operation)
  world.store.timers.set(timerId(timer), timer)
  const asked: Message[] = []
  const deps = {
    ...world.process(),
    queue: { enqueue: async (_tenantId: unknown, message: Message) => void asked.push(message) },
  }
  return { world, asked, deps, operationId: timer.operationId }
}

const run = (deps: LifecycleDeps) => runTimers(deps, { nowMs: deps.clock.now(), trace: TRACE, log: LOG })

const hear = (world: World, operationId: string) =>
  continueOperation(world.process(), {
    ctx: contextOf(ACME),
    operationId,
    trace: TRACE,
    signal: NO_DEADLINE,
    log: LOG,
  })

describe('the timers', () => {
  test('ask until the tenant shows that it was heard, and once it was they are gone', async () => {
    const { world, asked, deps, operationId } = aWorldInGrace()

    expect(await run(deps)).toEqual({ fired: 1, kept: 0, dropped: 0, failed: 0 })
    world.clock.advance(HOUR_MS)
    expect(await run(deps)).toMatchObject({ fired: 1 })
    expect(asked.map(({ event }) => event.data)).toEqual(asked.map(() => ({ tenantId: ACME, operationId })))
    expect(new Set(asked.map(({ event }) => event.id)).size).toBe(2)

    expect(await hear(world, operationId)).toEqual({ ok: true, value: 'resumed' })
    expect(await hear(world, operationId)).toEqual({ ok: true, value: 'not-running' })
    expect(world.store.tenants.get(ACME)?.state).toBe('PURGING')
    expect(await run(deps)).toMatchObject({ dropped: 1 })
    expect(world.store.timers.size).toBe(0)
  })

  test('keep the purge of a tenant whom the law holds, and drop that of one who is gone', async () => {
    const { world, asked, deps, operationId } = aWorldInGrace()
    const tenant = world.store.tenants.get(ACME)
    if (tenant === undefined) throw new Error('there is no tenant')
    world.store.tenants.set(ACME, { ...tenant, legalHold: { reference: 'case 7', atMs: 0 } })
    expect(await run(deps)).toMatchObject({ kept: 1 })
    expect(asked).toEqual([])
    // A message that was sent before the hold arrives after it.
    expect(await hear(world, operationId)).toEqual({ ok: true, value: 'not-running' })
    expect(world.store.tenants.get(ACME)?.state).toBe('GRACE')

    world.store.tenants.delete(ACME)
    expect(await run(deps)).toMatchObject({ dropped: 1 })
  })

  test('whose message fails do not hold up the others, and are tried again', async () => {
    const { deps } = aWorldInGrace()
    const queue = { enqueue: () => Promise.reject(new Error('Pub/Sub is down')) }
    expect(await run({ ...deps, queue })).toEqual({ fired: 0, kept: 0, dropped: 0, failed: 1 })
    expect(await run(deps)).toMatchObject({ fired: 1 })
  })

  test('of what is not due yet are left alone', async () => {
    const { world, deps } = aWorldInGrace()
    const [timer] = world.store.timers.values()
    if (timer === undefined) throw new Error('there is no timer')
    world.store.timers.clear()
    const later = { ...timer, dueAtMs: world.clock.now() + 1 }
    world.store.timers.set(timerId(later), later)
    expect(await run(deps)).toEqual({ fired: 0, kept: 0, dropped: 0, failed: 0 })
  })
})

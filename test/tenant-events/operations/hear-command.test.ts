import { describe, expect, test } from 'vitest'
import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import { resumeRequested } from '#shared/contracts/events/resume-requested.ts'
import { suspendRequested } from '#shared/contracts/events/suspend-requested.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { eventClaim } from '#shared/firestore/claim.ts'
import { digestOf } from '#shared/json.ts'
import type { StoredCertificate } from '../../../functions/tenant-events/domain/burial.ts'
import { lifecycleEvents } from '../../../functions/tenant-events/events.ts'
import { ACME, aWorld, contextOf, factsOf, LOG, NO_DEADLINE, request, TRACE, type World } from '../world.ts'

const BILLING = '//energent.ai/billing'

function commandEvent(
  world: World,
  name: 'suspend' | 'resume',
  commandSequence: bigint | undefined,
  source = BILLING,
): CloudEvent<Record<string, unknown>> {
  const contract = name === 'suspend' ? suspendRequested : resumeRequested
  return newEvent({
    id: `${name}.${commandSequence ?? 'none'}`,
    source,
    type: contract.type,
    tenantId: ACME,
    nowMs: world.clock.now(),
    data: { ...contract.example, tenantId: ACME },
    ...(commandSequence === undefined ? {} : { commandSequence }),
  })
}

/** As the event edge hands it over. */
async function deliver(world: World, event: CloudEvent<Record<string, unknown>>) {
  const handler = lifecycleEvents(world.process()).find(({ type }) => type === event.type)
  return handler?.receive({
    event,
    ctx: contextOf(ACME),
    claim: eventClaim(event, digestOf(event)),
    nowMs: world.clock.now(),
    trace: TRACE,
    signal: NO_DEADLINE,
    log: LOG,
  })
}

async function anActiveTenant(): Promise<World> {
  const world = aWorld()
  await request(world)
  await world.settle()
  return world
}

describe('a command of billing', () => {
  test('suspends and resumes, and its copies and latecomers do nothing more', async () => {
    const world = await anActiveTenant()
    const suspend = commandEvent(world, 'suspend', 1n)
    const resume = commandEvent(world, 'resume', 2n)

    await deliver(world, suspend)
    await deliver(world, suspend)
    expect(world.store.tenants.get(ACME)?.state).toBe('SUSPENDING')
    await deliver(world, resume)
    await deliver(world, suspend)

    expect(world.store.tenants.get(ACME)).toMatchObject({
      commandSeq: { billing: '2' },
      desired: { suspension: null },
    })
  })

  test('that overtook the one before it is the one that counts', async () => {
    const world = await anActiveTenant()
    const suspend = commandEvent(world, 'suspend', 1n)
    await deliver(world, commandEvent(world, 'resume', 2n))
    await deliver(world, suspend)
    expect(world.store.tenants.get(ACME)?.state).toBe('ACTIVE')
    expect(factsOf(world.store)).not.toContain('suspend-started')
  })

  // The inbox keeps a claim for thirty days; a message can be redriven after years.
  test('replayed when the inbox has forgotten it changes nothing', async () => {
    const world = await anActiveTenant()
    const suspend = commandEvent(world, 'suspend', 1n)
    await deliver(world, suspend)
    await deliver(world, commandEvent(world, 'resume', 2n))
    const before = world.store.tenants.get(ACME)
    world.store.claims.clear()
    world.clock.advance(400 * 86_400_000)

    expect(await deliver(world, suspend)).toMatchObject({ ok: true })

    expect(world.store.tenants.get(ACME)).toEqual(before)
  })

  test('waits a quarter of an hour for its tenant, and is set aside after that', async () => {
    const world = aWorld()
    const suspend = commandEvent(world, 'suspend', 1n)
    await expect(deliver(world, suspend)).rejects.toThrow('not there yet')
    world.clock.advance(15 * 60_000 - 1)
    await expect(deliver(world, suspend)).rejects.toThrow('not there yet')
    await request(world)
    expect(await deliver(world, suspend)).toMatchObject({ ok: true })

    const never = aWorld()
    const lost = commandEvent(never, 'suspend', 1n)
    never.clock.advance(15 * 60_000)
    expect(await deliver(never, lost)).toMatchObject({ ok: false, code: 'resource.not_found' })
  })

  test('about a tenant that was purged leaves no trace of it', async () => {
    const world = aWorld()
    world.store.tombstones.add(ACME)
    world.store.certificates.set(ACME, {} as StoredCertificate)
    expect(await deliver(world, commandEvent(world, 'suspend', 1n))).toMatchObject({ ok: true })
    expect(world.store.outbox).toEqual([])
  })

  test('is told of its refusal by a fact', async () => {
    const world = aWorld()
    await request(world)
    world.billing = 'refused'
    await world.settle()
    const { tenants } = world.store
    const failed = tenants.get(ACME)
    if (failed !== undefined) tenants.set(ACME, { ...failed, state: 'REJECTED' })

    expect(await deliver(world, commandEvent(world, 'suspend', 4n))).toMatchObject({ ok: true })

    expect(factsOf(world.store).at(-1)).toBe('command-rejected')
    expect(tenants.get(ACME)?.commandSeq).toEqual({ billing: '4' })
    expect(world.store.audit.at(-2)).toEqual({
      action: 'tenant.suspend',
      target: 'tenant',
      outcome: 'tenant.state_conflict',
    })
  })

  test.each([
    ['that has no number', undefined, BILLING],
    ['of anybody else', 1n, '//energent.ai/auth'],
  ] as const)('%s is set aside', async (_what, sequence, source) => {
    const world = await anActiveTenant()
    const event = commandEvent(world, 'suspend', sequence, source)
    expect(await deliver(world, event)).toMatchObject({ ok: false, code: 'event.malformed' })
    expect(world.store.tenants.get(ACME)?.state).toBe('ACTIVE')
  })

  test.each([
    [{ mode: 'softly', reason: 'payment_failed' }],
    [{ mode: 'soft', reason: '__proto__' }],
    [{ mode: 'soft' }],
  ])('whose data is %j is set aside', async (data) => {
    const world = await anActiveTenant()
    const event = { ...commandEvent(world, 'suspend', 1n), data: { tenantId: ACME, ...data } }
    expect(await deliver(world, event)).toMatchObject({ ok: false, code: 'event.malformed' })
  })
})

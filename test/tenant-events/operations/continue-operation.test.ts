import { describe, expect, test } from 'vitest'
import { PLANS } from '../../../functions/tenant-events/domain/plans.ts'
import { continueOperation } from '../../../functions/tenant-events/operations/continue-operation.ts'
import {
  ACME,
  answer,
  aWorld,
  type Crash,
  contextOf,
  factsOf,
  LOG,
  NO_DEADLINE,
  request,
  TRACE,
  type World,
} from '../world.ts'

const asked = (world: World, type: string): number =>
  world.store.outbox.filter(({ event }) => event.type.includes(type)).length

const go = (world: World, operationId: string, deps = world.process(), signal = NO_DEADLINE) =>
  continueOperation(deps, { ctx: contextOf(ACME), operationId, trace: TRACE, signal, log: LOG })

describe('provisioning', () => {
  test('ends ACTIVE with every object in the cluster and each fact said once, in order', async () => {
    const world = aWorld()
    const operationId = await request(world)

    const tenant = await world.settle()

    expect(tenant).toMatchObject({
      state: 'ACTIVE',
      op: null,
      observed: { tier: 'standard', subscriptionId: 'sub_acme', planId: 'example-standard' },
      placement: { cluster: 'energent-shared', namespace: 'tenant-acme' },
      namespaceUid: 'uid-1',
    })
    expect(world.store.operations.get(operationId)).toMatchObject({ status: 'succeeded' })
    expect(factsOf(world.store)).toEqual(['requested', 'activated'])
    // Ours, and the agent and its volume that they brought about.
    expect(world.cluster.objects.size).toBe(1 + 11 + 3 + 6 + 2)
    const sequences = world.store.outbox.flatMap(({ event }) => event.sequence ?? [])
    expect(sequences).toEqual(['1', '2'])
    expect(world.store.outbox.at(-1)?.event.data).toEqual({
      tenantId: 'acme',
      state: 'ACTIVE',
      tier: 'standard',
      deploymentModel: 'multi_tenant',
      cluster: 'energent-shared',
      namespace: 'tenant-acme',
      operationId,
      revision: tenant.revision,
      at: '2026-11-23T09:00:00.000Z',
    })
  })

  // A process can die at every call it makes: before it had an effect, or after it and before the answer.
  test.each(['before', 'after'] as const)(
    'survives a crash %s each effect, and says nothing twice',
    async (mode) => {
      let crashes = 0
      for (let at = 1; ; at += 1) {
        const world = aWorld()
        await request(world)
        const crash: Crash = { at, mode }
        const doomed = world.process(crash)

        const tenant = await world.settle(() => (crash.reached === true ? world.process() : doomed))

        expect(tenant, `crash ${mode} call ${at}`).toMatchObject({ state: 'ACTIVE', op: null })
        expect(factsOf(world.store)).toEqual(['requested', 'activated'])
        expect(asked(world, 'subscription-requested')).toBe(1)
        expect(asked(world, 'subscription-cancel-requested')).toBe(0)
        expect(world.cluster.objects.size).toBe(23)
        if (crash.reached !== true) break
        crashes += 1
      }
      // 2 commits around P01, 5 for the rest with the second lease, 22 calls of the cluster.
      expect(crashes).toBeGreaterThan(25)
    },
  )

  test.each(['before', 'after'] as const)(
    'takes everything back whatever crash %s an effect',
    async (mode) => {
      for (let at = 1; ; at += 1) {
        const world = aWorld()
        world.cluster.fail = (call) =>
          call === 'apply ResourceQuota/tenant-objects'
            ? { kind: 'permanent', code: 'cluster.invalid', text: 'no' }
            : undefined
        const operationId = await request(world)
        const crash: Crash = { at, mode }
        const doomed = world.process(crash)

        const tenant = await world.settle(() => (crash.reached === true ? world.process() : doomed))

        expect(tenant, `crash ${mode} call ${at}`).toMatchObject({
          state: 'PROVISION_FAILED',
          op: null,
          placement: null,
          namespaceUid: null,
        })
        expect(world.cluster.objects.size).toBe(0)
        expect(asked(world, 'subscription-cancel-requested')).toBe(1)
        expect(factsOf(world.store)).toEqual(['requested', 'provision-failed'])
        expect(world.store.operations.get(operationId)).toMatchObject({
          status: 'failed',
          failure: { step: 'apply-guardrails', code: 'cluster.invalid' },
        })
        if (crash.reached !== true) break
      }
    },
  )

  test('is refused for good when billing refuses, without touching the cluster or cancelling anything', async () => {
    const world = aWorld()
    world.billing = 'refused'
    const operationId = await request(world)

    const tenant = await world.settle()

    expect(tenant).toMatchObject({ state: 'PROVISION_FAILED', op: null, placement: null })
    expect(world.store.operations.get(operationId)).toMatchObject({
      status: 'failed',
      failure: { step: 'prepare-billing', code: 'plan.tier_mismatch' },
    })
    expect(world.cluster.calls).toEqual([])
    expect(asked(world, 'subscription-cancel-requested')).toBe(0)
    expect(factsOf(world.store)).toEqual(['requested', 'provision-failed'])
  })

  test('never puts a dedicated tenant on the shared cluster', async () => {
    const world = aWorld()
    await request(world, { deploymentModel: 'dedicated' })

    const tenant = await world.settle()

    expect(tenant).toMatchObject({ state: 'ACTIVE', placement: { cluster: 't-acme' } })
    expect([...world.cloud.machines.keys()]).toEqual(['t-acme'])
    expect(world.ownCluster.objects.size).toBeGreaterThan(10)
    expect(world.cluster.calls.filter((call) => !call.startsWith('find Namespace'))).toEqual([])
  })

  // The answer must not be lost when it overtakes the commit that says the question was asked.
  test('takes an answer of billing that comes before the question was recorded', async () => {
    const world = aWorld()
    world.billing = undefined
    const operationId = await request(world)
    await answer(world, ACME, operationId, 'ready')

    const tenant = await world.settle()

    expect(tenant.state).toBe('ACTIVE')
  })

  test('takes an answer of billing that comes while P01 runs', async () => {
    const world = aWorld()
    world.billing = undefined
    const operationId = await request(world)
    const deps = world.process()
    let commits = 0
    const change: typeof deps.store.change = async (...args) => {
      commits += 1
      // The first commit took the lease; the second is about to say that P01 waits.
      if (commits === 2) await answer(world, ACME, operationId, 'ready')
      return deps.store.change(...args)
    }

    const continued = await go(world, operationId, { ...deps, store: { ...deps.store, change } })

    expect(continued).toEqual({ ok: true, value: 'ended' })
    expect(world.store.tenants.get(ACME)?.state).toBe('ACTIVE')
  })

  test('keeps the first of two contradicting answers', async () => {
    const world = aWorld()
    world.billing = undefined
    const operationId = await request(world)
    await answer(world, ACME, operationId, 'ready')
    await answer(world, ACME, operationId, 'refused')

    expect((await world.settle()).state).toBe('ACTIVE')
  })

  test('is called stuck once after half an hour, and still ends when the answer comes', async () => {
    const world = aWorld()
    world.billing = undefined
    const operationId = await request(world)
    await go(world, operationId)
    for (let minute = 0; minute < 60; minute += 1) {
      world.clock.advance(60_000)
      await go(world, operationId)
    }
    expect(factsOf(world.store)).toEqual(['requested', 'operation-stuck'])

    await answer(world, ACME, operationId, 'ready')

    expect((await world.settle()).state).toBe('ACTIVE')
    expect(factsOf(world.store)).toEqual(['requested', 'operation-stuck', 'activated'])
  })

  test('outlasts a cluster that is down for a while, with growing pauses', async () => {
    const world = aWorld()
    const until = world.clock.now() + 20 * 60_000
    world.cluster.fail = () =>
      world.clock.now() < until
        ? { kind: 'transient', code: 'cluster.unreachable', text: 'ECONNREFUSED' }
        : undefined
    await request(world)

    expect((await world.settle()).state).toBe('ACTIVE')
    // A cluster that is down is not hammered: 20 minutes make a handful of tries.
    expect(world.cluster.calls.filter((call) => call === 'find Namespace/tenant-acme').length).toBeLessThan(
      15,
    )
  })

  test('waits when there is no way to the cluster the tenant is placed on', async () => {
    const world = aWorld()
    const operationId = await request(world)
    await answer(world, ACME, operationId, 'ready')

    await go(world, operationId, { ...world.process(), clusterNamed: () => undefined })

    expect(world.store.operations.get(operationId)?.steps['prepare-billing']).toMatchObject({
      status: 'intended',
      lastError: { code: 'placement.cluster_unknown', retriable: true },
    })
    expect((await world.settle()).state).toBe('ACTIVE')
  })

  test('never touches a namespace without our labels', async () => {
    const world = aWorld()
    const body = { apiVersion: 'v1', kind: 'Namespace' }
    const foreign = { name: 'tenant-acme', uid: 'theirs', labels: {}, terminating: false, body }
    world.cluster.objects.set('Namespace//tenant-acme', foreign)
    await request(world)

    const tenant = await world.settle()

    expect(tenant.state).toBe('PROVISION_FAILED')
    expect(world.cluster.objects.get('Namespace//tenant-acme')).toBe(foreign)
    expect(world.cluster.calls.filter((call) => !call.startsWith('find'))).toEqual([])
  })

  // An apply to a namespace on its way out is answered 200, and the namespace goes all the same.
  test('does not take a namespace that is terminating for a new one', async () => {
    const world = aWorld()
    const operationId = await request(world)
    await answer(world, ACME, operationId, 'ready')
    const apply: typeof world.cluster.apply = async (...args) => {
      const applied = await world.cluster.apply(...args)
      if (!applied.ok) return applied
      return { ok: true, value: { ...applied.value, object: { ...applied.value.object, terminating: true } } }
    }

    await go(world, operationId, { ...world.process(), clusterNamed: () => ({ ...world.cluster, apply }) })

    expect(world.store.operations.get(operationId)?.steps['apply-namespace']).toMatchObject({
      status: 'intended',
      waitingFor: 'cluster',
      lastError: { code: 'cluster.namespace_terminating', retriable: true },
    })
    expect(world.store.tenants.get(ACME)?.namespaceUid).toBe(null)
  })

  test('waits for a terminating namespace of its own to go and makes a new one', async () => {
    const world = aWorld()
    const labels = { 'energent.ai/tenant-id': 'acme', 'app.kubernetes.io/managed-by': 'tenant-events' }
    const body = { apiVersion: 'v1', kind: 'Namespace' }
    world.cluster.objects.set('Namespace//tenant-acme', {
      name: 'tenant-acme',
      uid: 'old',
      labels,
      terminating: true,
      body,
    })
    await request(world)

    expect(await world.settle()).toMatchObject({ state: 'ACTIVE', namespaceUid: 'uid-1' })
  })
})

describe('the lease', () => {
  test('lets one of two workers in, and a copy of the message does nothing', async () => {
    const world = aWorld()
    const operationId = await request(world)
    await answer(world, ACME, operationId, 'ready')

    const outcomes = await Promise.all([
      go(world, operationId),
      go(world, operationId),
      go(world, operationId),
    ])

    const values = outcomes.map((outcome) => (outcome.ok ? outcome.value : outcome.code)).sort()
    expect(values).toEqual(['busy', 'busy', 'ended'])
    expect(world.cluster.calls.filter((call) => call.startsWith('apply'))).toHaveLength(21)
    expect(await go(world, operationId)).toEqual({ ok: true, value: 'not-running' })
  })

  // A worker that slept through its lease must not write over the one that took over.
  test('makes the late commit of a worker that was replaced come to nothing', async () => {
    const world = aWorld()
    const operationId = await request(world)
    await answer(world, ACME, operationId, 'ready')
    const deps = world.process()
    const find: typeof world.cluster.find = async (...args) => {
      world.clock.advance(91_000)
      await go(world, operationId)
      return world.cluster.find(...args)
    }
    const slow = { ...deps, clusterNamed: () => ({ ...world.cluster, find }) }

    expect(await go(world, operationId, slow)).toEqual({ ok: true, value: 'superseded' })

    expect(world.store.tenants.get(ACME)?.state).toBe('ACTIVE')
    expect(factsOf(world.store)).toEqual(['requested', 'activated'])
  })

  test('makes it come to nothing while the other one is still on its way, too', async () => {
    const world = aWorld()
    const operationId = await request(world)
    await answer(world, ACME, operationId, 'ready')
    const find: typeof world.cluster.find = async (...args) => {
      world.clock.advance(91_000)
      await go(world, operationId, { ...world.process(), budgetMs: 0 })
      return world.cluster.find(...args)
    }
    const slow = { ...world.process(), clusterNamed: () => ({ ...world.cluster, find }) }

    expect(await go(world, operationId, slow)).toEqual({ ok: true, value: 'superseded' })

    expect(world.store.tenants.get(ACME)?.op).toMatchObject({ fence: 2, leaseUntilMs: 0 })
    expect((await world.settle()).state).toBe('ACTIVE')
    expect(factsOf(world.store)).toEqual(['requested', 'activated'])
  })

  // Each step may take most of a lease: it is counted anew at each commit.
  test('is renewed with each step', async () => {
    const world = aWorld()
    const operationId = await request(world)
    await answer(world, ACME, operationId, 'ready')
    const others: unknown[] = []
    const slowly = async (): Promise<void> => {
      world.clock.advance(60_000)
      others.push(await go(world, operationId))
    }
    const slow = new Set(['Namespace', 'LimitRange', 'RoleBinding'])
    const find: typeof world.cluster.find = async (kind, name, signal) => {
      if (slow.delete(kind.kind)) await slowly()
      return world.cluster.find(kind, name, signal)
    }
    const list: typeof world.cluster.list = async (kind, signal) => {
      if (slow.delete(kind.kind)) await slowly()
      return world.cluster.list(kind, signal)
    }
    const deps = { ...world.process(), clusterNamed: () => ({ ...world.cluster, find, list }) }

    expect(await go(world, operationId, deps)).toEqual({ ok: true, value: 'ended' })

    expect(others).toEqual(Array.from({ length: 3 }, () => ({ ok: true, value: 'busy' })))
  })

  test('leaves an operation alone before it is due', async () => {
    const world = aWorld()
    world.billing = undefined
    const operationId = await request(world)
    await go(world, operationId)

    expect(await go(world, operationId)).toEqual({ ok: true, value: 'not-due' })
  })

  test('is given back with a continuation when the time of the invocation is nearly over', async () => {
    const world = aWorld()
    const operationId = await request(world)
    await answer(world, ACME, operationId, 'ready')
    const spent = { ...world.process(), budgetMs: 0 }

    const outcomes: unknown[] = []
    const steps = PLANS.provision.steps.filter(({ key }) => key !== 'ensure-cluster').length
    for (let turn = 0; turn < steps; turn += 1) {
      const outcome = await go(world, operationId, spent)
      outcomes.push(outcome.ok && outcome.value)
    }

    expect(outcomes).toEqual([...Array.from({ length: steps - 1 }, () => 'yielded'), 'ended'])
    // The first of the request, one of billing's answer, and one for each turn but the last.
    expect(asked(world, 'step-continue')).toBe(2 + steps - 1)
  })

  // The message comes again all the same, perhaps while this invocation still works.
  test('is given back after the step in hand when nobody waits for the invocation any more', async () => {
    const world = aWorld()
    const operationId = await request(world)
    await answer(world, ACME, operationId, 'ready')
    const deadline = new AbortController()
    const find: typeof world.cluster.find = async (...args) => {
      deadline.abort()
      return world.cluster.find(...args)
    }
    const slow = { ...world.process(), clusterNamed: () => ({ ...world.cluster, find }) }

    expect(await go(world, operationId, slow, deadline.signal)).toEqual({ ok: true, value: 'yielded' })

    expect(world.store.tenants.get(ACME)?.op).toMatchObject({ leaseUntilMs: 0 })
    expect((await world.settle()).state).toBe('ACTIVE')
  })

  test("refuses another tenant's operation", async () => {
    const world = aWorld()
    const operationId = await request(world)
    const other = {
      ctx: contextOf('globex' as typeof ACME),
      operationId,
      trace: TRACE,
      signal: NO_DEADLINE,
      log: LOG,
    }

    expect(await continueOperation(world.process(), other)).toMatchObject({ code: 'resource.not_found' })
  })
})

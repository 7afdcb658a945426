import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { requestClaim } from '#shared/firestore/claim.ts'
import { closeDatabase, type Database, openDatabase } from '#shared/firestore/database.ts'
import { createOutbox } from '#shared/firestore/outbox.ts'
import { systemFirestore } from '#shared/firestore/system.ts'
import { tenantIndex } from '#shared/firestore/tenant-index.ts'
import { tenantFirestore } from '#shared/firestore/tenant-store.ts'
import { systemIds, type TenantId } from '#shared/ids.ts'
import { silentLogger } from '#shared/log.ts'
import { ok, refuse } from '#shared/result.ts'
import { firestoreLifecycleStore } from '../../../functions/tenant-events/adapters/lifecycle-store.ts'
import { firestoreTenantDirectory } from '../../../functions/tenant-events/adapters/tenant-directory.ts'
import { acceptTenant } from '../../../functions/tenant-events/domain/accept-tenant.ts'
import { continueOperation } from '../../../functions/tenant-events/operations/continue-operation.ts'
import type { LifecycleStore } from '../../../functions/tenant-events/ports.ts'
import { memoryStore } from '../memory-store.ts'
import { manualClockAt } from '../messages.ts'
import { ACME, answer, aRequest, aWorld, contextOf, LOG, NO_DEADLINE, TRACE } from '../world.ts'

const GLOBEX = 'globex' as TenantId
const clock = manualClockAt('2026-11-23T09:00:00Z')
let engine: FirestoreEngine
let database: Database

beforeAll(async () => {
  engine = await startFirestoreEngine({ now: clock.now })
  database = openDatabase({ project: 'demo-test', databaseId: '(default)', emulatorHost: engine.host })
})
afterAll(async () => {
  await closeDatabase(database)
  await engine.close()
})
beforeEach(() => engine.reset())

function firestore(): LifecycleStore {
  const system = systemFirestore(database, 'lifecycle')
  const publisher = { publish: async () => 'id' }
  const outbox = createOutbox({ group: 'lifecycle', system, publisher, clock, log: silentLogger })
  const parts = { database, group: 'lifecycle', clock, ids: systemIds, outbox } as const
  return firestoreLifecycleStore(tenantFirestore(parts), system)
}

/** Creates acme, or whom the fields say. */
const create = (store: LifecycleStore, operationId: string, tenantId = ACME, key?: string, digest = 'd') =>
  store.create(
    contextOf(tenantId),
    key === undefined ? undefined : requestClaim('me', 'createTenant', key, digest),
    (taken) => {
      const accepted = acceptTenant(aRequest({ tenantId }), taken, { operationId, nowMs: clock.now() })
      return accepted.ok ? ok({ value: { operationId }, audit: [], ...accepted.value }) : accepted
    },
  )

// The executor is tested on the memory store: it must behave as the real one does.
describe.each([
  ['in memory', () => memoryStore(clock.now)],
  ['in Firestore', firestore],
])('the lifecycle store %s', (_name, open) => {
  test('gives back what was created, byte for byte', async () => {
    const store = open()
    expect(await create(store, 'op_1')).toEqual(ok({ duplicate: false, value: { operationId: 'op_1' } }))
    const tenant = await store.findTenant(contextOf(ACME))
    const expected = acceptTenant(
      aRequest(),
      { exists: false, tombstone: false },
      {
        operationId: 'op_1',
        nowMs: clock.now(),
      },
    )
    expect(tenant).toEqual(expected.ok && expected.value.tenant)
    expect(await store.findOperation(contextOf(ACME), 'op_1')).toEqual(
      expected.ok && expected.value.operation,
    )
  })

  test('creates a tenant once, however many ask at once', async () => {
    const store = open()
    const asked = Array.from({ length: 8 }, (_, n) => create(store, `op_${n}`))
    const results = await Promise.all(asked)
    expect(results.filter((result) => result.ok)).toHaveLength(1)
    expect(results.filter((result) => !result.ok && result.code === 'tenant.id_taken')).toHaveLength(7)
  })

  test('answers a repeated request with its first answer, and another body with a refusal', async () => {
    const store = open()
    await create(store, 'op_1', ACME, 'key')
    expect(await create(store, 'op_2', ACME, 'key')).toEqual(
      ok({ duplicate: true, answer: { operationId: 'op_1' } }),
    )
    expect(await create(store, 'op_3', GLOBEX, 'key', 'other')).toMatchObject({
      code: 'request.idempotency_mismatch',
    })
    expect(await store.findTenant(contextOf(GLOBEX))).toBeUndefined()
  })

  test('loses no change when many change one tenant at once', async () => {
    const store = open()
    await create(store, 'op_1')
    const bump = () =>
      store.change(contextOf(ACME), undefined, 'op_1', ({ tenant }) =>
        ok({ value: 0, tenant: { ...tenant, specRevision: tenant.specRevision + 1 } }),
      )
    await Promise.all([bump(), bump(), bump(), bump()])
    expect((await store.findTenant(contextOf(ACME)))?.specRevision).toBe(5)
  })

  test('changes a tenant’s own document alone, each change on the one before, and once for a claim', async () => {
    const store = open()
    await create(store, 'op_1')
    const claim = requestClaim('somebody', 'changeTenant/acme', 'key', 'd')
    const renamed = (displayName: string, key?: typeof claim) =>
      store.changeTenant(contextOf(ACME), key, (tenant) =>
        ok({ value: displayName, tenant: { ...tenant, displayName, revision: tenant.revision + 1 } }),
      )
    const before = await store.findTenant(contextOf(ACME))
    const operation = await store.findOperation(contextOf(ACME), 'op_1')

    await Promise.all(['one', 'two', 'three'].map((name) => renamed(name)))
    expect(await renamed('claimed', claim)).toEqual(ok({ duplicate: false, value: 'claimed' }))
    expect(await renamed('again', claim)).toEqual(ok({ duplicate: true, answer: 'claimed' }))

    const revision = (before?.revision ?? 0) + 4
    expect(await store.findTenant(contextOf(ACME))).toEqual({ ...before, displayName: 'claimed', revision })
    expect(await store.findOperation(contextOf(ACME), 'op_1')).toEqual(operation)
  })

  test('changes no tenant that is not there, and none where nothing is to change', async () => {
    const store = open()
    await create(store, 'op_1')
    const seen = () => ok({ value: 'seen' })

    expect(await store.changeTenant(contextOf(GLOBEX), undefined, seen)).toMatchObject({
      code: 'resource.not_found',
    })
    const before = await store.findTenant(contextOf(ACME))
    const claim = requestClaim('somebody', 'changeTenant/acme', 'key-2', 'd')
    for (const key of [undefined, claim]) {
      expect(await store.changeTenant(contextOf(ACME), key, seen)).toEqual(
        ok({ duplicate: false, value: 'seen' }),
      )
    }
    expect(await store.findTenant(contextOf(ACME))).toEqual(before)
  })

  test("finds no operation of another tenant's", async () => {
    const store = open()
    await create(store, 'op_1')
    await create(store, 'op_2', GLOBEX)
    expect(await store.findOperation(contextOf(GLOBEX), 'op_1')).toBeUndefined()
    const crossed = await store.change(contextOf(GLOBEX), undefined, 'op_1', () =>
      refuse('internal.error', 'seen'),
    )
    expect(crossed).toMatchObject({ code: 'resource.not_found' })
  })
})

describe('two workers on the real store', () => {
  const onFirestore = async () => {
    const world = aWorld()
    const store = firestore()
    await create(store, 'op_1')
    const deps = () => ({ ...world.process(), store, clock })
    const go = (own = deps()) =>
      continueOperation(own, {
        ctx: contextOf(ACME),
        operationId: 'op_1',
        trace: TRACE,
        signal: NO_DEADLINE,
        log: LOG,
      })
    await answer({ ...world, process: deps }, ACME, 'op_1', 'ready')
    return { world, store, deps, go }
  }

  test('do no step twice', async () => {
    const { world, store, go } = await onFirestore()

    const results = await Promise.all([go(), go(), go(), go()])

    expect(results.filter((result) => result.ok && result.value === 'ended')).toHaveLength(1)
    expect(world.cluster.calls.filter((call) => call.startsWith('apply'))).toHaveLength(21)
    expect((await store.findTenant(contextOf(ACME)))?.state).toBe('ACTIVE')
  })

  test('one that lost its lease to the other commits nothing more', async () => {
    const { world, store, deps, go } = await onFirestore()
    const find: typeof world.cluster.find = async (...args) => {
      clock.advance(91_000)
      await go({ ...deps(), budgetMs: 0 })
      return world.cluster.find(...args)
    }

    expect(await go({ ...deps(), clusterNamed: () => ({ ...world.cluster, find }) })).toEqual(
      ok('superseded'),
    )

    expect((await store.findTenant(contextOf(ACME)))?.op).toMatchObject({ fence: 2, leaseUntilMs: 0 })
    expect(await go()).toEqual(ok('ended'))
    expect(await store.findTenant(contextOf(ACME))).toMatchObject({ state: 'ACTIVE', factSequence: 2 })
    const facts = engine.dump('lifecycle_outbox').filter(({ data }) => data['topic'] === 'tenant-facts')
    expect(facts).toHaveLength(2)
  })
})

test('a tenant whose document cannot be read is left out, and hides no other', async () => {
  const store = firestore()
  for (const tenantId of ['acme', 'broken', 'globex'] as TenantId[])
    await create(store, `op_${tenantId}`, tenantId)
  const found = await store.findTenant(contextOf('broken' as TenantId))
  if (found === undefined) throw new Error('no tenant')
  const spoilt = { ...found, desired: { ...found.desired, region: 7 as unknown as string } }
  await store.change(contextOf('broken' as TenantId), undefined, 'op_broken', () =>
    ok({ value: 0, tenant: spoilt }),
  )
  const complaints: unknown[] = []
  const log = { ...silentLogger, error: (_text: string, fields?: object) => void complaints.push(fields) }
  const directory = firestoreTenantDirectory(tenantIndex(database, 'lifecycle'), log)

  const due = await directory.due(clock.now(), 10)
  const first = await directory.list({}, 2, undefined)
  const second = await directory.list({}, 2, first.next)

  expect(due.map(({ tenantId }) => tenantId)).toEqual(['acme', 'globex'])
  expect(first.tenants.map(({ tenantId }) => tenantId)).toEqual(['acme'])
  expect(second.tenants.map(({ tenantId }) => tenantId)).toEqual(['globex'])
  expect(complaints[0]).toMatchObject({ tenantId: 'broken' })
})

test('no other group may look at all tenants', () => {
  expect(() => tenantIndex(database, 'billing')).toThrow('may not list tenants')
  expect(() => tenantIndex(database, 'auth')).toThrow('may not list tenants')
})

test('a purged id stays taken for ever', async () => {
  const system = systemFirestore(database, 'lifecycle')
  await system.commit([system.create('tombstones', ACME, { tenantId: ACME })], 'c1')
  expect(await create(firestore(), 'op_1')).toMatchObject({ code: 'tenant.id_taken', detail: 'tombstone' })
})

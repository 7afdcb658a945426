import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { requestClaim } from '#shared/firestore/claim.ts'
import { ok } from '#shared/result.ts'
import { firestoreLifecycleStore } from '../../../functions/tenant-events/adapters/lifecycle-store.ts'
import { firestoreTimerBook } from '../../../functions/tenant-events/adapters/timer-book.ts'
import { acceptTenant } from '../../../functions/tenant-events/domain/accept-tenant.ts'
import { newOperation, type Operation } from '../../../functions/tenant-events/domain/operation.ts'
import type { Tenant } from '../../../functions/tenant-events/domain/tenant.ts'
import type { Timer } from '../../../functions/tenant-events/domain/work.ts'
import type { LifecycleStore, TimerBook } from '../../../functions/tenant-events/ports.ts'
import { openStore, type TestStore } from '../../shared/support/store.ts'
import { memoryStore } from '../memory-store.ts'
import { manualClockAt } from '../messages.ts'
import { ACME, aRequest, contextOf } from '../world.ts'

const clock = manualClockAt('2026-11-23T09:00:00Z')
const CTX = contextOf(ACME)
let engine: FirestoreEngine
let firestore: TestStore
beforeAll(async () => {
  engine = await startFirestoreEngine({ now: clock.now })
  firestore = openStore(engine.host)
})
afterAll(async () => {
  await firestore.close()
  await engine.close()
})
beforeEach(() => engine.reset())

type Opened = { readonly store: LifecycleStore; readonly timers: TimerBook }

const inFirestore = (): Opened => ({
  store: firestoreLifecycleStore(firestore.tenants, firestore.system),
  timers: firestoreTimerBook(firestore.system),
})
const inMemory = (): Opened => {
  const store = memoryStore(clock.now)
  return { store, timers: store.timerBook }
}

async function created(store: LifecycleStore): Promise<void> {
  await store.create(CTX, undefined, (taken) => {
    const accepted = acceptTenant(aRequest(), taken, { operationId: 'op_1', nowMs: clock.now() })
    return accepted.ok ? ok({ value: 0, audit: [], ...accepted.value }) : accepted
  })
}

function waiting(tenant: Tenant, operationId: string): { tenant: Tenant; operation: Operation } {
  const { desired, observed, state } = tenant
  const fields = { operationId, tenantId: ACME, kind: 'suspend' as const, desired, request: {} }
  const operation = newOperation({ ...fields, from: { tier: observed.tier, state } }, clock.now())
  const entry = { operationId, kind: 'suspend' as const, notBeforeMs: null }
  return {
    tenant: { ...tenant, queue: [...tenant.queue, entry] },
    operation: { ...operation, status: 'queued' },
  }
}

const enqueue = (store: LifecycleStore, operationId: string, timers: readonly Timer[] = []) =>
  store.changeStanding(CTX, undefined, undefined, ({ tenant }) => {
    const next = waiting(tenant, operationId)
    return ok({ value: tenant.queue.length, tenant: next.tenant, operations: [next.operation], timers })
  })

describe.each([
  ['in memory', inMemory],
  ['in Firestore', inFirestore],
])('a tenant with all that runs and waits, %s', (_where, open) => {
  test('is read with its operations and the one that is named, and with nobody else’s', async () => {
    const { store } = open()
    await created(store)
    await enqueue(store, 'op_2')
    await store.changeStanding(CTX, undefined, undefined, ({ tenant }) =>
      ok({ value: 0, tenant: { ...tenant, queue: [] } }),
    )
    await enqueue(store, 'op_3')
    const seen = async (named: string | undefined) => {
      let ids: string[] = []
      await store.changeStanding(CTX, undefined, named, ({ operations }) => {
        ids = operations.map(({ operationId }) => operationId).sort()
        return ok({ value: 0 })
      })
      return ids
    }
    expect(await seen(undefined)).toEqual(['op_1', 'op_3'])
    expect(await seen('op_2')).toEqual(['op_1', 'op_2', 'op_3'])
    expect(await seen('op_9')).toEqual(['op_1', 'op_3'])
  })

  test('is not there before it is created', async () => {
    const { store } = open()
    const asked = await store.changeStanding(CTX, undefined, undefined, () => ok({ value: 0 }))
    expect(asked).toMatchObject({ ok: false, code: 'resource.not_found' })
  })

  test('loses no operation when several come at once', async () => {
    const { store } = open()
    await created(store)
    await Promise.all(['op_2', 'op_3', 'op_4'].map((id) => enqueue(store, id)))
    const tenant = await store.findTenant(CTX)
    expect(tenant?.queue.map(({ operationId }) => operationId).sort()).toEqual(['op_2', 'op_3', 'op_4'])
    for (const id of ['op_2', 'op_3', 'op_4']) {
      expect((await store.findOperation(CTX, id))?.status).toBe('queued')
    }
  })

  test('keeps what was ordered as it was ordered, with who agreed to it', async () => {
    const { store } = open()
    await created(store)
    const request: Operation['request'] = {
      ...{ toTier: 'basic', effective: 'now', mode: 'soft', reason: 'why', graceDays: 3, export: true },
      ...{ scope: 'all', backTo: 'SUSPENDED', approvals: [{ approver: 'ada', atMs: 1 }] },
    }
    await store.changeStanding(CTX, undefined, undefined, ({ tenant }) => {
      const { operation, ...next } = waiting(tenant, 'op_2')
      return ok({ value: 0, ...next, operations: [{ ...operation, request }] })
    })
    expect((await store.findOperation(CTX, 'op_2'))?.request).toEqual(request)
  })

  // With its claim taken nobody looks again.
  test('answers a claim with its first answer, also where nothing changed', async () => {
    const { store } = open()
    await created(store)
    const claim = requestClaim('me', 'suspend', 'key', 'd')
    const ask = (value: number) => store.changeStanding(CTX, claim, undefined, () => ok({ value }))
    expect(await ask(1)).toEqual(ok({ duplicate: false, value: 1 }))
    expect(await ask(2)).toEqual(ok({ duplicate: true, answer: 1 }))
  })

  test('is read by a worker with what waits, in its order', async () => {
    const { store } = open()
    await created(store)
    await enqueue(store, 'op_3')
    await enqueue(store, 'op_2')
    let ids: string[] = []
    await store.change(CTX, undefined, 'op_1', (work) => {
      ids = work.waiting.map(({ operationId }) => operationId)
      return ok({ value: 0 })
    })
    expect(ids).toEqual(['op_3', 'op_2'])
  })

  test('sets its timers with the commit, and they are found when they are due', async () => {
    const { store, timers } = open()
    await created(store)
    const timer = (operationId: string, dueAtMs: number): Timer => ({
      tenantId: ACME,
      operationId,
      kind: 'operation-due',
      dueAtMs,
    })
    const nowMs = clock.now()
    await enqueue(store, 'op_2', [timer('op_2', nowMs), timer('op_3', nowMs - 1), timer('op_4', nowMs + 1)])

    expect((await timers.due(nowMs, 10)).map(({ operationId }) => operationId)).toEqual(['op_3', 'op_2'])
    expect(await timers.due(nowMs, 1)).toEqual([timer('op_3', nowMs - 1)])
    await timers.drop(timer('op_3', nowMs - 1))
    await timers.drop(timer('op_3', nowMs - 1))
    expect(await timers.due(nowMs + 1, 10)).toEqual([timer('op_2', nowMs), timer('op_4', nowMs + 1)])
  })
})

test('what a tenant was stored as before its members were known is read with what they begin with', async () => {
  const { store } = inFirestore()
  await created(store)
  const document = engine.dump('tenants').find(({ path }) => path === `tenants/${ACME}`)
  const LATER = ['queue', 'holds', 'fence', 'legalHold', 'purgeApprovals', 'commandSeq', 'graceEndsAtMs']
  const before = Object.fromEntries(
    Object.entries(document?.data ?? {}).filter(
      ([name]) => ![...LATER, 'before', 'keyName', 'export'].includes(name),
    ),
  )
  engine.reset()
  await firestore.tenants.optimistic(CTX, undefined, async (db) =>
    ok({ value: 0, writes: [db.create([], before)] }),
  )
  expect(await store.findTenant(CTX)).toMatchObject({
    ...{ queue: [], holds: [], fence: 0, legalHold: null, purgeApprovals: [], commandSeq: {} },
    ...{ graceEndsAtMs: null, before: null, keyName: null, export: null },
  })
})

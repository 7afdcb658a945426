import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { systemClock } from '#shared/clock.ts'
import { replaceTimers } from '#shared/deadline.ts'
import { createOutbox, OUTBOX_GRACE_MS } from '#shared/firestore/outbox.ts'
import { tenantFirestore } from '#shared/firestore/tenant-store.ts'
import { systemIds } from '#shared/ids.ts'
import { silentLogger } from '#shared/log.ts'
import { ok } from '#shared/result.ts'
import { until } from '../../support/until.ts'
import { aStep, contextOf, openStore, parseAny, type TestStore } from '../support/store.ts'

// Publishing is slow, and whoever waits for it has gone: nothing new is begun, and nothing is lost.

const TENANTS = ['acme', 'globex', 'initech'] as const
const ROWS = 4

let engine: FirestoreEngine
let store: TestStore
let limit: AbortController
let putBack: () => void
beforeAll(async () => {
  engine = await startFirestoreEngine({ now: systemClock.now })
})
afterAll(() => engine.close())
beforeEach(() => {
  store = openStore(engine.host)
  limit = new AbortController()
  putBack = replaceTimers({
    after: (ms, run) => {
      const timer = setTimeout(run, ms)
      return () => clearTimeout(timer)
    },
    signalAfter: () => limit.signal,
  })
})
afterEach(async () => {
  putBack()
  await store.close()
})

/** Every tenant commits rows that cannot be published; then publishing works again. */
async function waiting(): Promise<void> {
  store.failing.when = () => true
  for (const tenant of TENANTS) {
    await store.tenants.optimistic(contextOf(tenant), undefined, async () =>
      ok({
        value: 1,
        writes: [],
        events: Array.from({ length: ROWS }, (_, at) => aStep(tenant, `${tenant}${at}`)),
      }),
    )
  }
  store.failing.when = () => false
  store.clock.advance(OUTBOX_GRACE_MS + 1)
}

const ids = () =>
  store.published.map(({ data }) => (JSON.parse(Buffer.from(data).toString()) as { id: string }).id)

test('a sweep begins no row after its deadline, and the next one publishes the rest in order', async () => {
  await waiting()
  const deadline = new AbortController()
  store.failing.when = () => {
    deadline.abort()
    return false
  }
  const first = await store.outbox.sweep(deadline.signal)

  // What was under way when the time was over.
  expect(first).toEqual({ published: 1, failed: 0 })
  expect(ids()).toHaveLength(1)

  expect(await store.outbox.sweep()).toEqual({ published: TENANTS.length * ROWS - 1, failed: 0 })
  for (const tenant of TENANTS) {
    const own = ids().filter((id) => id.startsWith(tenant))
    expect(own).toEqual(Array.from({ length: ROWS }, (_, at) => `${tenant}${at}`))
  }
})

test('a sweep whose deadline has passed reads nothing', async () => {
  const calls: string[] = []
  await store.outbox.sweep()
  engine.setFault((rpc) => {
    calls.push(rpc)
    return undefined
  })
  expect(await store.outbox.sweep(AbortSignal.abort())).toEqual({ published: 0, failed: 0 })
  engine.setFault(undefined)
  expect(calls).toEqual([])
})

test('a commit is answered before all of its events have left, when that takes long', async () => {
  store.failing.when = () => {
    if (store.published.length === 1) limit.abort()
    return false
  }
  const events = Array.from({ length: ROWS }, (_, at) => aStep('acme', `slow${at}`))
  const done = await store.tenants.optimistic(contextOf('acme'), undefined, async () =>
    ok({ value: 'answered', writes: [], events }),
  )
  expect(done).toMatchObject({ ok: true, value: { value: 'answered' } })
  expect(ids()).toEqual(['slow0', 'slow1'])

  store.clock.advance(OUTBOX_GRACE_MS + 1)
  expect(await store.outbox.sweep()).toEqual({ published: 2, failed: 0 })
  expect(ids()).toEqual(['slow0', 'slow1', 'slow2', 'slow3'])
})

// Commits of one tenant take turns to publish: each of those before may be slow.
test('a commit does not wait for the turns of others for longer than it may wait for its own', async () => {
  let release = (): void => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  let publishing = 0
  const publisher = {
    publish: async () => {
      publishing += 1
      await held
      return 'id'
    },
  }
  const { clock, database, system } = store
  const outbox = createOutbox({ group: 'lifecycle', system, publisher, clock, log: silentLogger })
  const tenants = tenantFirestore({ database, group: 'lifecycle', clock, ids: systemIds, outbox })
  const commit = (id: string) =>
    tenants.optimistic(contextOf('acme'), undefined, async () =>
      ok({ value: id, writes: [], events: [aStep('acme', id)] }),
    )
  const rows = async () =>
    (await system.list('lifecycle_outbox', { limit: 10 }, parseAny)).map(({ value }) => value['status'])
  const first = commit('first')
  await until(() => publishing === 1)
  const second = commit('second')
  await until(async () => (await rows()).length === 2)
  limit.abort()

  expect(await second).toMatchObject({ ok: true, value: { value: 'second' } })
  release()
  expect(await first).toMatchObject({ ok: true, value: { value: 'first' } })
  expect((await rows()).sort()).toEqual(['pending', 'sent'])
})

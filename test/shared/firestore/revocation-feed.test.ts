import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { revokeToken, revokeUntilNow } from '#shared/contracts/revocation.ts'
import { reach } from '#shared/firestore/database.ts'
import { type FeedEntry, revocationFeed } from '#shared/firestore/revocation-feed.ts'
import { ok } from '#shared/result.ts'
import { START_MS } from '../support/platform.ts'
import { contextOf, openStore, type TestStore } from '../support/store.ts'

let engine: FirestoreEngine
let store: TestStore
let nowMs = START_MS

beforeAll(async () => {
  engine = await startFirestoreEngine({ now: () => nowMs })
  store = openStore(engine.host, 'auth')
})
afterAll(async () => {
  await store.close()
  await engine.close()
})
beforeEach(() => {
  engine.reset()
  nowMs += 3_600_000
})

const readAll = async (afterMs: number): Promise<FeedEntry[]> => {
  const feed = revocationFeed(store.database)
  const pages = await Promise.all(feed.shards.map((shard) => feed.since(shard, afterMs)))
  return pages.flatMap(({ entries }) => entries)
}
const raw = async (path: string, fields: object): Promise<void> => {
  const { client, sdk } = await reach(store.database)
  await client.doc(path).set({ at: sdk.FieldValue.serverTimestamp(), ...fields })
}

describe('the feed', () => {
  test('gives back what commits revoked, of all tenants and shards', async () => {
    store.clock.set(nowMs)
    for (const tenantId of ['acme', 'globex']) {
      const revocations = [
        ...Array.from({ length: 20 }, (_, n) => revokeUntilNow('user', `usr_${n}`, nowMs, 'disabled')),
        revokeToken({ jti: `j-${tenantId}`, iat: nowMs / 1000, exp: nowMs / 1000 + 300 }),
      ]
      await store.tenants.optimistic(contextOf(tenantId), undefined, async () =>
        ok({ value: 1, writes: [], revocations }),
      )
    }
    const found = await readAll(nowMs - 10_000)
    expect(found).toHaveLength(42)
    expect(found).toContainEqual(
      expect.objectContaining({
        ...{ tenantId: 'globex', kind: 'user', id: 'usr_7', before: nowMs / 1000, reason: 'disabled' },
      }),
    )
    expect(found.find(({ id }) => id === 'j-acme')).toMatchObject({ kind: 'token', expMs: nowMs + 305_000 })
    expect(await readAll(nowMs + 10_000)).toEqual([])
  })

  test('says the time of the store, also when there is nothing to read', async () => {
    const feed = revocationFeed(store.database)
    expect(await feed.now()).toBe(nowMs)
    expect((await feed.since('0', 0)).readTimeMs).toBe(nowMs)
  })

  test('is read to its end, however much there is', async () => {
    const { client, sdk } = await reach(store.database)
    for (let batchOf = 0; batchOf < 5; batchOf += 1) {
      const batch = client.batch()
      for (let n = 0; n < 450; n += 1) {
        const at = sdk.Timestamp.fromMillis(nowMs - (n % 3))
        const exp = sdk.Timestamp.fromMillis(nowMs + 1_000)
        const id = `u${batchOf * 450 + n}`
        batch.set(client.doc(`authFeed/1/entries/${id}`), {
          ...{ at, tenantId: 'acme', kind: 'user', id, before: 1, exp },
        })
      }
      await batch.commit()
    }
    const found = await readAll(nowMs - 10_000)
    expect(new Set(found.map(({ id }) => id)).size).toBe(2_250)
    expect(found).toHaveLength(2_250)
  })

  test('takes an entry that it does not understand for the revocation of its tenant', async () => {
    await raw('authFeed/2/entries/x1', { tenantId: 'acme', kind: 'from-the-future', id: 'y', before: 'z' })
    expect(await readAll(nowMs - 10_000)).toMatchObject([
      { tenantId: 'acme', kind: 'tenant', id: 'acme', before: Math.floor(nowMs / 1000) },
    ])
  })

  test('counts what is about nobody, and goes on', async () => {
    await raw('authFeed/2/entries/x1', { kind: 'user' })
    await raw('authFeed/2/entries/x2', { tenantId: '../globex', kind: 'user', id: 'a', before: 1 })
    const page = await revocationFeed(store.database).since('2', nowMs - 10_000)
    expect(page).toMatchObject({ entries: [], unreadable: 2 })
  })
})

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { manualClock } from '#shared/clock.ts'
import { authStateSource } from '#shared/firestore/auth-state.ts'
import { reach } from '#shared/firestore/database.ts'
import type { TenantId } from '#shared/ids.ts'
import { openStore, type TestStore } from '../support/store.ts'

const ACME = 'acme' as TenantId
const STATE = { status: 'ACTIVE', tier: 'basic', version: 1, notBefore: 0 }

let engine: FirestoreEngine
let store: TestStore
const write = async (fields: object): Promise<void> => {
  const { client } = await reach(store.database)
  await client.doc('tenants/acme/auth_state/current').set(fields)
}

beforeAll(async () => {
  engine = await startFirestoreEngine({ now: () => 0 })
  store = openStore(engine.host, 'billing')
})
afterAll(async () => {
  await store.close()
  await engine.close()
})
beforeEach(() => write(STATE))

describe('a state that the view vouches for', () => {
  test('is kept until the view tells of a change', async () => {
    const clock = manualClock(0)
    const stateOf = authStateSource(store.database, clock)
    await stateOf(ACME, 1)
    await write({ ...STATE, status: 'SUSPENDED' })
    clock.advance(20_000)
    expect(await stateOf(ACME, 1)).toMatchObject({ status: 'ACTIVE' })
    expect(await stateOf(ACME, 2)).toMatchObject({ status: 'SUSPENDED' })
  })

  test('is read again after half a minute: a writer may have forgotten to tell', async () => {
    const clock = manualClock(0)
    const stateOf = authStateSource(store.database, clock)
    await stateOf(ACME, 1)
    await write({ ...STATE, status: 'SUSPENDED' })
    clock.advance(30_000)
    expect(await stateOf(ACME, 1)).toMatchObject({ status: 'SUSPENDED' })
  })

  test('serves while the store is down, and one that was changed does not', async () => {
    const clock = manualClock(0)
    const stateOf = authStateSource(store.database, clock)
    await stateOf(ACME, 1)
    const { client } = await reach(store.database)
    const real = client.doc.bind(client)
    // In place of the engine's faults: the client would try again for seconds before it gave up.
    client.doc = () => ({ get: () => Promise.reject(new Error('down')) }) as never
    try {
      clock.advance(45_000)
      expect(await stateOf(ACME, 1)).toMatchObject({ status: 'ACTIVE' })
      await expect(stateOf(ACME, 2)).rejects.toThrow('down')
    } finally {
      client.doc = real
    }
  })

  test('that a change overtook while it was read is not taken for the newer one', async () => {
    const clock = manualClock(0)
    const stateOf = authStateSource(store.database, clock)
    // Both begin at once; the one that began under the older generation loses, whichever ends last.
    const older = stateOf(ACME, 1)
    await write({ ...STATE, status: 'SUSPENDED' })
    const newer = stateOf(ACME, 2)
    await older
    expect(await newer).toMatchObject({ status: 'SUSPENDED' })
    expect(await stateOf(ACME, 2)).toMatchObject({ status: 'SUSPENDED' })
  })

  test('of a tenant that was not there is asked for again after two seconds', async () => {
    const clock = manualClock(0)
    const stateOf = authStateSource(store.database, clock)
    expect(await stateOf('initech' as TenantId, 0)).toBeUndefined()
    const { client } = await reach(store.database)
    await client.doc('tenants/initech/auth_state/current').set(STATE)
    clock.advance(2_000)
    expect(await stateOf('initech' as TenantId, 0)).toMatchObject({ status: 'ACTIVE' })
  })
})

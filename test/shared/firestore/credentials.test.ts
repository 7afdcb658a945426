import { Firestore } from '@google-cloud/firestore'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { manualClock, systemClock } from '#shared/clock.ts'
import { authStateSource } from '#shared/firestore/auth-state.ts'
import { findCredential } from '#shared/firestore/credentials.ts'
import { reach } from '#shared/firestore/database.ts'
import { tenantIndex } from '#shared/firestore/tenant-index.ts'
import type { TenantId } from '#shared/ids.ts'
import { retrySooner } from '../../support/quick-retries.ts'
import { contextOf, openStore, parseAny, type TestStore } from '../support/store.ts'

const STATE = { status: 'ACTIVE', tier: 'basic', version: 1, notBefore: 0 }
const [ACME, GLOBEX, INITECH] = ['acme', 'globex', 'initech'] as TenantId[] as [TenantId, TenantId, TenantId]

retrySooner()

let engine: FirestoreEngine
let store: TestStore
let raw: Firestore
let calls: string[] = []
beforeAll(async () => {
  engine = await startFirestoreEngine({ now: systemClock.now })
  store = openStore(engine.host, 'auth')
  raw = new Firestore({
    projectId: store.project,
    host: engine.host,
    ssl: false,
    customHeaders: { Authorization: 'Bearer owner' },
  })
})
afterAll(async () => {
  await raw.terminate()
  await store.close()
  await engine.close()
})
beforeEach(async () => {
  engine.reset()
  engine.setFault(undefined)
  for (const [tenant, tier] of [
    ['acme', 'basic'],
    ['globex', 'premium'],
  ]) {
    await raw.doc(`tenants/${tenant}/auth_state/current`).set({ ...STATE, tier })
    await raw.doc(`tenants/${tenant}/auth_clients/c1`).set({ of: tenant })
  }
  calls = []
  engine.setFault((rpc) => {
    calls.push(rpc)
    return undefined
  })
})

describe('a credential', () => {
  const find = (tenant: TenantId, id = 'c1') =>
    findCredential(store.database, tenant, 'auth_clients', id, parseAny)

  test('is read with its tenant’s state, in one call', async () => {
    expect(await find(ACME)).toMatchObject({ state: { tier: 'basic' }, credential: { of: 'acme' } })
    expect(await find(GLOBEX)).toMatchObject({ state: { tier: 'premium' }, credential: { of: 'globex' } })
    expect(calls).toEqual(['BatchGetDocuments', 'BatchGetDocuments'])
  })

  test('that is missing is no other one, nor is a missing state', async () => {
    expect(await find(ACME, 'c2')).toMatchObject({ state: { tier: 'basic' }, credential: undefined })
    expect(await find(INITECH)).toEqual({ state: undefined, credential: undefined })
    await raw.doc('tenants/initech/auth_clients/c1').set({ of: 'initech' })
    expect(await find(INITECH)).toMatchObject({ state: undefined, credential: { of: 'initech' } })
  })

  test.each(['..', 'a/b', '', '__x__', 'a\0', '%2e%2e', 'x'.repeat(1_501)])('%j is none', async (id) => {
    await expect(find(ACME, id)).rejects.toThrow(TypeError)
    expect(calls).toEqual([])
  })
})

describe('the state that tokens are judged by', () => {
  test('is each tenant’s own, and asked for once in two seconds', async () => {
    const clock = manualClock(1_000_000)
    const stateOf = authStateSource(store.database, clock)
    for (let round = 0; round < 3; round += 1) {
      expect(await stateOf(ACME)).toMatchObject({ tier: 'basic' })
      expect(await stateOf(GLOBEX)).toMatchObject({ tier: 'premium' })
      expect(await stateOf(INITECH)).toBeUndefined()
    }
    expect(calls).toHaveLength(3)

    await raw.doc('tenants/acme/auth_state/current').set({ ...STATE, status: 'SUSPENDED' })
    clock.advance(1_999)
    expect(await stateOf(ACME)).toMatchObject({ status: 'ACTIVE' })
    clock.advance(1)
    expect(await stateOf(ACME)).toMatchObject({ status: 'SUSPENDED' })
  })

  test('is asked for again after a failure', async () => {
    const stateOf = authStateSource(store.database, manualClock(0))
    engine.setFault(() => ({ mode: 'error', code: 7 }))
    await expect(stateOf(ACME)).rejects.toThrow()
    engine.setFault(undefined)
    expect(await stateOf(ACME)).toMatchObject({ tier: 'basic' })
  })

  test('is remembered of no more than ten thousand tenants', async () => {
    const { client } = await reach(store.database)
    const real = client.doc.bind(client)
    let reads = 0
    client.doc = () => ({ get: async () => ({ exists: false, n: reads++ }) }) as never
    try {
      const stateOf = authStateSource(store.database, manualClock(0))
      const others = Array.from({ length: 10_000 }, (_, n) => `t-${n}` as TenantId)
      for (const tenant of [ACME, ...others]) await stateOf(tenant)
      expect(reads).toBe(10_001)
      await stateOf(others[9_999] ?? ACME)
      expect(reads).toBe(10_001)
      await stateOf(ACME)
      expect(reads).toBe(10_002)
    } finally {
      client.doc = real
    }
  })
})

test.each(['auth', 'billing'] as const)('%s cannot list tenants', (group) => {
  expect(() => tenantIndex(store.database, group)).toThrow(TypeError)
})

describe('what the store answers', () => {
  test('with a reference in it is not handed on', async () => {
    await raw.doc('tenants/acme/auth_things/r').set({ to: raw.doc('tenants/globex/auth_clients/c1') })
    const reading = store.tenants.withTenant(contextOf('acme'), (db) =>
      db.find(['auth_things', 'r'], parseAny),
    )
    await expect(reading).rejects.toThrow(/never write/)
  })

  test('that is another document than the one asked for is not believed', async () => {
    await raw.doc('tenants/acme/auth_things/mine').set({ of: 'acme' })
    const { client } = await reach(store.database)
    const theirs = await client.doc('tenants/globex/auth_clients/c1').get()
    const real = client.doc.bind(client)
    client.doc = () => ({ get: async () => theirs }) as never
    try {
      const reading = store.tenants.withTenant(contextOf('acme'), (db) =>
        db.find(['auth_things', 'mine'], parseAny),
      )
      await expect(reading).rejects.toThrow(/another path/)
    } finally {
      client.doc = real
    }
  })
})

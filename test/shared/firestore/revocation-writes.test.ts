import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { latestExpiry, type Revocation, revokeToken, revokeUntilNow } from '#shared/contracts/revocation.ts'
import { ok } from '#shared/result.ts'
import { START_MS } from '../support/platform.ts'
import { contextOf, openStore, type TestStore } from '../support/store.ts'

const NOW = Math.floor(START_MS / 1000)

let engine: FirestoreEngine
let store: TestStore

beforeAll(async () => {
  engine = await startFirestoreEngine({ now: () => START_MS })
  store = openStore(engine.host, 'auth')
})
afterAll(async () => {
  await store.close()
  await engine.close()
})

const commit = (revocations: readonly Revocation[], tenantId = 'acme', of = store) =>
  of.tenants.optimistic(contextOf(tenantId), undefined, async () =>
    ok({ value: 'done', writes: [], revocations }),
  )
const entries = () => engine.dump('authFeed').map(({ path, data }) => ({ path, text: JSON.stringify(data) }))

describe('the feed entries of a commit', () => {
  test('stand in the feed with the time of the commit', async () => {
    const done = await commit([
      revokeUntilNow('session', 'ses_1', START_MS, 'logout'),
      revokeToken({ jti: 'j1', iat: NOW - 5, exp: NOW + 300 }),
    ])
    expect(done.ok).toBe(true)
    const found = entries()
    expect(found).toHaveLength(2)
    expect(found.every(({ path }) => /^authFeed\/[0-3]\/entries\/[0-9a-f-]+-[01]$/.test(path))).toBe(true)
  })

  test.each<[string, Revocation]>([
    ['an unknown kind', { kind: 'robot' as never, id: 'a', before: 1, exp: 2 }],
    ['no id', { kind: 'user', id: '', before: 1, exp: 2 }],
    ['another tenant', { kind: 'tenant', id: 'globex', before: 1, exp: 2 }],
    ['a signing key, as another than the platform', { kind: 'signingKey', id: 'k1', before: 1, exp: 2 }],
    ['half a second', { kind: 'user', id: 'a', before: 1.5, exp: 2 }],
    ['milliseconds', { kind: 'user', id: 'a', before: START_MS, exp: START_MS }],
    ['the future', { kind: 'user', id: 'a', before: NOW + 60, exp: NOW + 120 }],
    ['a reason with somebody in it', { kind: 'user', id: 'a', before: 1, exp: 2, reason: 'Jane <j@x.org>' }],
  ])('that name %s fail the commit', async (_name, revocation) => {
    const before = entries().length
    await expect(commit([revocation])).rejects.toThrow(TypeError)
    expect(entries()).toHaveLength(before)
  })

  test('tell verifiers that a state is another, when it is', async () => {
    const before = entries().length
    const done = await store.tenants.optimistic(contextOf('acme'), undefined, async () =>
      ok({ value: 'done', writes: [], revocations: [], stateChanged: true }),
    )
    expect(done.ok).toBe(true)
    expect(entries()).toHaveLength(before + 1)
    expect(entries().some(({ text }) => text.includes('"state"') && text.includes('"acme"'))).toBe(true)
  })

  test('are written by auth alone', async () => {
    const billing = openStore(engine.host, 'billing')
    await expect(commit([revokeUntilNow('user', 'usr_1', START_MS)], 'acme', billing)).rejects.toThrow(
      'billing revokes nothing',
    )
    await billing.close()
  })

  test('stay until no verifier could take such a token, whatever their author thinks', async () => {
    await commit([{ kind: 'client', id: 'cid_short', before: NOW, exp: NOW + 1 }])
    const entry = entries().find(({ text }) => text.includes('cid_short'))
    const expected = new Date(latestExpiry(NOW) * 1000).toISOString()
    expect(entry?.text).toContain(expected.slice(0, 19))
  })
})

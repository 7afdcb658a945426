import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { revoked } from '#shared/contracts/events/revoked.ts'
import { type Revocation, revokeUntilNow } from '#shared/contracts/revocation.ts'
import { ok } from '#shared/result.ts'
import { contextOf } from '../shared/support/store.ts'
import { type AuthStack, BASE_URL, START_MS, startAuth } from './support/auth-stack.ts'

let auth: AuthStack
beforeAll(async () => {
  auth = await startAuth()
}, 30_000)
afterAll(() => auth.close())
beforeEach(() => auth.published.splice(0))

const revoke = (...revocations: Revocation[]) =>
  auth.deps.platform.tenants.optimistic(contextOf('acme'), undefined, async () =>
    ok({ value: 1, writes: [], revocations }),
  )
const facts = () =>
  auth.published
    .filter(({ attributes }) => attributes['type'] === revoked.type)
    .map(({ data, ...rest }) => ({ ...rest, event: JSON.parse(Buffer.from(data).toString('utf8')) }))

describe('what others are told of a revocation', () => {
  test('is signed by a key of the JWKS that signs nothing else', async () => {
    await revoke(revokeUntilNow('session', 'ses_1', START_MS, 'logout'))
    const [fact] = facts()
    expect(fact).toMatchObject({ topic: 'auth-facts', orderingKey: 'acme', attributes: { tenantid: 'acme' } })
    expect(revoked.parseData(fact?.event.data)).toMatchObject({ ok: true })
    const answer = await fetch(`${auth.httpUrl}/.well-known/jwks.json`)
    const jwks = (await answer.json()) as JSONWebKeySet
    const { payload, protectedHeader } = await jwtVerify(fact?.event.data.set, createLocalJWKSet(jwks), {
      issuer: BASE_URL,
      typ: 'secevent+jwt',
      currentDate: new Date(START_MS),
    })
    expect(payload.jti).toBe(fact?.event.id)
    const access = await auth.deps.keyring.publicKeys(START_MS)
    expect(access.map(({ kid }) => kid)).not.toContain(protectedHeader.kid)
    // It is no access token: neither by its type, nor by what it says.
    expect(await auth.deps.platform.verifyToken(fact?.event.data.set, undefined)).toMatchObject({
      code: 'token.invalid',
    })
  })

  test('is one fact for each thing, with ids of their own', async () => {
    await revoke(revokeUntilNow('session', 'ses_1', START_MS), revokeUntilNow('user', 'usr_1', START_MS))
    expect(facts().map(({ event }) => event.data.kind)).toEqual(['session', 'user'])
    expect(new Set(facts().map(({ event }) => event.id)).size).toBe(2)
  })

  test('waits for no key: without one the revocation holds and the fact says so', async () => {
    const secrets = { ...auth.deps.platform.secrets, access: () => Promise.reject(new Error('down')) }
    const cold = auth.another({ secrets })
    const done = await cold.platform.tenants.optimistic(contextOf('acme'), undefined, async () =>
      ok({ value: 1, writes: [], revocations: [revokeUntilNow('client', 'cid_1', START_MS)] }),
    )
    expect(done.ok).toBe(true)
    const [fact] = facts()
    expect(fact?.event.data).toMatchObject({ kind: 'client', id: 'cid_1' })
    expect(fact?.event.data).not.toHaveProperty('set')
    expect(auth.logLines.some((line) => line.includes('security event not signed'))).toBe(true)
  })
})

describe('a key ring', () => {
  test('that another process has changed is read again within two seconds', async () => {
    const other = auth.another()
    const before = await auth.deps.keyring.signer(START_MS)
    await other.keyRings.access.upkeep.compromise(before.kid, START_MS)
    auth.clock.advance(2_000)
    const after = await auth.deps.keyring.signer(auth.clock.now())
    expect(after.kid).not.toBe(before.kid)
    const shown = await auth.deps.keyring.publicKeys(auth.clock.now())
    expect(shown.map(({ kid }) => kid)).not.toContain(before.kid)
  })
})

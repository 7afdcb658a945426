import { crc32 } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { newClientId } from '../../functions/auth/domain/client-id.ts'
import { type AuthStack, startAuth } from './support/auth-stack.ts'
import {
  type Answered,
  aSignInWorld,
  change,
  claimsOf,
  create,
  refresh,
  type SignInWorld,
  signIn,
  storedSessions,
} from './support/sessions.ts'
import { pushFact } from './support/tenant-facts.ts'

let stack: AuthStack
let world: SignInWorld
let first: Answered & { refreshToken: string; accessToken: string }

beforeAll(async () => {
  stack = await startAuth()
})
afterAll(() => stack.close())
beforeEach(async () => {
  stack.clock.advance(2_500)
  world = await aSignInWorld(stack)
  first = await signIn(stack, world)
})

const INVALID = { ok: false, code: 'grant.invalid' }
const DAY_MS = 24 * 3_600_000
const tokenOf = (answered: Answered): string => answered.refreshToken ?? ''

test('a refresh gives a new access token and a successor', async () => {
  stack.clock.advance(500_000)
  const second = await refresh(stack, world, first.refreshToken)

  expect(second).toMatchObject({ ok: true, tokenType: 'Bearer', scope: 'tenant:read usage:read' })
  expect(tokenOf(second)).not.toBe(first.refreshToken)
  expect(claimsOf(second.accessToken)).toMatchObject({
    sub: world.user.userId,
    sid: claimsOf(first.accessToken)['sid'],
    auth_time: claimsOf(first.accessToken)['auth_time'],
  })
  expect(await stack.deps.platform.verifyToken(second.accessToken ?? '', undefined)).toMatchObject({
    ok: true,
  })
})

describe('reuse', () => {
  test('within thirty seconds the same token gets the same successor, in any process', async () => {
    const other = stack.another()
    const second = await refresh(stack, world, first.refreshToken)
    stack.clock.advance(30_000)
    const again = await refresh(stack, world, first.refreshToken, {}, { deps: other })

    expect(tokenOf(again)).toBe(tokenOf(second))
    expect(again.accessToken).not.toBe(second.accessToken)
    expect(await refresh(stack, world, tokenOf(second))).toMatchObject({ ok: true })
  })

  test('after that it ends the session and every token of it', async () => {
    const second = await refresh(stack, world, first.refreshToken)
    stack.clock.advance(30_001)

    expect(await refresh(stack, world, first.refreshToken)).toEqual(INVALID)
    stack.clock.advance(2_500)
    expect(await refresh(stack, world, tokenOf(second))).toEqual(INVALID)
    expect(await stack.deps.platform.verifyToken(second.accessToken ?? '', undefined)).toMatchObject({
      ok: false,
      code: 'token.invalid',
    })
    expect(storedSessions(stack, world)).toMatchObject([{ status: 'ended', endReason: 'refresh_reuse' }])
    const audit = JSON.stringify(stack.firestore.dump(`tenantAudit/${world.ctx.tenantId}`))
    expect(audit).toContain('auth.session.revoked')
    expect(audit).toContain('refresh_reuse')
    const facts = stack.published.filter(({ attributes }) => attributes['tenantid'] === world.ctx.tenantId)
    const revoked = facts
      .map(({ data }) => JSON.parse(data.toString()))
      .filter(({ type }) => type.includes('session-revoked'))
    expect(revoked).toMatchObject([{ data: { reason: 'refresh_reuse', userId: world.user.userId } }])
  })

  test('a token older than the one before ends it even at once', async () => {
    const second = await refresh(stack, world, first.refreshToken)
    const third = await refresh(stack, world, tokenOf(second))
    expect(await refresh(stack, world, first.refreshToken)).toEqual(INVALID)
    expect(await refresh(stack, world, tokenOf(third))).toEqual(INVALID)
  })

  test('two processes with the same token at once both get the same successor', async () => {
    const other = stack.another()
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, at) =>
        refresh(stack, world, first.refreshToken, {}, at % 2 === 0 ? {} : { deps: other }),
      ),
    )
    expect(answers.every(({ ok }) => ok)).toBe(true)
    expect(new Set(answers.map(tokenOf)).size).toBe(1)
    expect(new Set(answers.map(({ accessToken }) => accessToken)).size).toBe(8)
    expect(storedSessions(stack, world)).toMatchObject([{ counter: 2, status: 'active' }])
  })

  test('an answer of the store that is lost after the commit costs nobody the session', async () => {
    let lost = 0
    stack.firestore.setFault((rpc) => {
      if (rpc !== 'Commit' || lost > 0) return undefined
      lost += 1
      return { mode: 'lostAnswer', code: 14 }
    })
    const second = await refresh(stack, world, first.refreshToken).catch((error: unknown) => error)
    stack.firestore.setFault(undefined)
    const again = await refresh(stack, world, first.refreshToken)

    expect(lost).toBe(1)
    expect(second).toBeDefined()
    expect(again).toMatchObject({ ok: true })
    expect(await refresh(stack, world, tokenOf(again))).toMatchObject({ ok: true })
  })
})

describe('nothing changes for', () => {
  const tokens: readonly (readonly [string, () => string])[] = [
    ['garbage', () => 'drt_garbage'],
    ['an empty token', () => ' '],
    ['a token of another session', () => ''],
  ]
  test.each(tokens)('%s', async (_name, make) => {
    const before = storedSessions(stack, world)
    const stranger = await aSignInWorld(stack)
    const token = make() || (await signIn(stack, stranger)).refreshToken
    expect(await refresh(stack, world, token)).toEqual(INVALID)
    expect(storedSessions(stack, world)).toEqual(before)
  })

  test('another client of the tenant, and one of another tenant', async () => {
    const stranger = await aSignInWorld(stack)
    const clientId = newClientId(stack.deps.ids, world.client.tenantId)
    const sibling = { ...world, client: { ...world.client, clientId } }
    await create(stack.deps, world.ctx, ['auth_clients', clientId], sibling.client)
    const before = storedSessions(stack, world)

    expect(await refresh(stack, stranger, first.refreshToken)).toEqual(INVALID)
    expect(await refresh(stack, sibling, first.refreshToken)).toEqual(INVALID)
    expect(storedSessions(stack, world)).toEqual(before)
    expect(await refresh(stack, world, first.refreshToken)).toMatchObject({ ok: true })
  })

  // Who knows the id of a session can make everything of a token but its MAC.
  test.each([1, 2, 3, 100])('a forged token with the number %i', async (counter) => {
    const second = await refresh(stack, world, first.refreshToken)
    stack.clock.advance(40_000)
    const before = storedSessions(stack, world)
    const signed = Buffer.from(first.refreshToken.slice(4), 'base64url').subarray(0, -4)
    const forged = Buffer.from(signed.with(18, counter))
    if (counter === 1) forged.writeUInt8(forged.readUInt8(30) ^ 1, 30)
    const crc = Buffer.alloc(4)
    crc.writeUInt32BE(crc32(forged))
    const token = `drt_${Buffer.concat([forged, crc]).toString('base64url')}`

    expect(await refresh(stack, world, token)).toEqual(INVALID)
    expect(storedSessions(stack, world)).toEqual(before)
    expect(await refresh(stack, world, tokenOf(second))).toMatchObject({ ok: true })
  })

  test('a scope that was not granted', async () => {
    const before = storedSessions(stack, world)
    expect(await refresh(stack, world, first.refreshToken, { scope: 'users:manage' })).toEqual({
      ok: false,
      code: 'scope.invalid',
    })
    expect(storedSessions(stack, world)).toEqual(before)
  })
})

test('garbage reads nothing, and a repetition writes nothing', async () => {
  const rpcs: string[] = []
  await refresh(stack, world, first.refreshToken)
  stack.firestore.setFault((rpc) => void rpcs.push(rpc))
  await refresh(stack, world, 'drt_AQEBkqZ1B0V7D8E9F0G1H2J3K4garbagegarbagegarbagegarbage')
  const ofGarbage = rpcs.splice(0)
  await refresh(stack, world, first.refreshToken)
  const ofRepetition = rpcs.splice(0)
  stack.clock.advance(60_000)
  stack.firestore.setFault(undefined)

  // The client was read just now; nothing is asked about the token.
  expect(ofGarbage).toEqual([])
  expect(ofRepetition.filter((rpc) => rpc === 'Commit')).toEqual([])
})

test('a rotation is one commit', async () => {
  const rpcs: string[] = []
  stack.firestore.setFault((rpc) => void rpcs.push(rpc))
  await refresh(stack, world, first.refreshToken)
  stack.firestore.setFault(undefined)
  expect(rpcs.filter((rpc) => rpc === 'Commit' || rpc === 'BeginTransaction')).toEqual(['Commit'])
})

test('scopes can be fewer for one access token, and a repetition gets no more', async () => {
  const narrow = await refresh(stack, world, first.refreshToken, { scope: 'usage:read' })
  const wider = await refresh(stack, world, first.refreshToken, { scope: 'tenant:read' })
  const next = await refresh(stack, world, tokenOf(narrow))

  expect(claimsOf(narrow.accessToken)['scope']).toBe('usage:read')
  expect(wider).toEqual({ ok: false, code: 'scope.invalid' })
  expect(next.scope).toBe('tenant:read usage:read')
})

test('where the client is told who has signed in, it is told at each refresh, without the nonce', async () => {
  const known = await signIn(stack, world, { openid: true, nonce: 'n-1' })
  stack.clock.advance(500_000)
  const again = await refresh(stack, world, known.refreshToken, { scope: 'openid usage:read' })
  const { nonce, auth_time, ...claims } = claimsOf(again.idToken)

  expect(again.scope).toBe('openid usage:read')
  expect(claims).toMatchObject({ sub: world.user.userId, aud: world.client.clientId })
  expect([nonce, auth_time]).toEqual([undefined, claimsOf(known.idToken)['auth_time']])
  expect((await refresh(stack, world, first.refreshToken)).idToken).toBeUndefined()
})

test('no access token outlives its session', async () => {
  const basic = await aSignInWorld(stack, { tier: 'basic' })
  let { refreshToken } = await signIn(stack, basic)
  for (const days of [6, 6, 6, 6, 5.999]) {
    stack.clock.advance(days * DAY_MS)
    refreshToken = tokenOf(await refresh(stack, basic, refreshToken))
  }
  stack.clock.advance(0.001 * DAY_MS - 60_000)
  const last = await refresh(stack, basic, refreshToken)
  const { exp, iat } = claimsOf(last.accessToken)
  // In whole seconds, and so up to one more.
  expect([60, 61]).toContain(Number(exp) - Number(iat))
})

describe('a public client with DPoP', () => {
  test('needs its key at every refresh, and nobody without it ends the session', async () => {
    const bound = await signIn(stack, world, {}, { jkt: 'key-1' })
    expect(bound.tokenType).toBe('DPoP')
    const with1 = { jkt: 'key-1' }
    const second = await refresh(stack, world, bound.refreshToken, {}, with1)
    expect(second).toMatchObject({ ok: true, tokenType: 'DPoP' })
    expect(claimsOf(second.accessToken)['cnf']).toEqual({ jkt: 'key-1' })
    for (const jkt of ['key-2', undefined]) {
      expect(await refresh(stack, world, bound.refreshToken, {}, { jkt })).toEqual(INVALID)
      expect(await refresh(stack, world, tokenOf(second), {}, { jkt })).toEqual(INVALID)
    }
    stack.clock.advance(60_000)
    expect(await refresh(stack, world, bound.refreshToken, {}, { jkt: 'key-2' })).toEqual(INVALID)
    expect(await refresh(stack, world, tokenOf(second), {}, with1)).toMatchObject({ ok: true })
  })
})

describe('what has changed since the sign-in', () => {
  test('a role that is gone takes its scopes along', async () => {
    await change(stack.deps, world.ctx, ['auth_users', world.user.userId], { roles: [] })
    expect(await refresh(stack, world, first.refreshToken)).toEqual(INVALID)
    await change(stack.deps, world.ctx, ['auth_users', world.user.userId], { roles: ['billing'] })
    expect(await refresh(stack, world, first.refreshToken)).toMatchObject({ scope: 'tenant:read usage:read' })
    await change(stack.deps, world.ctx, ['auth_clients', world.client.clientId], { scopes: ['usage:read'] })
    stack.clock.advance(3_000)
    expect(await refresh(stack, world, first.refreshToken)).toMatchObject({ scope: 'usage:read' })
  })

  test.each([
    ['a disabled user', 'auth_users', { status: 'disabled' }],
    ['a watermark of the user', 'auth_users', { notBefore: 4_000_000_000 }],
    ['a watermark of the client', 'auth_clients', { notBefore: 4_000_000_000 }],
  ])('%s', async (_name, collection, fields) => {
    const id = collection === 'auth_users' ? world.user.userId : world.client.clientId
    await change(stack.deps, world.ctx, [collection, id], fields)
    stack.clock.advance(3_000)
    const before = storedSessions(stack, world)
    expect(await refresh(stack, world, first.refreshToken)).toEqual(INVALID)
    expect(storedSessions(stack, world)).toEqual(before)
  })

  test('a user who is disabled while the refresh is under way gets nothing from it', async () => {
    const { promise, resolve: committing } = Promise.withResolvers<void>()
    let commits = 0
    stack.firestore.setFault((rpc) => {
      if (rpc !== 'Commit') return undefined
      commits += 1
      if (commits > 1) return undefined
      committing()
      return { mode: 'delay', delayMs: 150 }
    })
    const refreshing = refresh(stack, world, first.refreshToken)
    await promise
    await change(stack.deps, world.ctx, ['auth_users', world.user.userId], { status: 'disabled' })
    const answered = await refreshing
    stack.firestore.setFault(undefined)

    expect(answered).toEqual(INVALID)
    expect(storedSessions(stack, world)).toMatchObject([{ counter: 1 }])
  })

  test('a suspension ends sessions; after it, owners begin new ones', async () => {
    stack.clock.advance(10_000)
    await pushFact(stack, world.ctx.tenantId, 'suspend-started', 2, { tier: 'enterprise' })
    stack.clock.advance(3_000)
    expect(await refresh(stack, world, first.refreshToken)).toEqual(INVALID)
    await pushFact(stack, world.ctx.tenantId, 'resumed', 3, { tier: 'enterprise' })
    stack.clock.advance(3_000)
    expect(await refresh(stack, world, first.refreshToken)).toEqual(INVALID)
    expect(await signIn(stack, world)).toMatchObject({ ok: true })
  })
})

test('a session ends when nobody refreshes it, and in any case at its end', async () => {
  const basic = await aSignInWorld(stack, { tier: 'basic' })
  const idle = await signIn(stack, basic)
  stack.clock.advance(7 * DAY_MS)
  expect(await refresh(stack, basic, idle.refreshToken)).toEqual(INVALID)

  let token = (await signIn(stack, basic)).refreshToken
  for (const day of [6, 12, 18, 24, 30]) {
    stack.clock.advance(6 * DAY_MS)
    const answered = await refresh(stack, basic, token)
    expect(answered.ok, `day ${day}`).toBe(day < 30)
    token = tokenOf(answered)
  }
})

test('the next refresh makes its token with the newest pepper; one of the older still counts', async () => {
  const byte = (token: string): number => Buffer.from(token.slice(4), 'base64url').readUInt8(1)
  const secret = await stack.deps.platform.secrets.addVersion('auth-pepper', Buffer.alloc(32, 9))
  await addPepper(secret)
  stack.clock.advance(61_000)

  const second = await refresh(stack, world, first.refreshToken)
  const again = await refresh(stack, world, first.refreshToken)

  expect([byte(first.refreshToken), byte(tokenOf(second))]).toEqual([1, 2])
  expect(tokenOf(again)).toBe(tokenOf(second))
  expect(storedSessions(stack, world)).toMatchObject([{ pepperVersion: 2 }])
})

async function addPepper(secretVersion: string): Promise<void> {
  const { system } = stack.deps.platform
  const ring = await system.find('keyrings', 'pepper', (raw) => ({ ok: true as const, value: raw }))
  if (ring === undefined) throw new Error('no ring')
  const { peppers, generation } = ring.value as { peppers: object[]; generation: number }
  await system.merge('keyrings', 'pepper', {
    peppers: [...peppers, { version: 2, secretVersion, createdAt: stack.clock.now() }],
    generation: generation + 1,
  })
}

import { createHash } from 'node:crypto'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CODE_LIFE_MS } from '../../functions/auth/domain/authorization-code.ts'
import { type AuthStack, BASE_URL, startAuth } from './support/auth-stack.ts'
import {
  aCode,
  aSignInWorld,
  change,
  claimsOf,
  redeem,
  refresh,
  type SignInWorld,
  signIn,
  storedSessions,
} from './support/sessions.ts'
import { pushFact } from './support/tenant-facts.ts'

let stack: AuthStack
let world: SignInWorld

beforeAll(async () => {
  stack = await startAuth()
})
afterAll(() => stack.close())
beforeEach(async () => {
  stack.clock.advance(2_500)
  world = await aSignInWorld(stack)
})

const INVALID = { ok: false, code: 'grant.invalid' }

test('a code gives an access token of the person, and a refresh token', async () => {
  const answered = await signIn(stack, world, { acr: 'urn:example:gold', amr: ['pwd', 'otp'] })
  const verified = await stack.deps.platform.verifyToken(answered.accessToken, undefined)
  const [session] = storedSessions(stack, world)

  expect(answered).toMatchObject({ tokenType: 'Bearer', scope: 'tenant:read usage:read' })
  expect(answered.idToken).toBeUndefined()
  expect(claimsOf(answered.accessToken)).toMatchObject({
    sub: world.user.userId,
    client_id: world.client.clientId,
    roles: ['viewer'],
    sid: session?.['sessionId'],
    auth_time: Math.floor(stack.clock.now() / 1000),
    acr: 'urn:example:gold',
    amr: ['pwd', 'otp'],
  })
  expect(verified).toMatchObject({ ok: true, value: { claims: { subject: world.user.userId } } })
})

test('with openid comes an ID token for the client, which is no access token', async () => {
  const answered = await signIn(stack, world, { openid: true, nonce: 'n-1' })
  const jwks = (await (await fetch(`${stack.httpUrl}/.well-known/jwks.json`)).json()) as JSONWebKeySet
  const { payload, protectedHeader } = await jwtVerify(answered.idToken ?? '', createLocalJWKSet(jwks), {
    issuer: BASE_URL,
    audience: world.client.clientId,
    typ: 'JWT',
    currentDate: new Date(stack.clock.now()),
  })
  const half = createHash('sha256').update(answered.accessToken).digest().subarray(0, 16)

  expect(answered.scope).toBe('openid tenant:read usage:read')
  expect(claimsOf(answered.accessToken)['scope']).toBe('tenant:read usage:read')
  expect(Object.keys(protectedHeader).sort()).toEqual(['alg', 'kid', 'typ'])
  expect(payload).toMatchObject({
    sub: world.user.userId,
    nonce: 'n-1',
    auth_time: Math.floor(stack.clock.now() / 1000),
    at_hash: half.toString('base64url'),
    sid: claimsOf(answered.accessToken)['sid'],
  })
  expect(await stack.deps.platform.verifyToken(answered.idToken ?? '', undefined)).toMatchObject({
    ok: false,
    code: 'token.invalid',
  })
})

test('whoever may do nothing may still be known, where nothing else was asked for', async () => {
  const nobody = await aSignInWorld(stack, { roles: [] })
  const known = await signIn(stack, nobody, { openid: true, scopes: [] })
  expect(known.scope).toBe('openid')
  expect(await redeem(stack, nobody, await aCode(stack, nobody))).toEqual(INVALID)
})

test('a token has no more than the client and the roles have when the code is redeemed', async () => {
  const asked = ['tenant:read', 'usage:read', 'users:manage', 'sso:manage'] as const
  const answered = await signIn(stack, world, { scopes: asked })
  // viewer: tenant:read and usage:read; the client has no sso:manage.
  expect(answered.scope).toBe('tenant:read usage:read')
})

describe('one time', () => {
  test('a second use is refused and ends the session of the first', async () => {
    const code = await aCode(stack, world)
    const first = await redeem(stack, world, code)
    const second = await redeem(stack, world, code)
    stack.clock.advance(2_500)

    expect(first.ok).toBe(true)
    expect(second).toEqual(INVALID)
    expect(await refresh(stack, world, first.refreshToken ?? '')).toEqual(INVALID)
    expect(await stack.deps.platform.verifyToken(first.accessToken ?? '', undefined)).toMatchObject({
      ok: false,
      code: 'token.invalid',
    })
    expect(storedSessions(stack, world)).toMatchObject([{ status: 'ended', endReason: 'code_reuse' }])
    const facts = stack.published.filter(({ attributes }) => attributes['tenantid'] === world.ctx.tenantId)
    expect(facts.map(({ attributes }) => attributes['type'])).toEqual(
      expect.arrayContaining(['ai.energent.auth.session-created.v1', 'ai.energent.auth.session-revoked.v1']),
    )
  })

  test('so does one after a day less an hour, and the code has long expired', async () => {
    const code = await aCode(stack, world)
    await redeem(stack, world, code)
    stack.clock.advance(23 * 3_600_000)
    expect(await redeem(stack, world, code)).toEqual(INVALID)
    expect(storedSessions(stack, world)).toMatchObject([{ endReason: 'code_reuse' }])
  })

  // A code stands in browser histories and in logs of whoever serves the redirect.
  test('whoever has the code alone cannot sign the person out', async () => {
    const code = await aCode(stack, world)
    const first = await redeem(stack, world, code)
    const wrong = { code_verifier: 'another-verifier-of-at-least-43-characters-012345' }
    expect(await redeem(stack, world, code, wrong)).toEqual(INVALID)
    expect(await redeem(stack, world, code, { redirect_uri: 'https://app.example/' })).toEqual(INVALID)
    expect(await refresh(stack, world, first.refreshToken ?? '')).toMatchObject({ ok: true })
  })

  test('of many at once in two processes, one gets a session, and loses it to the others', async () => {
    const other = stack.another()
    const code = await aCode(stack, world)
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, at) =>
        redeem(stack, world, code, {}, at % 2 === 0 ? {} : { deps: other }),
      ),
    )
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1)
    expect(answers.filter(({ ok }) => !ok)).toEqual(Array.from({ length: 5 }, () => INVALID))
    expect(storedSessions(stack, world)).toMatchObject([{ status: 'ended', endReason: 'code_reuse' }])
  })
})

describe('what else is refused, and leaves the code as it is', () => {
  const attempts: readonly (readonly [string, Record<string, string>])[] = [
    ['another redirect_uri', { redirect_uri: 'https://app.example/callback?x=1' }],
    ['another verifier', { code_verifier: 'x'.repeat(43) }],
    ['a verifier of 42', { code_verifier: 'x'.repeat(42) }],
    ['no verifier', { code_verifier: '' }],
    ['a code that never was', { code: 'dco_nothing' }],
  ]
  test.each(attempts)('%s', async (_name, form) => {
    const code = await aCode(stack, world)
    expect(await redeem(stack, world, code, form)).toEqual(INVALID)
    expect(await redeem(stack, world, code)).toMatchObject({ ok: true })
  })

  test('no redirect_uri', async () => {
    const code = await aCode(stack, world)
    expect(await redeem(stack, world, code, { redirect_uri: '' })).toEqual({
      ok: false,
      code: 'request.malformed',
    })
  })

  test('another client of the tenant', async () => {
    const mallory = await aSignInWorld(stack)
    const code = await aCode(stack, world)
    const sibling = { ...world, client: { ...world.client, clientId: mallory.client.clientId } }
    expect(await redeem(stack, sibling, code)).toEqual(INVALID)
    expect(await redeem(stack, world, code)).toMatchObject({ ok: true })
  })

  test('a key other than the one it is bound to', async () => {
    const code = await aCode(stack, world, { dpopJkt: 'key-1' })
    expect(await redeem(stack, world, code, {}, { jkt: 'key-2' })).toEqual(INVALID)
    expect(await redeem(stack, world, code)).toEqual(INVALID)
    expect(await redeem(stack, world, code, {}, { jkt: 'key-1' })).toMatchObject({
      ok: true,
      tokenType: 'DPoP',
    })
  })

  test('after a minute', async () => {
    const code = await aCode(stack, world)
    stack.clock.advance(CODE_LIFE_MS)
    expect(await redeem(stack, world, code)).toEqual(INVALID)
    expect(storedSessions(stack, world)).toEqual([])
  })

  test('a user who was disabled meanwhile, or is gone', async () => {
    const code = await aCode(stack, world)
    await change(stack.deps, world.ctx, ['auth_users', world.user.userId], { status: 'disabled' })
    expect(await redeem(stack, world, code)).toEqual(INVALID)
    const gone = await aCode(stack, world, { userId: 'usr_00000000000000000000000000' })
    expect(await redeem(stack, world, gone)).toEqual(INVALID)
    expect(storedSessions(stack, world)).toEqual([])
  })

  test('a code made before everything of the user was revoked', async () => {
    const code = await aCode(stack, world)
    const seconds = Math.floor(stack.clock.now() / 1000)
    await change(stack.deps, world.ctx, ['auth_users', world.user.userId], { notBefore: seconds + 1 })
    stack.clock.advance(3_000)
    expect(await redeem(stack, world, code)).toEqual(INVALID)
    expect(await redeem(stack, world, await aCode(stack, world))).toMatchObject({ ok: true })
  })

  test('a client that may not use the grant', async () => {
    const machine = await aSignInWorld(stack, { client: { grants: ['refresh_token'] } })
    expect(await redeem(stack, machine, await aCode(stack, machine))).toEqual({
      ok: false,
      code: 'client.unauthorized',
    })
  })

  test('in a suspended tenant, everybody but owners and administrators', async () => {
    const owner = await aSignInWorld(stack, { roles: ['owner'] })
    for (const { ctx } of [world, owner]) await pushFact(stack, ctx.tenantId, 'suspend-started', 2)
    stack.clock.advance(2_500)
    expect(await redeem(stack, world, await aCode(stack, world))).toMatchObject({
      code: 'client.unauthorized',
    })
    expect(await redeem(stack, owner, await aCode(stack, owner))).toMatchObject({
      ok: true,
      scope: 'tenant:read',
    })
  })
})

test('a client without the grant of refreshing gets no refresh token, and a session as long as its token', async () => {
  const short = await aSignInWorld(stack, { client: { grants: ['authorization_code'] } })
  const answered = await redeem(stack, short, await aCode(stack, short))
  const [session] = storedSessions(stack, short)

  expect(answered.refreshToken).toBeUndefined()
  expect(Number(session?.['absoluteUntil']) - stack.clock.now()).toBe(600_000)
})

test('a tier’s number of sessions holds under any number of sign-ins at once, and the oldest go', async () => {
  const basic = await aSignInWorld(stack, { tier: 'basic' })
  const other = stack.another()
  const first = await signIn(stack, basic)
  await signIn(stack, basic)
  stack.clock.advance(1_000)
  // Two of three places are taken: each of those that come at once would find one free.
  const codes = await Promise.all(Array.from({ length: 5 }, () => aCode(stack, basic)))

  const answers = await Promise.all(
    codes.map((code, at) => redeem(stack, basic, code, {}, at % 2 === 0 ? {} : { deps: other })),
  )

  const sessions = storedSessions(stack, basic)
  // Whoever was ended by the others before it had its tokens gets none.
  expect(answers.filter(({ ok }) => ok).length).toBeGreaterThanOrEqual(3)
  expect(answers.filter((answer) => !answer.ok && answer.code !== 'grant.invalid')).toEqual([])
  expect(sessions.filter(({ status }) => status === 'active')).toHaveLength(3)
  expect(sessions.filter(({ endReason }) => endReason === 'session_limit')).toHaveLength(4)
  stack.clock.advance(2_500)
  expect(await refresh(stack, basic, first.refreshToken)).toEqual(INVALID)
  expect(await stack.deps.platform.verifyToken(first.accessToken, undefined)).toMatchObject({ ok: false })
})

test('nothing that would open anything is stored or logged', async () => {
  const code = await aCode(stack, world)
  const answered = await redeem(stack, world, code, {})
  const stored = JSON.stringify(stack.firestore.dump())
  const log = stack.logLines.join('\n')

  for (const secret of [code, answered.refreshToken ?? 'none', answered.accessToken ?? 'none']) {
    expect(stored).not.toContain(secret)
    expect(log).not.toContain(secret)
  }
})

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TenantId } from '#shared/ids.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import type { AuthDeps } from '../../functions/auth/deps.ts'
import {
  revokeAllSessions,
  revokeSession,
  revokeSessions,
} from '../../functions/auth/operations/end-sessions.ts'
import { inspectRefreshToken } from '../../functions/auth/operations/inspect-refresh-token.ts'
import { type AuthStack, addFirstOperator, OPERATOR, startAuth, tokenOf } from './support/auth-stack.ts'
import {
  type Answered,
  aCode,
  aSignInWorld,
  CONNECTION,
  claimsOf,
  create,
  redeem,
  refresh,
  type SignInWorld,
  signIn,
  storedSessions,
} from './support/sessions.ts'

type SignedIn = Answered & { refreshToken: string; accessToken: string }

let stack: AuthStack
/** An administrator of the tenant, and somebody who may only look. */
let admin: SignInWorld
let viewer: SignInWorld
let byAdmin: SignedIn
let byViewer: SignedIn

beforeAll(async () => {
  stack = await startAuth()
  await addFirstOperator(stack)
})
afterAll(() => stack.close())
beforeEach(async () => {
  stack.clock.advance(2_500)
  admin = await aSignInWorld(stack, {
    client: { scopes: ['tenant:read', 'sessions:manage'] },
    roles: ['admin'],
  })
  viewer = {
    ...admin,
    user: { ...admin.user, userId: `usr_${'0'.repeat(25)}1` as typeof admin.user.userId, roles: ['viewer'] },
  }
  await create(stack.deps, admin.ctx, ['auth_users', viewer.user.userId], viewer.user)
  byAdmin = await signIn(stack, admin, { scopes: ['tenant:read', 'sessions:manage'] })
  stack.clock.advance(1)
  byViewer = await signIn(stack, viewer, { scopes: ['tenant:read'] })
})

async function call(method: string, path: string, token: string) {
  const response = await fetch(`${stack.httpUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}` },
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) }
}

const below = (world: SignInWorld, rest: string): string => `/v1/tenants/${world.ctx.tenantId}${rest}`
const ofUser = (world: SignInWorld, rest = ''): string =>
  below(world, `/users/${world.user.userId}/sessions${rest}`)
const sidOf = (answered: SignedIn): string => String(claimsOf(answered.accessToken)['sid'])

async function isAlive(world: SignInWorld, answered: SignedIn): Promise<boolean> {
  // Two seconds and a bit: until then a verifier may not have heard of it.
  stack.clock.advance(2_500)
  const verified = await stack.deps.platform.verifyToken(answered.accessToken, undefined)
  const refreshed = await refresh(stack, world, answered.refreshToken)
  expect(refreshed.ok).toBe(verified.ok)
  return verified.ok
}

describe('a list of sessions', () => {
  test('shows who is signed in, and nothing that opens anything', async () => {
    const { status, body } = await call('GET', below(admin, '/sessions'), byAdmin.accessToken)
    expect(status).toBe(200)
    expect(body).toMatchObject({
      nextPageToken: null,
      items: [
        { sessionId: sidOf(byAdmin), userId: admin.user.userId, clientId: admin.client.clientId },
        { sessionId: sidOf(byViewer), userId: viewer.user.userId, scopes: ['tenant:read'] },
      ],
    })
    expect(Object.keys(body.items[0])).not.toContain('salt')
    expect(JSON.stringify(body)).not.toMatch(/salt|counter|pepper|jkt/)
  })

  test('comes in pages that fit together', async () => {
    for (let more = 0; more < 3; more += 1) await signIn(stack, viewer)
    const seen: string[] = []
    let token: string | null = ''
    while (token !== null) {
      const page: string = token === '' ? '' : `&pageToken=${token}`
      const { body } = await call('GET', below(admin, `/sessions?pageSize=2${page}`), byAdmin.accessToken)
      seen.push(...body.items.map(({ sessionId }: { sessionId: string }) => sessionId))
      token = body.nextPageToken
    }
    expect(seen).toEqual([...new Set(seen)].sort())
    expect(seen).toHaveLength(5)
  })

  test('leaves out what has ended, expired or died with its user', async () => {
    await call('DELETE', ofUser(viewer, `/${sidOf(byViewer)}`), byAdmin.accessToken)
    const { body } = await call('GET', below(admin, '/sessions'), byAdmin.accessToken)
    expect(body.items.map(({ sessionId }: { sessionId: string }) => sessionId)).toEqual([sidOf(byAdmin)])
  })
})

describe('a user', () => {
  test('sees and ends their own without any scope', async () => {
    const second = await signIn(stack, viewer, { scopes: ['tenant:read'] })
    const { status, body } = await call('GET', ofUser(viewer), byViewer.accessToken)
    expect([status, body.items.length]).toEqual([200, 2])

    const ended = await call('DELETE', ofUser(viewer, `/${sidOf(second)}`), byViewer.accessToken)
    expect(ended.status).toBe(204)
    expect(await isAlive(viewer, second)).toBe(false)
    expect(await isAlive(viewer, byViewer)).toBe(true)
    expect(storedSessions(stack, viewer).map(({ endReason }) => endReason)).toContain('signed_out')
  })

  test('sees and ends nobody else’s', async () => {
    const asViewer = (method: string, path: string) => call(method, path, byViewer.accessToken)
    expect((await asViewer('GET', below(viewer, '/sessions'))).status).toBe(403)
    expect((await asViewer('DELETE', below(viewer, `/sessions/${sidOf(byViewer)}`))).status).toBe(403)
    expect((await asViewer('GET', ofUser(admin))).status).toBe(403)
    expect((await asViewer('DELETE', ofUser(admin))).status).toBe(403)
    expect((await asViewer('DELETE', ofUser(viewer, `/${sidOf(byAdmin)}`))).status).toBe(404)
    expect((await asViewer('DELETE', below(viewer, '/sessions'))).status).toBe(403)
    expect(await isAlive(admin, byAdmin)).toBe(true)
  })

  test('of another tenant is told what they would be told of one that is not there', async () => {
    const stranger = await aSignInWorld(stack, { client: { scopes: ['sessions:manage'] }, roles: ['admin'] })
    const theirs = await signIn(stack, stranger, { scopes: ['sessions:manage'] })
    for (const path of [
      below(admin, '/sessions'),
      ofUser(admin),
      below(admin, `/sessions/${sidOf(byAdmin)}`),
    ]) {
      const method = path.endsWith(sidOf(byAdmin)) ? 'DELETE' : 'GET'
      const foreign = await call(method, path, theirs.accessToken)
      const missing = await call(method, path.replace(admin.ctx.tenantId, 'nowhere'), theirs.accessToken)
      expect(foreign.status).toBe(404)
      expect({ ...foreign.body, requestId: '' }).toEqual({ ...missing.body, requestId: '' })
    }
  })

  test('can end all of theirs at once, on the way ones too', async () => {
    const second = await signIn(stack, viewer)
    const onItsWay = await aCode(stack, viewer)
    stack.clock.advance(1_000)
    expect((await call('DELETE', ofUser(viewer), byViewer.accessToken)).status).toBe(204)
    expect(await redeem(stack, viewer, onItsWay)).toMatchObject({ ok: false, code: 'grant.invalid' })
    expect(await isAlive(viewer, byViewer)).toBe(false)
    expect(await isAlive(viewer, second)).toBe(false)
    expect(await isAlive(admin, byAdmin)).toBe(true)
    expect(await signIn(stack, viewer)).toMatchObject({ ok: true })
  })
})

describe('whoever manages sessions', () => {
  test('ends one; ending it again is no mistake, ending one that never was is', async () => {
    const path = below(admin, `/sessions/${sidOf(byViewer)}`)
    expect((await call('DELETE', path, byAdmin.accessToken)).status).toBe(204)
    expect((await call('DELETE', path, byAdmin.accessToken)).status).toBe(204)
    expect(await isAlive(viewer, byViewer)).toBe(false)
    const facts = stack.published.filter(({ data }) => data.toString().includes(sidOf(byViewer)))
    expect(facts.filter(({ attributes }) => attributes['type']?.includes('session-revoked'))).toHaveLength(1)
    for (const id of ['ses_00000000000000000000000000', 'nonsense', 'ses_%2e%2e', '__proto__']) {
      const answer = await call('DELETE', below(admin, `/sessions/${id}`), byAdmin.accessToken)
      expect(answer, id).toMatchObject({ status: 404, body: { code: 'resource.not_found' } })
    }
  })

  test('ends everything of a tenant, and people sign in again', async () => {
    expect((await call('DELETE', below(admin, '/sessions'), byAdmin.accessToken)).status).toBe(204)
    expect(await isAlive(viewer, byViewer)).toBe(false)
    expect(await isAlive(admin, byAdmin)).toBe(false)
    const again = await signIn(stack, admin, { scopes: ['sessions:manage'] })
    const { body } = await call('GET', below(admin, '/sessions'), again.accessToken)
    expect(body.items).toMatchObject([{ sessionId: sidOf(again) }])
  })

  test('needs a sign-in of the last hour to end everything; a refresh is none', async () => {
    stack.clock.advance(3_600_000)
    const { accessToken = '' } = await refresh(stack, admin, byAdmin.refreshToken)
    const response = await fetch(`${stack.httpUrl}${below(admin, '/sessions')}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${accessToken}` },
    })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe(
      'Bearer error="insufficient_user_authentication", max_age="3600"',
    )
    expect(await response.json()).toMatchObject({ code: 'token.sign_in_too_old' })
    expect((await call('GET', below(admin, '/sessions'), accessToken)).status).toBe(200)

    const fresh = await signIn(stack, admin, { scopes: ['sessions:manage'] })
    expect((await call('DELETE', below(admin, '/sessions'), fresh.accessToken)).status).toBe(204)
  })

  test('may be an operator for security, in a tenant that is there', async () => {
    const token = await tokenOf(stack, OPERATOR)
    expect((await call('GET', below(admin, '/sessions'), token)).body.items).toHaveLength(2)
    expect((await call('GET', '/v1/tenants/nowhere/sessions', token)).status).toBe(404)
    expect((await call('DELETE', '/v1/tenants/nowhere/sessions', token)).status).toBe(404)
    expect((await call('DELETE', ofUser(viewer), token)).status).toBe(204)
    expect(await isAlive(viewer, byViewer)).toBe(false)
  })
})

describe('a token made beside the end of its session', () => {
  /** Ends something between the decision and the signature, in a process that hears of it at once, or not yet. */
  const beside = (end: () => Promise<unknown>, hears: boolean): AuthDeps => ({
    ...stack.deps,
    sessions: {
      ...stack.deps.sessions,
      change: async (ctx, sessionId, decide) => {
        const decided = await stack.deps.sessions.change(ctx, sessionId, decide)
        await end()
        if (hears) await stack.deps.platform.revocations.refresh()
        return decided
      },
    },
  })
  const ctxOf = (world: SignInWorld) => openAsDeployer(world.ctx.tenantId, 'test', 'test', stack.clock.now())
  const ends: readonly (readonly [string, () => Promise<unknown>])[] = [
    [
      'the session',
      () =>
        revokeSession(stack.deps, {
          ...{ ctx: ctxOf(viewer), sessionId: sidOf(byViewer) as never },
          ...{ reason: 'administrator', nowMs: stack.clock.now() },
        }),
    ],
    [
      'all of the user',
      () =>
        revokeSessions(stack.deps, {
          ...{ ctx: ctxOf(viewer), selection: { userId: viewer.user.userId } },
          ...{ reason: 'administrator', nowMs: stack.clock.now() },
        }),
    ],
    [
      'all of the tenant',
      () => revokeAllSessions(stack.deps, { ctx: ctxOf(viewer), nowMs: stack.clock.now() }),
    ],
  ]
  test.each(ends)('is no token: %s', async (_name, end) => {
    for (const hears of [true, false]) {
      const answered = await refresh(stack, viewer, byViewer.refreshToken, {}, { deps: beside(end, hears) })
      expect(answered.ok).toBe(!hears && answered.accessToken !== undefined)
      stack.clock.advance(3_500)
      const verified = await stack.deps.platform.verifyToken(answered.accessToken ?? '', undefined)
      expect(verified.ok).toBe(false)
      byViewer = await signIn(stack, viewer)
    }
  })

  // A client is known for two seconds; its tenant must not be, where a session would go on.
  test('nor is one after everything of the tenant has ended, where nobody has heard of it', async () => {
    const elsewhere = { deps: stack.another() }
    await refresh(stack, viewer, byViewer.refreshToken, {}, elsewhere)
    const onItsWay = await aCode(stack, viewer)
    stack.clock.advance(1_000)
    await revokeAllSessions(stack.deps, { ctx: ctxOf(viewer), nowMs: stack.clock.now() })
    const afterwards = await aCode(stack, viewer)
    const invalid = { ok: false, code: 'grant.invalid' }
    expect(await refresh(stack, viewer, byViewer.refreshToken, {}, elsewhere)).toEqual(invalid)
    expect(await redeem(stack, viewer, onItsWay, {}, elsewhere)).toEqual(invalid)
    const again = await redeem(stack, viewer, afterwards, {}, elsewhere)
    expect(await stack.deps.platform.verifyToken(again.accessToken ?? '', undefined)).toMatchObject({
      ok: true,
    })
  })
})

describe('for others in this function', () => {
  test('sessions of one at the identity provider end together', async () => {
    const nowMs = stack.clock.now()
    const theirs = await signIn(stack, viewer, { idpSid: 'idp-1' })
    const elsewhere = await signIn(stack, viewer, { idpSid: 'idp-1', connectionId: 'con_other' })
    const ctx = openAsDeployer(viewer.ctx.tenantId, 'test', 'test', nowMs)
    const selection = { connectionId: CONNECTION, idpSid: 'idp-1' }

    const ended = await revokeSessions(stack.deps, { ctx, selection, reason: 'idp_logout', nowMs })

    expect(ended).toEqual({ ok: true, value: [sidOf(theirs)] })
    expect(await revokeSessions(stack.deps, { ctx, selection, reason: 'idp_logout', nowMs })).toEqual({
      ok: true,
      value: [],
    })
    expect(await isAlive(viewer, theirs)).toBe(false)
    expect(await isAlive(viewer, elsewhere)).toBe(true)
  })

  test('a session of another tenant is none', async () => {
    const nowMs = stack.clock.now()
    const ctx = openAsDeployer('elsewhere' as TenantId, 'test', 'test', nowMs)
    const sessionId = sidOf(byViewer) as never
    const command = { ctx, sessionId, reason: 'administrator', nowMs } as const
    expect(await revokeSession(stack.deps, command)).toEqual({ ok: true, value: false })
    expect(await isAlive(viewer, byViewer)).toBe(true)
  })

  test('a refresh token says whose it is and whether it would do, and is not used up by it', async () => {
    const look = async (text: string) => {
      const ctx = openAsDeployer(viewer.ctx.tenantId, 'test', 'test', stack.clock.now())
      return inspectRefreshToken(stack.deps, { ctx, text, nowMs: stack.clock.now() })
    }
    expect(await look(byViewer.refreshToken)).toMatchObject({
      active: true,
      session: { userId: viewer.user.userId },
    })
    const second = await refresh(stack, viewer, byViewer.refreshToken)
    expect(await look(byViewer.refreshToken)).toMatchObject({ active: true })
    stack.clock.advance(31_000)
    expect(await look(byViewer.refreshToken)).toMatchObject({ active: false })
    expect(await look(second.refreshToken ?? '')).toMatchObject({ active: true })
    expect(await look(byAdmin.refreshToken)).toMatchObject({ session: { userId: admin.user.userId } })
    expect(await look('drt_garbage')).toBeUndefined()
    const stranger = await aSignInWorld(stack)
    expect(await look((await signIn(stack, stranger)).refreshToken)).toBeUndefined()
  })
})

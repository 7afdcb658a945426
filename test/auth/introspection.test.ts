import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { tokenRevoked } from '#shared/contracts/events/token-revoked.ts'
import type { TenantId } from '#shared/ids.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import type { NewClient } from '../../functions/auth/domain/new-client.ts'
import { createClient } from '../../functions/auth/operations/create-client.ts'
import { type AuthStack, basic, presetOf, startAuth, tokenOf } from './support/auth-stack.ts'
import { aSignInWorld, claimsOf, refresh, type SignInWorld, signIn } from './support/sessions.ts'
import { pushFact } from './support/tenant-facts.ts'

let stack: AuthStack
let world: SignInWorld
let count = 0

beforeAll(async () => {
  stack = await startAuth()
  world = await aSignInWorld(stack)
})
afterAll(() => stack.close())
beforeEach(() => stack.clock.advance(2_500))

type Preset = ReturnType<typeof presetOf>

async function aClient(
  tenantId: string = world.ctx.tenantId,
  more: Partial<NewClient> = {},
): Promise<Preset> {
  count += 1
  const preset = presetOf(tenantId, 20 + count)
  const nowMs = stack.clock.now()
  const made = await createClient(stack.deps, {
    ctx: openAsDeployer(tenantId as TenantId, 'test', 'test', nowMs),
    giver: 'deployer',
    wanted: {
      name: undefined,
      scopes: ['introspect', 'usage:read'],
      grants: ['client_credentials'],
      ...more,
    },
    preset,
    nowMs,
  })
  if (!made.ok) throw new Error(made.detail)
  return preset
}

async function post(path: string, form: Record<string, string>, authorization?: string) {
  const headers = authorization === undefined ? {} : { authorization }
  const answer = await fetch(`${stack.httpUrl}${path}`, {
    method: 'POST',
    headers,
    body: new URLSearchParams(form),
  })
  const text = await answer.text()
  return {
    status: answer.status,
    headers: answer.headers,
    text,
    body: text === '' ? undefined : JSON.parse(text),
  }
}

const introspect = (form: Record<string, string>, by: Preset) => post('/oauth2/introspect', form, basic(by))
const revoke = (form: Record<string, string>, by?: Preset) =>
  post('/oauth2/revoke', form, by === undefined ? undefined : basic(by))

describe('introspection', () => {
  test('tells of a machine’s token what its verifier would know', async () => {
    const client = await aClient()
    const token = await tokenOf(stack, client)

    const told = await introspect({ token, token_type_hint: 'refresh_token' }, client)

    const { exp, iat, jti, iss, aud } = claimsOf(token)
    expect(told.status).toBe(200)
    expect(told.headers.get('cache-control')).toBe('no-store')
    expect(told.body).toEqual({
      active: true,
      ...{ exp, iat, jti, iss, aud },
      client_id: client.clientId,
      sub: client.clientId,
      scope: 'introspect usage:read',
      token_type: 'Bearer',
      tenant: world.ctx.tenantId,
      tier: 'enterprise',
      roles: [],
    })
  })

  test('tells of a bound token its key, and needs no proof of it', async () => {
    const client = await aClient()
    const jkt = 'k'.repeat(43)
    const { accessToken, refreshToken } = await signIn(stack, world, {}, { jkt })

    const access = await introspect({ token: accessToken }, client)
    const refreshing = await introspect({ token: refreshToken }, client)

    expect(access.body).toMatchObject({
      active: true,
      token_type: 'DPoP',
      cnf: { jkt },
      sub: world.user.userId,
    })
    expect(refreshing.body).toMatchObject({
      active: true,
      token_type: 'refresh_token',
      cnf: { jkt },
      sub: world.user.userId,
      client_id: world.client.clientId,
      sid: claimsOf(accessToken)['sid'],
    })
  })

  test('minimal leaves out whose it is', async () => {
    const client = await aClient()
    const token = await tokenOf(stack, client)

    const { body } = await introspect({ token, minimal: 'true' }, client)

    expect(Object.keys(body).sort()).toEqual(['active', 'exp', 'scope'])
  })

  test('a token that holds the scope may ask, and one that does not is told so', async () => {
    const [asker, other] = [await aClient(), await aClient(undefined, { scopes: ['usage:read'] })]
    const [token, weak] = [await tokenOf(stack, asker), await tokenOf(stack, other)]

    const told = await post('/oauth2/introspect', { token: weak }, `Bearer ${token}`)
    const refused = await post('/oauth2/introspect', { token }, `Bearer ${weak}`)
    const nonsense = await post('/oauth2/introspect', { token }, 'Bearer x.y.z')

    expect(told.body).toMatchObject({ active: true, client_id: other.clientId })
    expect([refused.status, refused.body.error]).toEqual([403, 'insufficient_scope'])
    expect([nonsense.status, nonsense.body.error]).toEqual([401, 'invalid_token'])
    expect(nonsense.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
  })

  test('of what is not active nothing is told, whatever the reason', async () => {
    const client = await aClient()
    const elsewhere = await aSignInWorld(stack)
    const foreign = await signIn(stack, elsewhere)
    const mine = await signIn(stack, world)
    const second = await refresh(stack, world, mine.refreshToken)
    await refresh(stack, world, second.refreshToken ?? '')
    const expired = await tokenOf(stack, client)
    stack.clock.advance(610_000)
    const tokens = {
      foreignAccess: (await signIn(stack, elsewhere)).accessToken,
      foreignRefresh: foreign.refreshToken,
      usedRefresh: mine.refreshToken,
      expired,
      malformed: 'x',
      secret: client.clientSecret,
      almostOurs: `${expired.slice(0, -2)}AA`,
    }

    for (const [name, token] of Object.entries(tokens)) {
      const told = await introspect({ token }, client)
      expect([name, told.status, told.text]).toEqual([name, 200, '{"active":false}'])
    }
  })

  test('a refresh token is told about and not used up by it', async () => {
    const client = await aClient()
    const { refreshToken } = await signIn(stack, world)

    for (let time = 0; time < 3; time += 1) await introspect({ token: refreshToken }, client)

    expect((await refresh(stack, world, refreshToken)).ok).toBe(true)
  })

  test.each<[string, Record<string, string>, boolean, number, string]>([
    ['without a token', {}, true, 400, 'invalid_request'],
    ['with an empty token', { token: '' }, true, 400, 'invalid_request'],
    ['by nobody', { token: 'x' }, false, 401, 'invalid_client'],
  ])('%s is refused', async (_name, form, authenticated, status, error) => {
    const client = await aClient()

    const told = await post('/oauth2/introspect', form, authenticated ? basic(client) : undefined)

    expect([told.status, told.body.error]).toEqual([status, error])
  })

  test('a public client may not ask', async () => {
    const told = await post('/oauth2/introspect', { token: 'x', client_id: world.client.clientId })

    expect(told.body).toMatchObject({ error: 'unauthorized_client' })
  })

  test('in a suspended tenant nobody is told anything', async () => {
    await pushFact(stack, 'halting', 'activated', 1)
    const client = await aClient('halting')
    await pushFact(stack, 'halting', 'suspended', 2)

    expect((await introspect({ token: 'x' }, client)).body).toMatchObject({ error: 'unauthorized_client' })
  })

  test('a token in the URL is refused before it is looked at', async () => {
    const client = await aClient()

    expect((await post('/oauth2/introspect?token=x', { token: 'x' }, basic(client))).status).toBe(400)
  })
})

describe('revocation', () => {
  test('ends an access token in every process, with a fact and an audit entry, once', async () => {
    const client = await aClient()
    const token = await tokenOf(stack, client)
    const second = stack.another()
    const jti = claimsOf(token)['jti']

    const answers = await Promise.all(Array.from({ length: 5 }, () => revoke({ token }, client)))
    stack.clock.advance(2_500)

    expect(answers.map(({ status, text }) => [status, text])).toEqual(answers.map(() => [200, '']))
    for (const deps of [stack.deps, second]) {
      expect(await deps.platform.verifyToken(token, undefined)).toMatchObject({ ok: false })
    }
    const facts = stack.published
      .map((message) => JSON.parse(Buffer.from(message.data).toString('utf8')) as Record<string, unknown>)
      .filter((event) => event['id'] === `token-revoked:${jti}`)
    expect(facts).toHaveLength(1)
    expect(tokenRevoked.parseData(facts[0]?.['data'])).toMatchObject({ ok: true })
    expect(JSON.stringify(stack.firestore.dump('tenantAudit'))).toContain('auth.token.revoked')
  })

  test('leaves the client’s other tokens alone', async () => {
    const client = await aClient()
    const [one, two] = [await tokenOf(stack, client), await tokenOf(stack, client)]

    await revoke({ token: one }, client)
    stack.clock.advance(2_500)

    expect(await stack.deps.platform.verifyToken(two, undefined)).toMatchObject({ ok: true })
  })

  test('of a refresh token ends the session, by a public client too', async () => {
    const { accessToken, refreshToken } = await signIn(stack, world)

    const ended = await revoke({ token: refreshToken, client_id: world.client.clientId })
    stack.clock.advance(2_500)

    expect(ended.status).toBe(200)
    expect((await refresh(stack, world, refreshToken)).code).toBe('grant.invalid')
    expect(await stack.deps.platform.verifyToken(accessToken, undefined)).toMatchObject({ ok: false })
  })

  test('of what is not the client’s own changes nothing, and says nothing', async () => {
    const [client, other] = [await aClient(), await aClient()]
    const token = await tokenOf(stack, other)
    const { accessToken, refreshToken } = await signIn(stack, world)
    const elsewhere = await aSignInWorld(stack)

    const answers = [
      await revoke({ token }, client),
      await revoke({ token: refreshToken }, client),
      await revoke({ token: refreshToken, client_id: elsewhere.client.clientId }),
      // A public client proves nothing with its id.
      await revoke({ token: accessToken, client_id: world.client.clientId }),
      await revoke({ token: 'garbage' }, client),
      await revoke({ token: 'drt_garbage' }, client),
    ]
    stack.clock.advance(2_500)

    expect(answers.map(({ status, text }) => [status, text])).toEqual(answers.map(() => [200, '']))
    for (const alive of [token, accessToken]) {
      expect(await stack.deps.platform.verifyToken(alive, undefined)).toMatchObject({ ok: true })
    }
    expect((await refresh(stack, world, refreshToken)).ok).toBe(true)
  })

  test.each<[string, Record<string, string>, number, string]>([
    ['without a client', { token: 'x' }, 401, 'invalid_client'],
    [
      'with a client that is none',
      { token: 'x', client_id: 'cid_acme_AAAAAAAAAAAAAAAA' },
      401,
      'invalid_client',
    ],
  ])('%s is refused', async (_name, form, status, error) => {
    const answer = await revoke(form)

    expect([answer.status, answer.body.error]).toEqual([status, error])
  })

  test('that cannot be written is not said to be done', async () => {
    const client = await aClient()
    const token = await tokenOf(stack, client)
    await introspect({ token }, client)
    stack.firestore.setFault((rpc) => (rpc === 'Commit' ? { mode: 'error', code: 7 } : undefined))
    const answer = await revoke({ token }, client)
    stack.firestore.setFault(undefined)

    expect(answer.status).toBeGreaterThanOrEqual(500)
  })
})

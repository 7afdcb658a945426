import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Scope } from '#shared/catalogue/scopes.ts'
import { clientDeleted } from '#shared/contracts/events/client-deleted.ts'
import { clientSecretRotated } from '#shared/contracts/events/client-secret-rotated.ts'
import type { TenantId } from '#shared/ids.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import type { AuthDeps } from '../../functions/auth/deps.ts'
import { parsePresentedClient } from '../../functions/auth/domain/presented-client.ts'
import { authenticateClient } from '../../functions/auth/operations/authenticate-client.ts'
import { addOperator } from '../../functions/auth/operations/bootstrap-operator.ts'
import { createClient } from '../../functions/auth/operations/create-client.ts'
import { rotateClientSecret } from '../../functions/auth/operations/keep-clients.ts'
import { mintAccessToken } from '../../functions/auth/operations/mint-access-token.ts'
import {
  type AuthStack,
  addFirstOperator,
  askToken,
  basic,
  manage,
  OPERATOR,
  presetOf,
  startAuth,
  tokenOf,
} from './support/auth-stack.ts'
import { pushFact } from './support/tenant-facts.ts'

const ADMIN = presetOf('acme', 4)
const PATH = '/v1/tenants/acme/clients'

let stack: AuthStack
let operator: string
let admin: string

type Body = Record<string, unknown> & { clientId: string; clientSecret: string; revision: number }
type Seen = { status: number; headers: Headers; body: Body }

beforeAll(async () => {
  stack = await startAuth()
  await addFirstOperator(stack)
  await pushFact(stack, 'acme', 'activated', 1, { tier: 'enterprise' })
  await pushFact(stack, 'globex', 'activated', 1, { tier: 'enterprise' })
  const nowMs = stack.clock.now()
  const scopes: Scope[] = ['clients:manage', 'usage:read', 'usage:write']
  await createClient(stack.deps, {
    ctx: openAsDeployer('acme' as TenantId, 'test', 'test', nowMs),
    giver: 'deployer',
    wanted: { name: undefined, scopes, grants: ['client_credentials'] },
    preset: ADMIN,
    nowMs,
  })
})
afterAll(() => stack.close())
beforeEach(async () => {
  stack.clock.advance(5_000)
  operator = await tokenOf(stack, OPERATOR)
  admin = await tokenOf(stack, ADMIN)
})

async function ask(
  method: string,
  path: string,
  json?: unknown,
  token = operator,
  headers: Record<string, string> = {},
): Promise<Seen> {
  const answer = await fetch(`${stack.httpUrl}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, body: text === '' ? {} : JSON.parse(text) } as Seen
}

async function aClient(settings: Record<string, unknown> = {}, token = operator): Promise<Body> {
  const made = await ask('POST', PATH, { scopes: ['usage:read'], ...settings }, token)
  expect(made.status, JSON.stringify(made.body)).toBe(201)
  return made.body
}

function facts(type: string): Record<string, unknown>[] {
  return stack.published
    .map((message) => JSON.parse(Buffer.from(message.data).toString('utf8')) as Record<string, unknown>)
    .filter((event) => event['type'] === type)
}

describe('settings', () => {
  test.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['a machine is the usual', {}, { authMethod: 'client_secret_basic', grants: ['client_credentials'] }],
    [
      'a public client signs people in',
      { authMethod: 'none', redirectUris: ['https://app.example/cb'] },
      { grants: ['authorization_code', 'refresh_token'], secrets: [] },
    ],
    [
      'a native application listens at a loopback address',
      { authMethod: 'none', redirectUris: ['http://127.0.0.1/cb', 'http://[::1]:8080/cb'] },
      { redirectUris: ['http://127.0.0.1/cb', 'http://[::1]:8080/cb'] },
    ],
    [
      'keys can be published elsewhere',
      { authMethod: 'private_key_jwt', jwksUri: 'https://app.example/jwks' },
      { jwksUri: 'https://app.example/jwks', secrets: [] },
    ],
  ])('%s', async (_name, settings, seen) => {
    expect(await aClient(settings)).toMatchObject(seen)
  })

  const CODE = { authMethod: 'none', grants: ['authorization_code'] }
  test.each<[string, Record<string, unknown>]>([
    ['an unknown member', { owner: 'me' }],
    ['another one’s id', { clientId: 'cid_acme_0000000000000001' }],
    ['an operator’s role', { roles: ['platform_admin'] }],
    ['a grant nobody has', { grants: ['password'] }],
    ['a public client for machines', { authMethod: 'none', grants: ['client_credentials'] }],
    [
      'a public client that exchanges',
      { ...CODE, grants: ['urn:ietf:params:oauth:grant-type:token-exchange'] },
    ],
    ['a code without a redirect URI', CODE],
    ['a refresh token without a code', { grants: ['refresh_token', 'client_credentials'] }],
    ['keys of a client with a secret', { jwksUri: 'https://app.example/jwks' }],
    ['private_key_jwt without keys', { authMethod: 'private_key_jwt' }],
    ['keys in the clear', { authMethod: 'private_key_jwt', jwksUri: 'http://app.example/jwks' }],
    ['a secret as key', { authMethod: 'private_key_jwt', jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] } }],
    ['no key in the set', { authMethod: 'private_key_jwt', jwks: { keys: [] } }],
    ['http elsewhere', { ...CODE, redirectUris: ['http://app.example/cb'] }],
    ['http at a name for a loopback', { ...CODE, redirectUris: ['http://localhost/cb'] }],
    ['a loopback that only begins so', { ...CODE, redirectUris: ['http://127.0.0.1.evil.test/cb'] }],
    ['a user name', { ...CODE, redirectUris: ['https://app.example@evil.test/cb'] }],
    ['a fragment', { ...CODE, redirectUris: ['https://app.example/cb#x'] }],
    ['a wildcard', { ...CODE, redirectUris: ['https://*.example/cb'] }],
    ['dot segments', { ...CODE, redirectUris: ['https://app.example/a/../cb'] }],
    ['a backslash', { ...CODE, redirectUris: ['https://app.example\\@evil.test/cb'] }],
    ['a host in upper case', { ...CODE, redirectUris: ['https://APP.example/cb'] }],
    ['a script', { ...CODE, redirectUris: ['javascript:alert(1)'] }],
    ['a relative address', { ...CODE, redirectUris: ['/cb'] }],
    ['white space', { ...CODE, redirectUris: ['https://app.example/c b'] }],
    ['letters beyond ASCII', { ...CODE, redirectUris: ['https://аpp.example/cb'] }],
    ['one address twice', { ...CODE, redirectUris: ['https://a.example/', 'https://a.example/'] }],
    ['a bad address after logging out', { postLogoutRedirectUris: ['http://app.example/'] }],
  ])('%s is refused', async (_name, settings) => {
    const made = await ask('POST', PATH, { scopes: ['usage:read'], ...settings })

    expect(made).toMatchObject({ status: 400, body: { code: 'request.malformed' } })
  })
})

describe('reading', () => {
  test('a client is told with its revision, and not again to whoever has it', async () => {
    const { clientId } = await aClient({ name: 'CI' })

    const found = await ask('GET', `${PATH}/${clientId}`)
    const etag = found.headers.get('etag') ?? ''
    const again = await ask('GET', `${PATH}/${clientId}`, undefined, operator, { 'if-none-match': etag })

    expect(found).toMatchObject({ status: 200, body: { clientId, name: 'CI', revision: 1 } })
    expect(etag).toBe('"1"')
    expect(again.status).toBe(304)
    expect(JSON.stringify(found.body)).not.toMatch(/hmac|dcs_/)
  })

  test('a list is walked page by page, each client once', async () => {
    for (let count = 0; count < 3; count += 1) await aClient()
    const seen: string[] = []
    let token: unknown = ''
    while (token !== null) {
      const more = token === '' ? '' : `&pageToken=${token}`
      const page = await ask('GET', `${PATH}?pageSize=2${more}`)
      expect(page.status).toBe(200)
      for (const { clientId } of page.body['items'] as Body[]) seen.push(clientId)
      token = page.body['nextPageToken']
    }

    expect(seen).toEqual([...new Set(seen)].sort())
    expect(seen.length).toBeGreaterThan(3)
    expect(seen).toContain(ADMIN.clientId)
  })

  test.each(['cid_globex_AAAAAAAAAAAAAAAA', 'cid_acme_AAAAAAAAAAAAAAAA', 'auth_state', 'x'])(
    '%s is the 404 of a client that does not exist, whatever is done to it',
    async (id) => {
      const { requestId: _id, ...body } = (await ask('GET', `${PATH}/cid_acme_BBBBBBBBBBBBBBBB`)).body
      for (const [method, path, json] of [
        ['GET', id, undefined],
        ['PATCH', id, { name: 'x' }],
        ['DELETE', id, undefined],
        ['POST', `${id}/secrets`, {}],
        ['DELETE', `${id}/secrets/none`, undefined],
      ] as const) {
        const seen = await ask(method, `${PATH}/${path}`, json)
        expect(seen).toMatchObject({ status: 404, body })
      }
    },
  )
})

describe('changing', () => {
  test('what is left out stays, and the revision counts', async () => {
    const { clientId } = await aClient({ name: 'before' })

    const changed = await ask('PATCH', `${PATH}/${clientId}`, { name: 'after' })

    expect(changed).toMatchObject({
      status: 200,
      body: { name: 'after', scopes: ['usage:read'], revision: 2 },
    })
    expect(changed.headers.get('etag')).toBe('"2"')
  })

  test('of two who change the same revision, one does', async () => {
    const { clientId } = await aClient()
    const change = (name: string) =>
      ask('PATCH', `${PATH}/${clientId}`, { name }, operator, { 'if-match': '"1"' })

    const statuses = (await Promise.all([change('a'), change('b')])).map(({ status }) => status).sort()

    expect(statuses).toEqual([200, 412])
  })

  test.each<[string, unknown]>([
    ['nothing', {}],
    ['an unknown member', { authMethod: 'none' }],
    ['its tenant', { tenantId: 'globex' }],
    ['what makes no sense with the rest', { grants: ['authorization_code'] }],
    ['no object', []],
  ])('%s is no change', async (_name, change) => {
    const { clientId } = await aClient()

    expect((await ask('PATCH', `${PATH}/${clientId}`, change)).status).toBe(400)
  })

  // Each of them would let somebody with few scopes speak with the scopes of another client.
  test('who holds less than a client has cannot decide how it authenticates', async () => {
    const { clientId } = await aClient({ scopes: ['billing:manage', 'usage:read'] })
    const path = `${PATH}/${clientId}`
    const attempts = [
      await ask('POST', `${path}/secrets`, {}, admin),
      await ask('POST', `${path}/secrets`, { overlapSeconds: 0 }, admin),
      await ask('PATCH', path, { scopes: ['billing:manage', 'usage:read', 'usage:write'] }, admin),
      await ask('PATCH', path, { redirectUris: ['https://evil.test/cb'] }, admin),
    ]
    const harmless = await ask('PATCH', path, { name: 'renamed', status: 'disabled' }, admin)
    const awake = await ask('PATCH', path, { status: 'active' }, admin)

    for (const attempt of [...attempts, awake]) {
      expect(attempt).toMatchObject({ status: 400, body: { code: 'scope.invalid' } })
    }
    expect(harmless.status).toBe(200)
  })

  test('who holds all of it can', async () => {
    const { clientId } = await aClient({ scopes: ['usage:read'] }, admin)
    const path = `${PATH}/${clientId}`

    const wider = await ask('PATCH', path, { scopes: ['usage:read', 'usage:write'] }, admin)
    const secret = await ask('POST', `${path}/secrets`, {}, admin)

    expect([wider.status, secret.status]).toEqual([200, 201])
  })

  test.each<[string, Record<string, unknown>]>([
    ['fewer scopes', { scopes: ['usage:read'] }],
    ['being disabled', { status: 'disabled' }],
    ['having to bind its tokens', { dpopRequired: true }],
  ])('%s ends the tokens it has', async (_name, change) => {
    const made = await aClient({ scopes: ['usage:read', 'usage:write'] })
    const token = await tokenOf(stack, made)
    const before = await stack.deps.platform.verifyToken(token, undefined)

    await ask('PATCH', `${PATH}/${made.clientId}`, change)
    stack.clock.advance(2_500)

    expect(before).toMatchObject({ ok: true })
    expect(await stack.deps.platform.verifyToken(token, undefined)).toMatchObject({ ok: false })
    const other = stack.another().platform.verifyToken(token, undefined)
    expect(await other).toMatchObject({ ok: false, code: 'token.invalid' })
  })

  /** A token of the client, minted by a process. */
  const mintBy = async (deps: AuthDeps, made: Body): Promise<string | undefined> => {
    const presented = parsePresentedClient(new Map(), basic(made))
    if (!presented.ok) throw new Error(presented.detail)
    const nowMs = stack.clock.now()
    const proven = await authenticateClient(deps, presented.value, { nowMs, clientAddress: '' })
    if (!proven.ok) return undefined
    const { scopes } = proven.value.client
    const mint = { client: proven.value, subject: made.clientId, scopes, roles: [], jkt: undefined }
    return (await mintAccessToken(deps, mint, nowMs)).accessToken
  }

  // A process may know the client from two seconds ago, and mint after it is gone.
  test('a token is dead too that another process mints before it hears of the end', async () => {
    const made = await aClient({ scopes: ['usage:read', 'usage:write'] })
    const second = stack.another()
    await mintBy(second, made)
    stack.clock.advance(500)
    await ask('DELETE', `${PATH}/${made.clientId}`)
    stack.clock.advance(1_400)
    const late = await mintBy(second, made)
    stack.clock.advance(2_500)

    expect(late).toBeDefined()
    expect(await stack.another().platform.verifyToken(late ?? '', undefined)).toMatchObject({ ok: false })
    expect(await mintBy(second, made)).toBeUndefined()
    expect(await mintBy(stack.deps, made)).toBeUndefined()
  })

  test('after a change its client gets a token at once in every process, and it is good', async () => {
    const made = await aClient({ scopes: ['usage:read', 'usage:write'] })
    await ask('PATCH', `${PATH}/${made.clientId}`, { scopes: ['usage:read'] })
    stack.clock.advance(100)

    for (const deps of [stack.deps, stack.another()]) {
      const verified = await deps.platform.verifyToken((await mintBy(deps, made)) ?? '', undefined)
      expect(verified).toMatchObject({ ok: true })
      expect(verified.ok && [...verified.value.claims.scopes]).toEqual(['usage:read'])
    }
  })

  test('another name ends no token', async () => {
    const made = await aClient()
    const token = await tokenOf(stack, made)

    await ask('PATCH', `${PATH}/${made.clientId}`, { name: 'other' })
    stack.clock.advance(2_500)

    expect(await stack.deps.platform.verifyToken(token, undefined)).toMatchObject({ ok: true })
  })
})

describe('secrets', () => {
  const works = async (client: { clientId: string }, clientSecret: string): Promise<boolean> => {
    stack.clock.advance(2_500)
    return (await askToken(stack, {}, { clientId: client.clientId, clientSecret })).status === 200
  }

  test('the one before lives to the end of its overlap and no longer', async () => {
    const made = await aClient()
    const path = `${PATH}/${made.clientId}/secrets`

    const next = await ask('POST', path, { overlapSeconds: 60 })
    const during = [await works(made, made.clientSecret), await works(made, next.body.clientSecret)]
    stack.clock.advance(60_000)
    const after = [await works(made, made.clientSecret), await works(made, next.body.clientSecret)]
    operator = await tokenOf(stack, OPERATOR)
    const third = await ask('POST', path, {})

    expect([next.status, during, after]).toEqual([201, [true, true], [false, true]])
    // What has expired takes no place.
    expect(third).toMatchObject({ status: 201, body: { secrets: [{}, {}] } })
  })

  test('a third one waits, unless it ends the others', async () => {
    const made = await aClient()
    const path = `${PATH}/${made.clientId}/secrets`
    await ask('POST', path, {})

    const refused = await ask('POST', path, {})
    const alone = await ask('POST', path, { overlapSeconds: 0 })

    expect(refused).toMatchObject({ status: 409, body: { code: 'client.secret_limit_reached' } })
    expect(alone).toMatchObject({ status: 201, body: { secrets: [{ expiresAt: null }] } })
    expect(await works(made, made.clientSecret)).toBe(false)
  })

  test('without an overlap the tokens go with the secret', async () => {
    const made = await aClient()
    const token = await tokenOf(stack, made)

    await ask('POST', `${PATH}/${made.clientId}/secrets`, { overlapSeconds: 0 })
    stack.clock.advance(2_500)

    expect(await stack.deps.platform.verifyToken(token, undefined)).toMatchObject({ ok: false })
  })

  test('one of two can go early, the last one cannot', async () => {
    const made = await aClient()
    const path = `${PATH}/${made.clientId}/secrets`
    const next = await ask('POST', path, {})
    const [newer, older] = next.body['secrets'] as { secretId: string }[]

    const gone = await ask('DELETE', `${path}/${older?.secretId}`)
    const last = await ask('DELETE', `${path}/${newer?.secretId}`)
    const missing = await ask('DELETE', `${path}/${older?.secretId}`)

    expect([gone.status, last.status, missing.status]).toEqual([204, 409, 404])
    expect(await works(made, made.clientSecret)).toBe(false)
    expect(await works(made, next.body.clientSecret)).toBe(true)
  })

  test.each([
    [{ overlapSeconds: 7 * 86_400 + 1 }],
    [{ overlapSeconds: -1 }],
    [{ overlapSeconds: 0.5 }],
    [[]],
  ])('%j is no rotation', async (body) => {
    const { clientId } = await aClient()

    expect((await ask('POST', `${PATH}/${clientId}/secrets`, body)).status).toBe(400)
  })

  test('asked again with its key, a rotation made one secret and tells it no more', async () => {
    const { clientId } = await aClient()
    const path = `${PATH}/${clientId}/secrets`
    const headers = { 'idempotency-key': `rotate-${clientId}` }

    const first = await ask('POST', path, {}, operator, headers)
    const again = await ask('POST', path, {}, operator, headers)

    expect([first.status, again.status]).toEqual([201, 200])
    expect(again.body.clientSecret).toBeUndefined()
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect((await ask('GET', `${PATH}/${clientId}`)).body['secrets']).toHaveLength(2)
  })

  test('a client without secrets gets none', async () => {
    const { clientId } = await aClient({ authMethod: 'private_key_jwt', jwksUri: 'https://a.example/jwks' })

    const rotated = await ask('POST', `${PATH}/${clientId}/secrets`, {})

    expect(rotated).toMatchObject({ status: 409, body: { code: 'client.no_secret' } })
  })

  test('the fact and the audit name the secret and say nothing of it', async () => {
    const { clientId } = await aClient()

    const { body } = await ask('POST', `${PATH}/${clientId}/secrets`, { overlapSeconds: 5 })

    const [fact] = facts(clientSecretRotated.type).slice(-1)
    expect(fact).toMatchObject({ tenantid: 'acme', data: { clientId, overlapSeconds: 5 } })
    expect(clientSecretRotated.parseData(fact?.['data'])).toMatchObject({ ok: true })
    const everything = JSON.stringify([
      stack.firestore.dump(),
      stack.logLines,
      facts(clientSecretRotated.type),
    ])
    expect(everything).not.toContain(body.clientSecret)
    expect(everything).toContain('auth.client.secret_rotated')
  })
})

describe('removing', () => {
  test('takes the client, its place and its tokens', async () => {
    const made = await aClient()
    const token = await tokenOf(stack, made)
    const countOf = () =>
      stack.firestore.dump('tenants/acme/auth_limits').find((doc) => doc.path.endsWith('clients'))?.data[
        'count'
      ]
    const before = Number(countOf())

    const gone = await ask('DELETE', `${PATH}/${made.clientId}`)
    stack.clock.advance(2_500)

    expect(gone.status).toBe(204)
    expect(Number(countOf())).toBe(before - 1)
    expect(await stack.deps.platform.verifyToken(token, undefined)).toMatchObject({ ok: false })
    expect((await askToken(stack, {}, made)).status).toBe(401)
    const [fact] = facts(clientDeleted.type).slice(-1)
    expect(fact).toMatchObject({ id: `client-deleted:${made.clientId}`, data: { clientId: made.clientId } })
  })

  test('of ten at once, one removes it, and it is counted once', async () => {
    const made = await aClient()
    const before = JSON.stringify(stack.firestore.dump('tenants/acme/auth_limits'))

    const answers = await Promise.all(
      Array.from({ length: 10 }, () => ask('DELETE', `${PATH}/${made.clientId}`)),
    )

    const statuses = answers.map(({ status }) => status).sort()
    expect(statuses).toEqual([204, ...Array.from({ length: 9 }, () => 404)])
    expect(JSON.stringify(stack.firestore.dump('tenants/acme/auth_limits'))).not.toBe(before)
  })
})

// Two clients of one operator are one person where two are needed: nobody may take over the other's.
test('an operator cannot decide how another operator’s client authenticates', async () => {
  const nowMs = stack.clock.now()
  const preset = presetOf('platform', 7)
  const second = await addOperator(stack.deps, { email: 'two@example.com', deployer: 'test', nowMs, preset })
  expect(second).toMatchObject({ ok: true })
  const path = `/v1/tenants/platform/clients/${preset.clientId}`

  const taken = await ask('POST', `${path}/secrets`, { overlapSeconds: 0 })
  const own = await ask('POST', `/v1/tenants/platform/clients/${OPERATOR.clientId}/secrets`, {})
  const removed = await ask('PATCH', path, { status: 'disabled' })

  expect(taken).toMatchObject({ status: 403, body: { code: 'client.not_yours' } })
  expect(own.status).toBe(201)
  expect(removed.status).toBe(200)
})

test('the deployer’s command line rotates any secret', async () => {
  const made = await aClient()
  const nowMs = stack.clock.now()
  const rotated = await rotateClientSecret(
    stack.deps,
    {
      ctx: openAsDeployer('acme' as TenantId, 'test', 'test', nowMs),
      clientId: made.clientId as never,
      keeper: 'deployer',
      nowMs,
    },
    0,
  )

  expect(rotated).toMatchObject({ ok: true, value: { clientSecret: expect.stringMatching(/^dcs_/) } })
})

test('a foreign tenant’s client answers like one that is not there', async () => {
  const made = await manage(stack, operator, '/v1/tenants/globex/clients', { scopes: ['usage:read'] })
  const { clientId } = (await made.json()) as Body

  const throughOwn = await ask('DELETE', `${PATH}/${clientId}`, undefined, admin)
  const throughForeign = await ask('DELETE', `/v1/tenants/globex/clients/${clientId}`, undefined, admin)

  expect([throughOwn.status, throughForeign.status]).toEqual([404, 404])
})

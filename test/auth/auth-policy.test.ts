import { generateKeyPairSync, sign } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import { GRACE_MS } from '../../functions/auth/domain/refresh.ts'
import { type AuthStack, addFirstOperator, OPERATOR, startAuth, tokenOf } from './support/auth-stack.ts'
import {
  aSignInWorld,
  change,
  claimsOf,
  refresh,
  type SignInWorld,
  signIn,
  storedSessions,
} from './support/sessions.ts'
import { pushFact } from './support/tenant-facts.ts'

const DAY_MS = 24 * 3_600_000
const USUAL = {
  requireDpop: false,
  requirePrivateKeyJwt: false,
  refreshIdleDays: null,
  refreshAbsoluteDays: null,
}
const JKT = 'A'.repeat(43)

type Credentials = { readonly clientId: string; readonly clientSecret: string }

let stack: AuthStack

beforeAll(async () => {
  stack = await startAuth()
  await addFirstOperator(stack)
  for (const [tenantId, tier] of [
    ['acme', 'enterprise'],
    ['small', 'premium'],
  ] as const) {
    await pushFact(stack, tenantId, 'activated', 1, { tier })
  }
}, 60_000)
afterAll(() => stack?.close())
beforeEach(() => stack.clock.advance(3_000))

async function call(method: string, path: string, json?: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${stack.httpUrl}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${await tokenOf(stack, OPERATOR)}`,
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  })
  const text = await response.text()
  const body = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>
  return { status: response.status, headers: response.headers, body }
}

const setPolicy = (tenantId: string, policy: unknown, headers?: Record<string, string>) =>
  call('PUT', `/v1/tenants/${tenantId}/auth-policy`, policy, headers)

async function newClient(tenantId: string, scopes: readonly string[]): Promise<Credentials> {
  const made = await call('POST', `/v1/tenants/${tenantId}/clients`, { scopes })
  expect(made.status, JSON.stringify(made.body)).toBe(201)
  return { clientId: String(made.body['clientId']), clientSecret: String(made.body['clientSecret']) }
}

/** A DPoP proof for the token endpoint, by a new key. */
function proof(): string {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' })
  const claims = {
    htm: 'POST',
    htu: `${stack.config.PUBLIC_BASE_URL}/oauth2/token`,
    iat: Math.floor(stack.clock.now() / 1000),
    jti: x,
  }
  const signed = `${part({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } })}.${part(claims)}`
  const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}

async function ask(client: Credentials, dpop?: string) {
  const response = await fetch(`${stack.httpUrl}/oauth2/token`, {
    method: 'POST',
    headers: dpop === undefined ? {} : { dpop },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: client.clientId,
      client_secret: client.clientSecret,
    }),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

test('a tenant without a policy has the usual one, with a revision to change it by', async () => {
  const seen = await call('GET', '/v1/tenants/acme/auth-policy')
  expect([seen.status, seen.body]).toEqual([200, USUAL])
  const etag = seen.headers.get('etag') ?? ''
  const first = await setPolicy('acme', { refreshIdleDays: 5 }, { 'if-match': etag })
  expect([first.status, first.body]).toEqual([200, { ...USUAL, refreshIdleDays: 5 }])
  expect((await setPolicy('acme', USUAL, { 'if-match': etag })).status).toBe(412)
  expect((await setPolicy('acme', {})).body).toEqual(USUAL)
})

test('only the tier enterprise has a policy, and no tenant that is not there', async () => {
  for (const seen of [await call('GET', '/v1/tenants/small/auth-policy'), await setPolicy('small', USUAL)]) {
    expect([seen.status, seen.body['code']]).toEqual([403, 'tier.required'])
  }
  expect((await setPolicy('nobody', USUAL)).status).toBe(404)
})

test.each([
  ['longer than 90 days', { refreshAbsoluteDays: 91 }],
  ['no day at all', { refreshIdleDays: 0 }],
  ['half a day', { refreshIdleDays: 0.5 }],
  ['idle longer than at most', { refreshIdleDays: 9, refreshAbsoluteDays: 8 }],
  ['a word for a truth', { requireDpop: 'yes' }],
  ['something else', { requireMfa: true }],
  ['nothing', null],
])('a policy of %s is refused', async (_what, policy) => {
  expect((await setPolicy('acme', policy)).status).toBe(400)
})

test('a client without the scope, and one of another tenant, neither sees nor sets it', async () => {
  const reader = await tokenOf(stack, await newClient('acme', ['tenant:read']))
  const other = await tokenOf(stack, await newClient('small', ['sso:manage']))
  for (const [token, status] of [
    [reader, 403],
    [other, 404],
  ] as const) {
    const headers = { authorization: `Bearer ${token}` }
    expect((await call('GET', '/v1/tenants/acme/auth-policy', undefined, headers)).status).toBe(status)
    expect((await setPolicy('acme', USUAL, headers)).status).toBe(status)
  }
})

describe('a tenant that asks for DPoP', () => {
  let client: Credentials

  beforeAll(async () => {
    client = await newClient('acme', ['tenant:read', 'sso:manage'])
    stack.clock.advance(1_000)
  })

  test('refuses every unbound token of before within two seconds, and gives none without a proof', async () => {
    const before = await tokenOf(stack, client)
    expect((await stack.deps.platform.verifyToken(before, undefined)).ok).toBe(true)
    expect((await setPolicy('acme', { requireDpop: true })).status).toBe(200)
    stack.clock.advance(2_000)

    expect(await stack.deps.platform.verifyToken(before, undefined)).toMatchObject({
      ok: false,
      detail: 'minted under an older policy',
    })
    const unbound = await ask(client)
    expect([unbound.status, unbound.body['error']]).toEqual([400, 'invalid_dpop_proof'])
    const bound = await ask(client, proof())
    expect([bound.status, bound.body['token_type']]).toEqual([200, 'DPoP'])
  })

  test('asks for it of people’s applications, at each refresh too', async () => {
    const world = await aSignInWorld(stack)
    await change(stack.deps, world.ctx, ['auth_state', 'current'], {
      policy: { ...USUAL, requireDpop: true, revision: 1 },
    })
    const session = await signIn(stack, world, {}, { jkt: JKT })
    expect(claimsOf(session.accessToken)).toMatchObject({ cnf: { jkt: JKT } })
    expect(await refresh(stack, world, session.refreshToken)).toMatchObject({ code: 'dpop.invalid' })
    expect(await refresh(stack, world, session.refreshToken, {}, { jkt: JKT })).toMatchObject({ ok: true })
  })

  test('may take it back, and the version of its tokens does not fall', async () => {
    const strict = stack.firestore.dump('tenants/acme/auth_state/current')[0]?.data['version']
    expect((await setPolicy('acme', USUAL)).status).toBe(200)
    stack.clock.advance(2_000)
    expect(stack.firestore.dump('tenants/acme/auth_state/current')[0]?.data['version']).toBe(strict)
    expect((await ask(client)).status).toBe(200)
  })

  test('is not asked for it once it has left the tier, and is again when it returns', async () => {
    await setPolicy('acme', { requireDpop: true })
    await pushFact(stack, 'acme', 'tier-changed', 2, { tier: 'premium' })
    stack.clock.advance(2_000)
    expect((await ask(client)).status).toBe(200)
    await pushFact(stack, 'acme', 'tier-changed', 3, { tier: 'enterprise' })
    stack.clock.advance(2_000)
    expect((await ask(client)).status).toBe(400)
    await setPolicy('acme', USUAL)
  })

  test('is not made to by a client that would shut itself out', async () => {
    const headers = { authorization: `Bearer ${await tokenOf(stack, client)}` }
    for (const policy of [{ requireDpop: true }, { requirePrivateKeyJwt: true }]) {
      const refused = await setPolicy('acme', policy, headers)
      expect([refused.status, refused.body['hint'] ?? refused.body['detail']]).toEqual([
        400,
        expect.stringContaining('shut yourself out'),
      ])
    }
    expect((await setPolicy('acme', { refreshIdleDays: 3 }, headers)).status).toBe(200)
    await setPolicy('acme', USUAL)
  })
})

test('a tenant that asks for keys takes no secret, and public clients as before', async () => {
  const client = await newClient('acme', ['tenant:read'])
  await setPolicy('acme', { requirePrivateKeyJwt: true })
  stack.clock.advance(2_000)
  const refused = await ask(client)
  expect([refused.status, refused.body['error']]).toEqual([400, 'unauthorized_client'])
  // A wrong secret is told nothing of it.
  expect(await ask({ ...client, clientSecret: OPERATOR.clientSecret })).toEqual({
    status: 401,
    body: { error: 'invalid_client' },
  })
  await setPolicy('acme', USUAL)

  const world = await aSignInWorld(stack)
  await change(stack.deps, world.ctx, ['auth_state', 'current'], {
    policy: { ...USUAL, requirePrivateKeyJwt: true, revision: 1 },
  })
  expect(await signIn(stack, world)).toMatchObject({ ok: true })
})

describe('sessions last as long as the policy says', () => {
  const policyOf = ({ ctx: { tenantId } }: SignInWorld, policy: object) =>
    // Opened anew: a test may be days after the world was made.
    change(
      stack.deps,
      openAsDeployer(tenantId, 'test', 'test', stack.clock.now()),
      ['auth_state', 'current'],
      { policy: { ...USUAL, revision: 1, ...policy } },
    )

  test('those that begin under it, with each refresh', async () => {
    const world = await aSignInWorld(stack)
    await policyOf(world, { refreshIdleDays: 2, refreshAbsoluteDays: 3 })
    const { refreshToken } = await signIn(stack, world)
    const begun = stack.clock.now()
    expect(storedSessions(stack, world)).toMatchObject([
      { idleUntil: begun + 2 * DAY_MS, absoluteUntil: begun + 3 * DAY_MS },
    ])
    stack.clock.advance(2 * DAY_MS - 1_000)
    const next = await refresh(stack, world, refreshToken)
    expect(next.ok).toBe(true)
    expect(storedSessions(stack, world)).toMatchObject([{ idleUntil: begun + 3 * DAY_MS }])
    stack.clock.advance(DAY_MS + 1_000)
    expect(await refresh(stack, world, next.refreshToken ?? '')).toMatchObject({ code: 'grant.invalid' })
  })

  test.each([
    ['idle', { refreshIdleDays: 1 }],
    ['at most', { refreshAbsoluteDays: 1 }],
  ])('those that began before it, from their next refresh: %s', async (_which, policy) => {
    const world = await aSignInWorld(stack)
    const { refreshToken } = await signIn(stack, world)
    stack.clock.advance(DAY_MS - 1_000)
    const next = await refresh(stack, world, refreshToken)
    await policyOf(world, policy)
    stack.clock.advance('refreshIdleDays' in policy ? DAY_MS : GRACE_MS)
    expect(await refresh(stack, world, next.refreshToken ?? '')).toMatchObject({ code: 'grant.invalid' })
  })

  test('and never longer than they were begun with', async () => {
    const world = await aSignInWorld(stack)
    await policyOf(world, { refreshIdleDays: 1 })
    const { refreshToken } = await signIn(stack, world)
    await policyOf(world, { refreshIdleDays: 90 })
    stack.clock.advance(DAY_MS + 1_000)
    expect(await refresh(stack, world, refreshToken)).toMatchObject({ code: 'grant.invalid' })
  })
})

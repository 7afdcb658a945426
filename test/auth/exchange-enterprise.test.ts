import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { basic, tokenOf } from './support/auth-stack.ts'
import { CONNECTION, redeem, type SignOnStack, signIn, startSignOn } from './support/sign-on.ts'
import { pushFact } from './support/tenant-facts.ts'

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token'

type Credentials = { readonly clientId: string; readonly clientSecret: string }
type Claims = Record<string, unknown>

let stack: SignOnStack
let acme: Credentials
let globex: Credentials

beforeAll(async () => {
  stack = await startSignOn()
  await pushFact(stack, 'globex', 'activated', 1, { tier: 'enterprise' })
  acme = await newClient('acme')
  globex = await newClient('globex')
  // The same provider, where it knows globex as another client.
  const connection = { connectionId: 'con_main', issuer: stack.idp.issuer, clientId: 'globex-app' }
  const made = await stack.call('POST', '/v1/tenants/globex/connections', {
    ...connection,
    clientSecret: 'the-provider-knows',
  })
  if (made.status !== 201) throw new Error(JSON.stringify(made.body))
}, 60_000)
afterAll(() => stack?.close())
beforeEach(() => {
  // Each test has the rate of a second of its own.
  stack.clock.advance(1_000)
  stack.idp.faults.clear()
})

async function newClient(tenantId: string): Promise<Credentials> {
  const made = await stack.call('POST', `/v1/tenants/${tenantId}/clients`, {
    grants: ['client_credentials', EXCHANGE],
    scopes: ['tenant:read', 'usage:read', 'usage:write', 'users:manage'],
  })
  if (made.status !== 201) throw new Error(JSON.stringify(made.body))
  return { clientId: String(made.body['clientId']), clientSecret: String(made.body['clientSecret']) }
}

const seconds = (): number => Math.floor(stack.clock.now() / 1000)

/** An ID token of the provider's, for acme's client there; anything can be put in the place of anything. */
function idToken(change: Claims = {}, header: Claims = {}): Promise<string> {
  const claims: Claims = {
    iss: stack.idp.issuer,
    aud: 'us',
    sub: 'ada',
    iat: seconds(),
    exp: seconds() + 300,
    auth_time: seconds() - 5,
    acr: 'gold',
    amr: ['pwd', 'otp'],
    email: 'ada@acme.example',
    email_verified: true,
    groups: ['developer'],
    ...change,
  }
  const kept = Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined))
  return stack.idp.sign(kept, header)
}

async function exchange(token: string, by: Credentials = acme, form: Record<string, string> = {}) {
  const response = await fetch(`${stack.httpUrl}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: basic(by) },
    body: new URLSearchParams({
      grant_type: EXCHANGE,
      subject_token: token,
      subject_token_type: ID_TOKEN,
      ...form,
    }),
  })
  return { status: response.status, headers: response.headers, body: (await response.json()) as Claims }
}

const REFUSED = {
  status: 400,
  body: { error: 'invalid_request', error_description: 'The subject token is not accepted.' },
}

test('a person’s ID token gives a token for the same person, with their roles and no session', async () => {
  const signedIn = await redeem(stack, (await signIn(stack)).parameters.get('code'))
  const bySignIn = decodeJwt(String(signedIn.body['access_token']))

  const answered = await exchange(await idToken())

  expect(answered.status, JSON.stringify(answered.body)).toBe(200)
  expect(answered.body).not.toHaveProperty('refresh_token')
  const claims = decodeJwt(String(answered.body['access_token']))
  expect(claims).toMatchObject({
    sub: bySignIn.sub,
    tenant: 'acme',
    client_id: acme.clientId,
    roles: ['developer', 'viewer'],
    scope: 'tenant:read usage:write usage:read',
    auth_time: seconds() - 5,
    acr: 'gold',
    amr: ['pwd', 'otp'],
    oexp: seconds() + 300,
  })
  expect(claims).not.toHaveProperty('sid')
  expect(claims.exp).toBeLessThanOrEqual(seconds() + 300)
})

test('somebody new becomes a user, once, however often they come at once', async () => {
  const token = await idToken({ sub: 'grace', email: 'grace@acme.example', groups: [] })
  const answers = await Promise.all([1, 2, 3, 4].map(() => exchange(token)))
  const subjects = answers.map(({ body }) => decodeJwt(String(body['access_token'])).sub)
  expect(new Set(subjects).size).toBe(1)
  // A viewer's token holds what a viewer may, whatever the client may.
  expect(answers[0]?.body['scope']).toBe('tenant:read usage:read')
})

test('the scope asked for is that of the person and of the client', async () => {
  const token = await idToken()
  expect((await exchange(token, acme, { scope: 'usage:read' })).body['scope']).toBe('usage:read')
  // Of the client alone, of the person alone, of nobody.
  for (const scope of ['users:manage', 'workflows:use', 'platform:read']) {
    expect((await exchange(token, acme, { scope })).body['error']).toBe('invalid_scope')
  }
})

describe('an ID token', () => {
  test.each<[string, Claims, Claims]>([
    ['for another application', { aud: 'another-app' }, {}],
    ['for us as a server', { aud: 'https://api.energent.test' }, {}],
    ['for several', { aud: ['us', 'another-app'] }, {}],
    ['for another tenant’s application', { aud: 'globex-app' }, {}],
    ['without audience', { aud: undefined }, {}],
    ['that another application asked for', { azp: 'another-app' }, {}],
    ['of another issuer', { iss: 'https://idp.evil.example' }, {}],
    ['without issuer', { iss: undefined }, {}],
    ['without subject', { sub: undefined }, {}],
    ['of a subject that is no text', { sub: 5 }, {}],
    ['of an endless subject', { sub: 'a'.repeat(256) }, {}],
    ['that is expired', { iat: 1_700_000_000, exp: 1_700_000_300 }, {}],
    ['of the future', { iat: 4_000_000_000, exp: 4_000_000_300 }, {}],
    ['without end', { exp: undefined }, {}],
    ['of two days', { exp: 9_000_000_000 }, {}],
    ['of a sign-in to come', { auth_time: 4_000_000_000 }, {}],
    ['of a logout', {}, { typ: 'logout+jwt' }],
    ['of an access token’s type', {}, { typ: 'at+jwt' }],
    ['with a key of its own', {}, { jwk: {} }],
    ['with a key id nobody has', {}, { kid: 'nobody' }],
  ])('%s is not exchanged', async (_name, claims, header) => {
    expect(await exchange(await idToken(claims, header))).toMatchObject(REFUSED)
  })

  test('that is signed by another key is not exchanged', async () => {
    stack.idp.forge()
    const forged = await idToken()
    expect(await exchange(forged)).toMatchObject(REFUSED)
    stack.idp.rotate()
  })

  test('is exchanged by a client of the tenant that has the connection, and by no other', async () => {
    stack.clock.advance(31_000)
    expect((await exchange(await idToken())).status).toBe(200)
    expect(await exchange(await idToken(), globex)).toMatchObject(REFUSED)
    const theirs = await exchange(await idToken({ aud: 'globex-app' }), globex)
    expect(decodeJwt(String(theirs.body['access_token']))['tenant']).toBe('globex')
  })

  test('of a key that the provider has just begun to use is exchanged after half a minute at most', async () => {
    stack.idp.rotate()
    stack.clock.advance(31_000)
    expect((await exchange(await idToken())).status).toBe(200)
    stack.idp.rotate()
    // Just asked: an unknown key id does not make us ask again at once.
    const asked = stack.idp.asked.length
    expect(await exchange(await idToken())).toMatchObject(REFUSED)
    expect(stack.idp.asked.length).toBe(asked)
    stack.clock.advance(31_000)
    expect((await exchange(await idToken())).status).toBe(200)
  })

  test('must be of the tenant’s organisation where an issuer serves many', async () => {
    const found = await stack.call('GET', CONNECTION)
    const change = (settings: Claims) => stack.call('PATCH', CONNECTION, settings)
    expect((await change({ tid: 'acme-org' })).status, JSON.stringify(found.body)).toBe(200)
    expect(await exchange(await idToken())).toMatchObject(REFUSED)
    expect(await exchange(await idToken({ tid: 'other-org' }))).toMatchObject(REFUSED)
    expect((await exchange(await idToken({ tid: 'acme-org' }))).status).toBe(200)
    await change({ tid: null })
  })

  test('of a disabled connection or person is not exchanged', async () => {
    await stack.call('PATCH', CONNECTION, { status: 'disabled' })
    expect(await exchange(await idToken())).toMatchObject(REFUSED)
    await stack.call('PATCH', CONNECTION, { status: 'active' })
    const token = await idToken({ sub: 'mallory', email: 'mallory@acme.example' })
    const userId = decodeJwt(String((await exchange(token)).body['access_token'])).sub
    const disabled = await fetch(`${stack.httpUrl}/v1/tenants/acme/users/${userId}`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${await tokenOf(stack, acme)}`, 'content-type': 'application/json' },
      body: JSON.stringify({ status: 'disabled' }),
    })
    expect(disabled.status, await disabled.text()).toBe(200)
    expect(await exchange(token)).toMatchObject(REFUSED)
  })

  // Else whoever kept an ID token would come back in just after everybody was put out.
  test('of before somebody was signed out everywhere brings nobody back', async () => {
    const person = { sub: 'edith', email: 'edith@acme.example' }
    const old = await idToken(person)
    const userId = decodeJwt(String((await exchange(old)).body['access_token'])).sub
    stack.clock.advance(1_000)
    const ended = await stack.call('DELETE', `/v1/tenants/acme/users/${userId}/sessions`)
    expect(ended.status, JSON.stringify(ended.body)).toBe(204)
    expect(await exchange(old)).toMatchObject(REFUSED)
    stack.clock.advance(10_000)
    expect((await exchange(await idToken(person))).status).toBe(200)
    const beforeAll = await idToken(person)
    stack.clock.advance(1_000)
    const all = await stack.call('DELETE', '/v1/tenants/acme/sessions')
    expect(all.status, JSON.stringify(all.body)).toBe(204)
    stack.clock.advance(10_000)
    expect(await exchange(beforeAll)).toMatchObject(REFUSED)
    expect((await exchange(await idToken(person))).status).toBe(200)
  })

  test('of a provider that has been down for an hour is a matter of later', async () => {
    const token = await idToken()
    expect((await exchange(token)).status).toBe(200)
    stack.idp.faults.set('/jwks', 'down')
    stack.clock.advance(3_500_000)
    expect((await exchange(await idToken())).status).toBe(200)
    stack.clock.advance(200_000)
    const answered = await exchange(await idToken())
    expect(answered.status).toBe(503)
    expect(answered.headers.get('retry-after')).not.toBeNull()
    expect(answered.body['error']).toBe('temporarily_unavailable')
  })
})

import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  authorizeUrl,
  begin,
  browse,
  CALLBACK,
  CONNECTION,
  callbackUrl,
  redeem,
  type SignOnStack,
  signIn,
  startSignOn,
} from './support/sign-on.ts'
import { pushFact } from './support/tenant-facts.ts'

let stack: SignOnStack
beforeAll(async () => {
  stack = await startSignOn()
}, 60_000)
afterAll(() => stack?.close())
beforeEach(() => {
  // Each test has the rate of a second of its own.
  stack.clock.advance(1_000)
  Object.assign(stack.idp, { claims: {}, header: {}, userinfo: {} })
  stack.idp.faults.clear()
  stack.idp.rotate()
})

test('a sign-in ends with a code, the state of the client, and who answers', async () => {
  const ended = await signIn(stack)

  expect(ended.status).toBe(302)
  expect(ended.location?.startsWith(`${CALLBACK}&code=dco_`)).toBe(true)
  expect(Object.fromEntries(ended.parameters)).toMatchObject({
    keep: '1',
    state: 'client-state',
    iss: 'https://api.energent.test',
  })
  const tokens = await redeem(stack, ended.parameters.get('code'))
  expect(tokens.status, JSON.stringify(tokens.body)).toBe(200)
  expect(decodeJwt(String(tokens.body['access_token']))).toMatchObject({
    tenant: 'acme',
    scope: 'tenant:read',
    roles: ['developer', 'viewer'],
    client_id: stack.clientId,
  })
})

test('the cookie is bound to the host, kept from scripts and other sites, and short-lived', async () => {
  const { setCookie } = await begin(stack)

  expect(setCookie).toMatch(
    /^__Host-flow=[A-Za-z0-9_-]{43}; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax; Secure$/,
  )
})

test('towards the provider it is our own state, nonce and PKCE, and nothing of the client', async () => {
  const { location } = await begin(stack, {
    nonce: 'client-nonce',
    login_hint: 'ada@acme.example',
    max_age: '60',
  })
  const sent = new URL(location ?? '').searchParams

  expect(location?.startsWith(`${stack.idp.issuer}/authorize?`)).toBe(true)
  expect(sent.get('redirect_uri')).toBe('https://api.energent.test/sso/acme/con_main/callback')
  expect(sent.get('code_challenge_method')).toBe('S256')
  expect(sent.get('login_hint')).toBe('ada@acme.example')
  expect(sent.get('max_age')).toBe('60')
  for (const theirs of ['client-state', 'client-nonce', 'app.example']) expect(location).not.toContain(theirs)
})

test('what the store holds of a sign-in opens nothing: neither nonce nor verifier nor cookie', async () => {
  const { answer, cookie, location } = await begin(stack)
  await browse(callbackUrl(stack, answer), cookie)
  const stored = JSON.stringify(stack.firestore.dump('tenants/acme/auth_flows'))
  const verifier = stack.idp.forms.at(-1)?.get('code_verifier') ?? ''

  expect(verifier).toHaveLength(43)
  for (const secret of [
    verifier,
    answer.state,
    cookie.split('=')[1],
    new URL(location ?? '').searchParams.get('nonce'),
  ]) {
    expect(stored).not.toContain(secret)
  }
})

describe('before the redirect URI is proven, nobody is sent anywhere', () => {
  test.each<[string, Record<string, string | undefined>]>([
    ['no client', { client_id: undefined }],
    ['an unknown client', { client_id: 'cid_acme_0000000000000000' }],
    ['a client of a tenant that is not there', { client_id: 'cid_nobody_0000000000000000' }],
    ['something that is no client id', { client_id: '../../etc' }],
    ['no redirect URI', { redirect_uri: undefined }],
    ['another host', { redirect_uri: 'https://evil.example/callback?keep=1' }],
    ['another path', { redirect_uri: 'https://app.example/callback/../evil?keep=1' }],
    ['another query', { redirect_uri: 'https://app.example/callback?keep=1&next=https://evil.example' }],
    ['another case', { redirect_uri: 'https://APP.example/callback?keep=1' }],
    ['a default port', { redirect_uri: 'https://app.example:443/callback?keep=1' }],
    ['user information', { redirect_uri: 'https://app.example@evil.example/callback?keep=1' }],
    ['a fragment', { redirect_uri: `${CALLBACK}#x` }],
    ['a prefix', { redirect_uri: 'https://app.example/callback' }],
    ['a script', { redirect_uri: 'javascript:alert(1)' }],
    ['a line break', { redirect_uri: `${CALLBACK}\r\nset-cookie: a=b` }],
    ['white space', { redirect_uri: ` ${CALLBACK}` }],
    ['loopback by name', { redirect_uri: 'http://localhost:5000/native' }],
    ['another loopback path', { redirect_uri: 'http://127.0.0.1:5000/other' }],
    ['loopback with user information', { redirect_uri: 'http://127.0.0.1:80@evil.example/native' }],
    ['loopback with a port that is none', { redirect_uri: 'http://127.0.0.1:99999/native' }],
    ['https loopback', { redirect_uri: 'https://127.0.0.1:5000/native' }],
    ['a state longer than we give back', { state: 'x'.repeat(513) }],
    ['a state that is no text', { state: 'a\u0000b' }],
  ])('%s', async (_what, more) => {
    const answer = await browse(authorizeUrl(stack, more))

    expect(answer.status).toBe(400)
    expect(answer.location).toBe(null)
    expect(answer.setCookie).toBeUndefined()
    expect(answer.headers.get('content-type')).toContain('text/html')
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.page).not.toMatch(/evil|<script|client-state|app\.example/)
  })

  test('a parameter sent twice, whichever of the two is right', async () => {
    for (const extra of [
      '&redirect_uri=https://evil.example',
      `&client_id=${stack.clientId}`,
      '&scope=openid',
    ]) {
      const answer = await browse(authorizeUrl(stack) + extra)
      expect([answer.status, answer.location]).toEqual([400, null])
    }
  })

  test('an unknown, a disabled and a foreign client read alike', async () => {
    const pages = await Promise.all(
      ['cid_acme_0000000000000000', 'cid_nobody_0000000000000000', 'nonsense'].map(async (client_id) => {
        const { page, status } = await browse(authorizeUrl(stack, { client_id }))
        return `${status} ${page}`
      }),
    )
    expect(new Set(pages).size).toBe(1)
  })
})

describe('a proven redirect URI hears of errors, with state and issuer', () => {
  test.each<[string, string, Record<string, string | undefined>]>([
    ['no PKCE', 'invalid_request', { code_challenge: undefined, code_challenge_method: undefined }],
    ['plain PKCE', 'invalid_request', { code_challenge_method: 'plain' }],
    ['PKCE without a method', 'invalid_request', { code_challenge_method: undefined }],
    ['a challenge that is none', 'invalid_request', { code_challenge: 'abc' }],
    ['no response type', 'invalid_request', { response_type: undefined }],
    ['implicit', 'unsupported_response_type', { response_type: 'token' }],
    ['hybrid', 'unsupported_response_type', { response_type: 'code id_token' }],
    ['a request object', 'request_not_supported', { request: 'e30.e30.' }],
    ['a request by reference', 'request_uri_not_supported', { request_uri: 'https://evil.example/r' }],
    ['another response mode', 'invalid_request', { response_mode: 'fragment' }],
    ['an unknown scope', 'invalid_scope', { scope: 'openid everything' }],
    ['a scope of operators', 'invalid_scope', { scope: 'platform:tenants' }],
    ['a scope that the client has not', 'invalid_scope', { scope: 'users:manage' }],
    ['another resource', 'invalid_target', { resource: 'https://elsewhere.example' }],
    ['none beside login', 'invalid_request', { prompt: 'none login' }],
    ['an unknown prompt', 'invalid_request', { prompt: 'create' }],
    ['a negative age', 'invalid_request', { max_age: '-1' }],
    ['an age that is no number', 'invalid_request', { max_age: '1e9' }],
    ['a connection that is not there', 'invalid_request', { connection: 'con_other' }],
    ['a connection that is no id', 'invalid_request', { connection: '../con_main' }],
    ['a key thumbprint that is none', 'invalid_request', { dpop_jkt: 'x' }],
    ['a nonce that is too long', 'invalid_request', { nonce: 'n'.repeat(257) }],
    ['a hint with a line break', 'invalid_request', { login_hint: 'a\r\nb' }],
  ])('%s: %s', async (_what, error, more) => {
    const answer = await browse(authorizeUrl(stack, more))

    expect(answer.status).toBe(302)
    expect(answer.location?.startsWith(`${CALLBACK}&error=${error}&`)).toBe(true)
    expect(answer.parameters.get('state')).toBe('client-state')
    expect(answer.parameters.get('iss')).toBe('https://api.energent.test')
    expect(answer.setCookie).toBeUndefined()
  })

  test('a native application may listen on any port of its loopback address', async () => {
    for (const redirect_uri of ['http://127.0.0.1:49152/native', 'http://127.0.0.1/native']) {
      expect((await browse(authorizeUrl(stack, { redirect_uri }))).location).toContain(stack.idp.issuer)
    }
  })
})

describe('an answer that cannot be trusted signs nobody in, and the client hears nothing', () => {
  const expectRefused = (answer: Awaited<ReturnType<typeof browse>>): void => {
    expect(answer.status).toBe(400)
    expect(answer.location).toBe(null)
    expect(answer.headers.get('content-type')).toContain('text/html')
    expect(answer.page).toContain('callback.invalid')
  }

  test.each<[string, (idp: SignOnStack['idp']) => void]>([
    ['another nonce', (idp) => (idp.claims = { nonce: 'other' })],
    ['no nonce', (idp) => (idp.claims = { nonce: undefined })],
    ['another issuer', (idp) => (idp.claims = { iss: 'https://evil.example' })],
    ['the issuer with a slash', (idp) => (idp.claims = { iss: `${idp.issuer}/` })],
    ['another audience', (idp) => (idp.claims = { aud: 'somebody-else' })],
    ['two audiences and no authorized party', (idp) => (idp.claims = { aud: ['us', 'other'] })],
    ['another authorized party', (idp) => (idp.claims = { aud: ['us', 'other'], azp: 'other' })],
    ['no subject', (idp) => (idp.claims = { sub: undefined })],
    ['a subject that is too long', (idp) => (idp.claims = { sub: 's'.repeat(256) })],
    ['a subject that is no text', (idp) => (idp.claims = { sub: 7 })],
    ['expired', (idp) => (idp.claims = { exp: 1 })],
    ['no expiry', (idp) => (idp.claims = { exp: undefined })],
    ['an expiry that is no number', (idp) => (idp.claims = { exp: '9999999999' })],
    ['issued in the future', (idp) => (idp.claims = { iat: Math.floor(stack.clock.now() / 1000) + 60 })],
    ['issued long ago', (idp) => (idp.claims = { iat: Math.floor(stack.clock.now() / 1000) - 3600 })],
    ['not valid yet', (idp) => (idp.claims = { nbf: Math.floor(stack.clock.now() / 1000) + 600 })],
    [
      'signed in in the future',
      (idp) => (idp.claims = { auth_time: Math.floor(stack.clock.now() / 1000) + 600 }),
    ],
    ['a key that is not published', (idp) => idp.forge()],
    ['a key id that is not published', (idp) => (idp.header = { kid: 'other' })],
    ['a key in the header', (idp) => (idp.header = { jwk: {} })],
    ['a key by reference', (idp) => (idp.header = { jku: 'https://evil.example/jwks' })],
    ['an invalid grant', (idp) => idp.faults.set('/token', 'invalid_grant')],
  ])('%s', async (_what, arrange) => {
    arrange(stack.idp)

    expectRefused(await signIn(stack))
  })

  test('an ID token without a signature, or signed with what everybody knows', async () => {
    const seconds = Math.floor(stack.clock.now() / 1000)
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    for (const alg of ['none', 'HS256', 'RS256']) {
      const begun = await begin(stack)
      const nonce = new URL(begun.location ?? '').searchParams.get('nonce')
      const claims = { iss: stack.idp.issuer, aud: 'us', sub: 'ada', iat: seconds, exp: seconds + 60, nonce }
      const token = `${part({ alg })}.${part(claims)}.${alg === 'none' ? '' : 'AAAA'}`
      stack.idp.idToken = token
      const ended = await browse(callbackUrl(stack, begun.answer), begun.cookie)
      stack.idp.idToken = undefined
      expectRefused(ended)
    }
  })

  test('the same answer again', async () => {
    const { answer, cookie } = await begin(stack)
    expect((await browse(callbackUrl(stack, answer), cookie)).status).toBe(302)

    expectRefused(await browse(callbackUrl(stack, answer), cookie))
  })

  test('of many copies at once one signs in', async () => {
    const { answer, cookie } = await begin(stack)
    const all = await Promise.all(Array.from({ length: 8 }, () => browse(callbackUrl(stack, answer), cookie)))

    // A second use of its code makes a provider take back what the first one got.
    expect(stack.idp.forms.filter((form) => form.get('code') === answer.code)).toHaveLength(1)
    expect(all.filter(({ status }) => status === 302)).toHaveLength(1)
    expect(all.filter(({ status }) => status === 400)).toHaveLength(7)
  })

  test('a failed answer ends the sign-in: a better one afterwards comes too late', async () => {
    const { answer, cookie } = await begin(stack)
    stack.idp.claims = { nonce: 'other' }
    expectRefused(await browse(callbackUrl(stack, answer), cookie))
    stack.idp.claims = {}

    expectRefused(await browse(callbackUrl(stack, answer), cookie))
  })

  // Log-in CSRF: the attacker's own answer, in the victim's browser.
  test('in another browser, in one with another sign-in, or without a cookie', async () => {
    const attacker = await begin(stack)
    const victim = await begin(stack)
    const url = callbackUrl(stack, attacker.answer)

    expectRefused(await browse(url))
    expectRefused(await browse(url, victim.cookie))
    expectRefused(await browse(url, `flow=${attacker.cookie.split('=')[1]}`))
    expectRefused(await browse(url, `${attacker.cookie}; ${victim.cookie}`))
    expect((await browse(url, attacker.cookie)).status).toBe(302)
  })

  test('with the state of one sign-in and the code of another', async () => {
    const first = await begin(stack)
    const second = await begin(stack, {}, first.cookie)

    expectRefused(
      await browse(callbackUrl(stack, { state: first.answer.state, code: second.answer.code }), first.cookie),
    )
  })

  test('after ten minutes', async () => {
    const { answer, cookie } = await begin(stack)
    stack.clock.advance(600_000)

    expectRefused(await browse(callbackUrl(stack, answer), cookie))
  })

  test.each<[string, Record<string, string>]>([
    ['no state', { code: 'c' }],
    ['a state nobody made', { code: 'c', state: 'A'.repeat(43) }],
    ['neither code nor error', { state: 'A'.repeat(43) }],
    ['code and error', { code: 'c', error: 'access_denied', state: 'A'.repeat(43) }],
  ])('%s', async (_what, answer) => {
    const { cookie } = await begin(stack)

    expectRefused(await browse(callbackUrl(stack, answer), cookie))
  })

  test('from another issuer than the connection’s (RFC 9207)', async () => {
    const { answer, cookie } = await begin(stack)

    expectRefused(await browse(callbackUrl(stack, { ...answer, iss: 'https://evil.example' }), cookie))
  })

  test('tricks with the ids in the path are no ids', async () => {
    const { answer, cookie } = await begin(stack)
    for (const path of [
      'ACME/con_main',
      'acme%2f/con_main',
      'acme/con_main%00',
      'acme/CON_main',
      'acme/con_main%2e',
      '%61cme%20/con_main',
      'аcme/con_main',
      'acme/con_mаin',
      '..%2facme/con_main',
      'platform/con_main',
      'acme/__proto__',
    ]) {
      const ended = await browse(callbackUrl(stack, answer, path), cookie)
      expect([400, 404], path).toContain(ended.status)
      expect(ended.location).toBe(null)
    }
    expect((await browse(callbackUrl(stack, answer), cookie)).status).toBe(302)
  })
})

describe('mix-up between two connections', () => {
  test('an answer at another connection’s address is refused, whoever sent it', async () => {
    const made = await stack.call('POST', '/v1/tenants/acme/connections', {
      connectionId: 'con_second',
      issuer: stack.idp.issuer,
      clientId: 'us',
    })
    expect(made.status).toBe(201)
    const begun = await begin(stack, { connection: 'con_main' })

    const mixed = await browse(callbackUrl(stack, begun.answer, 'acme/con_second'), begun.cookie)

    expect([mixed.status, mixed.location]).toEqual([400, null])
    expect(stack.idp.forms.filter((form) => form.get('code') === begun.answer.code)).toEqual([])
    expect((await stack.call('DELETE', '/v1/tenants/acme/connections/con_second')).status).toBe(204)
  })

  test('a provider that names itself in its answers must do so each time', async () => {
    stack.idp.metadata = { authorization_response_iss_parameter_supported: true }
    expect((await stack.call('PATCH', CONNECTION, { defaultRoles: ['viewer'] })).status).toBe(200)
    const [bare, named] = [await begin(stack), await begin(stack)]

    expect((await browse(callbackUrl(stack, bare.answer), bare.cookie)).status).toBe(400)
    const ended = await browse(callbackUrl(stack, { ...named.answer, iss: stack.idp.issuer }), named.cookie)
    expect(ended.status).toBe(302)

    stack.idp.metadata = {}
    await stack.call('PATCH', CONNECTION, { defaultRoles: ['viewer'] })
  })
})

describe('what the provider cannot do, the client is told', () => {
  test.each<[string, string, Record<string, string>]>([
    ['nobody is signed in', 'login_required', { error: 'login_required' }],
    ['a person would have to do something', 'login_required', { error: 'interaction_required' }],
    ['the person cancels', 'access_denied', { error: 'access_denied' }],
    ['it is down', 'temporarily_unavailable', { error: 'server_error' }],
    ['it says something of its own', 'temporarily_unavailable', { error: 'whatever<script>' }],
  ])('%s: %s', async (_what, error, answer) => {
    const begun = await begin(stack, { prompt: 'none' })

    const ended = await browse(callbackUrl(stack, { state: begun.answer.state, ...answer }), begun.cookie)

    expect(ended.location?.startsWith(`${CALLBACK}&error=${error}&`)).toBe(true)
    expect(ended.parameters.get('state')).toBe('client-state')
    expect(ended.location).not.toContain('whatever')
  })

  test.each<[string, string, 'down' | 'slow' | number | string]>([
    ['does not answer', '/token', 'down'],
    ['answers too late', '/token', 'slow'],
    ['fails', '/token', 503],
    ['does not know us', '/token', 'invalid_client'],
    ['shows no keys', '/jwks', 'down'],
  ])('it %s: temporarily_unavailable', async (_what, path, fault) => {
    stack.idp.faults.set(path, fault)

    const ended = await signIn(stack)

    expect(ended.location?.startsWith(`${CALLBACK}&error=temporarily_unavailable&`)).toBe(true)
  })

  test('a sign-in that is older than asked for, or of another kind', async () => {
    stack.idp.claims = { auth_time: Math.floor(stack.clock.now() / 1000) - 3600 }
    expect((await signIn(stack, { max_age: '60' })).status).toBe(400)
    stack.idp.claims = { auth_time: undefined }
    expect((await signIn(stack, { max_age: '60' })).status).toBe(400)
    stack.idp.claims = { acr: 'password' }
    const weak = await signIn(stack, { acr_values: 'phishing-resistant hardware' })
    expect(weak.parameters.get('error')).toBe('unmet_authentication_requirements')
    stack.idp.claims = { acr: 'hardware', amr: ['hwk', 'pin'] }
    const strong = await signIn(stack, { acr_values: 'phishing-resistant hardware' })
    const tokens = await redeem(stack, strong.parameters.get('code'))
    expect(decodeJwt(String(tokens.body['access_token']))).toMatchObject({
      acr: 'hardware',
      amr: ['hwk', 'pin'],
    })
  })

  test('a sign-in of which nobody knows when it was counts as long ago, unless a new one was asked for', async () => {
    stack.idp.claims = { auth_time: undefined }
    const authTimeOf = async (more: Record<string, string>): Promise<unknown> => {
      const tokens = await redeem(stack, (await signIn(stack, more)).parameters.get('code'))
      return decodeJwt(String(tokens.body['access_token']))['auth_time']
    }

    expect(await authTimeOf({})).toBe(0)
    expect(await authTimeOf({ prompt: 'login' })).toBe(Math.floor(stack.clock.now() / 1000))
  })

  test('a person without a role for what was asked for', async () => {
    stack.idp.claims = { sub: 'eve', groups: [] }

    const ended = await signIn(stack, { scope: 'usage:write' })

    expect(ended.parameters.get('error')).toBe('access_denied')
  })
})

test('a key that the provider has just begun to use is known, and the one it took back is not', async () => {
  expect((await signIn(stack)).status).toBe(302)
  stack.idp.rotate()
  expect((await signIn(stack)).parameters.get('code')).toMatch(/^dco_/)
})

test('one who signs in again is the same person; one with the same address and another subject is not', async () => {
  const subjectOf = async (claims: Record<string, unknown>): Promise<unknown> => {
    stack.idp.claims = claims
    const ended = await signIn(stack)
    const tokens = await redeem(stack, ended.parameters.get('code'))
    return decodeJwt(String(tokens.body['access_token'])).sub
  }
  const first = await subjectOf({ sub: 'grace', email: 'grace@acme.example' })

  expect(await subjectOf({ sub: 'grace', email: 'new@acme.example' })).toBe(first)
  expect(await subjectOf({ sub: 'mallory', email: 'grace@acme.example' })).not.toBe(first)
})

test('two sign-ins of one browser at once both end well', async () => {
  const first = await begin(stack)
  const second = await begin(stack, { state: 'second' }, first.cookie)
  expect(second.cookie).toBe(first.cookie)

  expect((await browse(callbackUrl(stack, second.answer), first.cookie)).parameters.get('state')).toBe(
    'second',
  )
  expect((await browse(callbackUrl(stack, first.answer), first.cookie)).parameters.get('code')).toMatch(
    /^dco_/,
  )
})

test('a client or connection that is gone meanwhile ends the sign-in', async () => {
  const begun = await begin(stack)
  expect((await stack.call('PATCH', CONNECTION, { status: 'disabled' })).status).toBe(200)
  expect((await browse(callbackUrl(stack, begun.answer), begun.cookie)).status).toBe(400)
  expect((await browse(authorizeUrl(stack))).parameters.get('error')).toBe('invalid_request')

  expect((await stack.call('PATCH', CONNECTION, { status: 'active' })).status).toBe(200)
  expect((await signIn(stack)).parameters.get('code')).toMatch(/^dco_/)
})

test('a tenant whose tier has no single sign-on any more, or that is gone, signs nobody in', async () => {
  const begun = await begin(stack)
  await pushFact(stack, 'acme', 'tier-changed', 10, { tier: 'standard' })
  stack.clock.advance(3_000)
  expect((await browse(authorizeUrl(stack))).parameters.get('error')).toBe('invalid_request')
  await pushFact(stack, 'acme', 'purge-started', 11, { tier: 'enterprise' })
  stack.clock.advance(3_000)

  expect((await browse(authorizeUrl(stack))).status).toBe(400)
  expect((await browse(callbackUrl(stack, begun.answer), begun.cookie)).status).toBe(400)
})

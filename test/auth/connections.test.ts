import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { manage, tokenOf } from './support/auth-stack.ts'
import {
  begin,
  browse,
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
  await pushFact(stack, 'globex', 'activated', 1, { tier: 'premium' })
  await pushFact(stack, 'initech', 'activated', 1, { tier: 'standard' })
}, 60_000)
afterAll(() => stack?.close())
beforeEach(() => {
  stack.clock.advance(1_000)
  Object.assign(stack.idp, { claims: {}, header: {}, metadata: {}, userinfo: {} })
  stack.idp.faults.clear()
})

const CONNECTIONS = '/v1/tenants/acme/connections'
const settings = (more: object = {}) => ({ issuer: stack.idp.issuer, clientId: 'us', ...more })
const tryIssuer = (issuer: string, more: object = {}) =>
  stack.call('POST', CONNECTIONS, { ...settings(), issuer, ...more })

describe('a connection', () => {
  test('is shown with what to register at the provider, and never with its secret', async () => {
    const shown = await stack.call('GET', CONNECTION)

    expect(shown.status).toBe(200)
    expect(shown.headers.get('etag')).toBe(`"${String(shown.body['revision'])}"`)
    expect(shown.body).toMatchObject({
      connectionId: 'con_main',
      hasClientSecret: true,
      callbackUri: 'https://api.energent.test/sso/acme/con_main/callback',
      backchannelLogoutUri: 'https://api.energent.test/sso/acme/con_main/backchannel-logout',
    })
    const everything =
      JSON.stringify(stack.firestore.dump('')) + stack.logLines.join() + JSON.stringify(stack.published)
    expect(JSON.stringify(shown.body) + everything).not.toContain('the-provider-knows')
  })

  test('is made once for an Idempotency-Key', async () => {
    const headers = { 'idempotency-key': 'once' }
    const first = await stack.call('POST', CONNECTIONS, settings(), headers)
    const again = await stack.call('POST', CONNECTIONS, settings(), headers)

    expect([first.status, again.status]).toEqual([201, 200])
    expect(again.body).toEqual(first.body)
    expect(first.headers.get('location')).toBe(`${CONNECTIONS}/${String(first.body['connectionId'])}`)
    await stack.call('DELETE', `${CONNECTIONS}/${String(first.body['connectionId'])}`)
  })

  test('changes only from the revision that its ETag names', async () => {
    const etag = (await stack.call('GET', CONNECTION)).headers.get('etag') ?? ''
    const change = { claimMap: { groups: 'groups' } }

    expect((await stack.call('PATCH', CONNECTION, change, { 'if-match': etag })).status).toBe(200)
    expect((await stack.call('PATCH', CONNECTION, change, { 'if-match': etag })).status).toBe(412)
  })

  // A `sub` is unique within its issuer alone: another one could claim to be anybody here.
  test('never changes its issuer, and what was deleted never comes back under its id', async () => {
    expect((await stack.call('PATCH', CONNECTION, { issuer: 'https://other.example' })).status).toBe(400)
    const made = await stack.call('POST', CONNECTIONS, settings({ connectionId: 'con_gone' }))
    expect(made.status).toBe(201)
    expect((await stack.call('DELETE', `${CONNECTIONS}/con_gone`)).status).toBe(204)

    expect((await stack.call('GET', `${CONNECTIONS}/con_gone`)).status).toBe(404)
    expect((await stack.call('DELETE', `${CONNECTIONS}/con_gone`)).status).toBe(404)
    const again = await stack.call('POST', CONNECTIONS, settings({ connectionId: 'con_gone' }))
    expect([again.status, again.body['code']]).toEqual([409, 'connection.id_taken'])
  })

  test('says on auth-facts what happened to it, and in the audit who did it', async () => {
    const made = await stack.call('POST', CONNECTIONS, settings({ connectionId: 'con_told' }))
    expect(made.status).toBe(201)
    await stack.call('PATCH', `${CONNECTIONS}/con_told`, { status: 'disabled' })
    await stack.call('DELETE', `${CONNECTIONS}/con_told`)

    const told = stack.published
      .map((message) => JSON.parse(Buffer.from(message.data).toString()) as { type: string; data: object })
      .filter(({ type }) => type === 'ai.energent.auth.sso-connection-changed.v1')
      .map(({ data }) => data)
      .filter((data) => 'connectionId' in data && data.connectionId === 'con_told')
    expect(told.map((data) => ('change' in data ? data.change : ''))).toEqual([
      'created',
      'disabled',
      'deleted',
    ])
    const audit = JSON.stringify(stack.firestore.dump('tenantAudit/acme'))
    for (const action of ['created', 'disabled', 'deleted']) {
      expect(audit).toContain(`auth.connection.${action}`)
    }
  })

  test('is refused with a role that a provider must not give, or that the caller does not hold', async () => {
    for (const role of ['owner', 'platform_admin', 'Admin']) {
      const answer = await stack.call('POST', CONNECTIONS, settings({ groupRoles: [{ group: 'g', role }] }))
      expect([role, answer.status]).toEqual([role, 400])
    }
    const unknown = await stack.call('POST', CONNECTIONS, settings({ defaultRoles: ['nobody-made-this'] }))
    expect(unknown.status).toBeGreaterThanOrEqual(400)
    const narrow = await stack.call('POST', '/v1/tenants/acme/clients', {
      scopes: ['sso:manage', 'tenant:read', 'usage:read'],
    })
    const token = await tokenOf(stack, narrow.body as { clientId: string; clientSecret: string })
    const asNarrow = (role: string) =>
      manage(stack, token, CONNECTIONS, settings({ groupRoles: [{ group: 'g', role }], defaultRoles: [] }))
    expect((await asNarrow('admin')).status).toBe(403)
    const allowed = await asNarrow('viewer')
    expect(allowed.status).toBe(201)
    const { connectionId } = (await allowed.json()) as { connectionId: string }
    await stack.call('DELETE', `${CONNECTIONS}/${connectionId}`)
  })

  test('gives nobody else a role that the caller does not hold, whoever has it by the connection', async () => {
    const path = `${CONNECTIONS}/con_rules`
    const groupRoles = [{ group: 'bosses', role: 'admin' }]
    const made = settings({ connectionId: 'con_rules', groupRoles, defaultRoles: ['viewer'] })
    expect((await stack.call('POST', CONNECTIONS, made)).status).toBe(201)
    const scopes = ['sso:manage', 'tenant:read', 'usage:read']
    const narrow = await stack.call('POST', '/v1/tenants/acme/clients', { scopes })
    const token = await tokenOf(stack, narrow.body as { clientId: string; clientSecret: string })
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const change = async (body: object): Promise<number> =>
      (await fetch(`${stack.httpUrl}${path}`, { method: 'PATCH', headers, body: JSON.stringify(body) }))
        .status

    expect(await change({ defaultRoles: ['admin'] })).toBe(403)
    expect(await change({ groupRoles: [...groupRoles, { group: 'everybody', role: 'admin' }] })).toBe(403)
    expect(await change({ groupRoles: [] })).toBe(403)
    expect(await change({ claimMap: { groups: 'nickname' } })).toBe(403)
    expect(await change({ groupRoles, defaultRoles: [], claimMap: { name: 'nickname' } })).toBe(200)
    expect((await stack.call('DELETE', path)).status).toBe(204)
  })

  test.each<[string, object]>([
    ['a member nobody knows', { colour: 'red' }],
    ['an algorithm that is none', { algs: ['HS256'] }],
    ['none', { algs: ['none'] }],
    ['an id of another kind', { connectionId: 'con_A' }],
    ['a claim that reaches a prototype', { claimMap: { email: '__proto__' } }],
    ['a secret with a line break', { clientSecret: 'a\nb' }],
    ['a domain that is none', { domains: ['localhost'] }],
  ])('is refused with %s', async (_what, more) => {
    expect((await stack.call('POST', CONNECTIONS, settings(more))).status).toBe(400)
  })
})

describe('the tier', () => {
  test('decides whether there is single sign-on, before anything outside is called', async () => {
    const before = stack.idp.asked.length

    const connection = await stack.call('POST', '/v1/tenants/initech/connections', settings())
    const domain = await stack.call('POST', '/v1/tenants/initech/domains', { domain: 'initech.example' })

    expect([connection.status, connection.body['code']]).toEqual([403, 'tier.required'])
    expect([domain.status, domain.body['code']]).toEqual([403, 'tier.required'])
    expect(stack.idp.asked.length).toBe(before)
  })

  test('decides how many, also when many are asked for at once; a deleted one makes room', async () => {
    const path = '/v1/tenants/globex/connections'
    const all = await Promise.all(Array.from({ length: 5 }, () => stack.call('POST', path, settings())))

    expect(all.map(({ status }) => status).sort()).toEqual([201, 201, 409, 409, 409])
    const [one] = all.filter(({ status }) => status === 201)
    expect((await stack.call('DELETE', `${path}/${String(one?.body['connectionId'])}`)).status).toBe(204)
    expect((await stack.call('POST', path, settings())).status).toBe(201)
  })
})

describe('an issuer is refused', () => {
  test.each([
    'http://idp.example',
    'https://127.0.0.1',
    'https://[::ffff:10.0.0.1]',
    'https://169.254.169.254/latest',
    'https://metadata.google.internal',
    'https://user:pass@idp.example',
    'https://idp.example?x=1',
    'https://idp.example#x',
    'ftp://idp.example',
    'not a url',
    'https://nobody-there.example',
    '',
  ])('%s', async (issuer) => {
    const answer = await tryIssuer(issuer)
    expect(answer.status).toBe(400)
    expect(['issuer.invalid', 'request.malformed']).toContain(answer.body['code'])
  })

  test.each<[string, () => void]>([
    ['does not answer', () => stack.idp.faults.set('/.well-known/openid-configuration', 'down')],
    ['answers with a page', () => stack.idp.faults.set('/.well-known/openid-configuration', 'page')],
    ['fails', () => stack.idp.faults.set('/.well-known/openid-configuration', 500)],
    ['names another issuer', () => (stack.idp.metadata = { issuer: 'https://other.example' })],
    ['names itself with a slash', () => (stack.idp.metadata = { issuer: `${stack.idp.issuer}/` })],
    ['has no keys', () => (stack.idp.metadata = { jwks_uri: undefined })],
    ['has an endpoint without TLS', () => (stack.idp.metadata = { token_endpoint: 'http://idp.example/t' })],
    [
      'sends browsers to a script',
      () => (stack.idp.metadata = { authorization_endpoint: 'javascript:alert(1)' }),
    ],
    ['has no code flow', () => (stack.idp.metadata = { response_types_supported: ['id_token'] })],
    [
      'signs with a shared secret',
      () => (stack.idp.metadata = { id_token_signing_alg_values_supported: ['HS256'] }),
    ],
  ])('that %s', async (_what, arrange) => {
    arrange()
    const answer = await tryIssuer(stack.idp.issuer)
    expect([answer.status, answer.body['code']]).toEqual([400, 'issuer.invalid'])
  })

  test('that serves many organisations, unless one is named', async () => {
    const answer = await tryIssuer('https://accounts.google.com')
    expect([answer.status, answer.body['code']]).toEqual([400, 'issuer.invalid'])
    expect(String(answer.body['detail'])).toContain('hd')
  })

  test('a connection can be disabled while its provider is down', async () => {
    stack.idp.faults.set('/.well-known/openid-configuration', 'down')
    expect((await stack.call('PATCH', CONNECTION, { status: 'disabled' })).status).toBe(200)
    stack.idp.faults.clear()
    expect((await stack.call('PATCH', CONNECTION, { status: 'active' })).status).toBe(200)
  })
})

test('people of another organisation at the same provider are nobody here', async () => {
  await stack.call('PATCH', CONNECTION, { tid: 'tenant-1', hd: 'acme.example' })
  for (const claims of [
    {},
    { tid: 'tenant-2', hd: 'acme.example' },
    { tid: 'tenant-1', hd: 'evil.example' },
  ]) {
    stack.idp.claims = claims
    expect((await signIn(stack)).status).toBe(400)
  }
  stack.idp.claims = { tid: 'tenant-1', hd: 'acme.example' }
  expect((await signIn(stack)).parameters.get('code')).toMatch(/^dco_/)
  await stack.call('PATCH', CONNECTION, { tid: null, hd: null })
})

describe('domains', () => {
  const DOMAINS = '/v1/tenants/acme/domains'
  const claim = (domain: string, path = DOMAINS) => stack.call('POST', path, { domain })
  const record = (body: Record<string, unknown>) => body['txtRecord'] as { name: string; value: string }

  test('a domain is proven by its record, and then sends its people to its connection', async () => {
    const claimed = await claim('Acme.Example')
    const { domainId } = claimed.body
    expect(claimed.status).toBe(201)
    expect(record(claimed.body).name).toBe('_energent-challenge.acme.example')
    expect((await claim('acme.example')).body).toEqual(claimed.body)
    const verify = () => stack.call('POST', `${DOMAINS}/${String(domainId)}/verify`)

    const early = await verify()
    expect([early.status, early.body['code']]).toEqual([409, 'domain.unproven'])
    stack.txt.set('_energent-challenge.acme.example', ['other', `${record(claimed.body).value}x`])
    expect((await verify()).status).toBe(409)
    const unproven = await stack.call('PATCH', CONNECTION, { domains: ['acme.example'] })
    expect([unproven.status, unproven.body['code']]).toEqual([409, 'domain.unproven'])

    stack.txt.set('_energent-challenge.acme.example', ['other', record(claimed.body).value])
    expect((await verify()).body).toMatchObject({ status: 'proven', txtRecord: null })
    expect((await verify()).status).toBe(200)
    expect((await stack.call('PATCH', CONNECTION, { domains: ['ACME.example'] })).status).toBe(200)
    await stack.call('POST', CONNECTIONS, settings({ connectionId: 'con_else' }))

    const begun = await begin(stack, { login_hint: 'Ada@ACME.example' })
    expect(begun.location).toContain('con_main')
    const undecided = await browse((await import('./support/sign-on.ts')).authorizeUrl(stack))
    expect(undecided.parameters.get('error')).toBe('invalid_request')
    await stack.call('DELETE', `${CONNECTIONS}/con_else`)
  })

  test('a domain belongs to one tenant, and a claim does not tell whether it is another’s', async () => {
    const mine = await claim('shared.example')
    const theirs = await claim('shared.example', '/v1/tenants/globex/domains')
    expect([mine.status, theirs.status]).toEqual([201, 201])
    stack.txt.set('_energent-challenge.shared.example', [record(mine.body).value, record(theirs.body).value])
    const verify = (tenant: string, body: Record<string, unknown>) =>
      stack.call('POST', `/v1/tenants/${tenant}/domains/${String(body['domainId'])}/verify`)

    const both = await Promise.all([verify('acme', mine.body), verify('globex', theirs.body)])

    expect(both.map(({ status }) => status).sort()).toEqual([200, 409])
    const lost = both.find(({ status }) => status === 409)
    expect(lost?.body['code']).toBe('domain.taken')
    expect(JSON.stringify(lost?.body)).not.toMatch(/acme|globex/)
  })

  test.each([
    'acme',
    'localhost',
    'acme.local',
    'acme.internal',
    '10.0.0.1',
    '0x7f.1',
    'co.uk',
    'github.io',
    'gmail.com',
    'acme.example.',
    '.acme.example',
    'ac me.example',
    'acme..example',
    '-acme.example',
    'acme.example/x',
    'acme@acme.example',
    'ａｃｍｅ.example',
    `${'a'.repeat(64)}.example`,
    `${'a.'.repeat(130)}example`,
  ])('%s is no domain of one organisation', async (domain) => {
    expect((await claim(domain)).status).toBe(400)
  })

  test('an international name is one name in both spellings', async () => {
    const [unicode, ascii] = [await claim('bücher.example'), await claim('XN--BCHER-KVA.example')]
    expect(unicode.body['domain']).toBe('xn--bcher-kva.example')
    expect(ascii.body['domainId']).toBe(unicode.body['domainId'])
  })

  // Any provider may claim any address: only for the tenant's own domain is it believed.
  test('an invitation is taken only with an address of a proven domain', async () => {
    const invite = (email: string) =>
      stack.call('POST', '/v1/tenants/acme/invitations', { email, role: 'owner' })
    const rolesOf = async (claims: Record<string, unknown>): Promise<unknown> => {
      stack.idp.claims = claims
      const ended = await signIn(stack)
      const tokens = await redeem(stack, ended.parameters.get('code'))
      const payload = String(tokens.body['access_token']).split('.')[1] ?? ''
      return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { roles: unknown }).roles
    }
    expect((await invite('boss@acme.example')).status).toBe(201)
    expect((await invite('boss@elsewhere.example')).status).toBe(201)

    expect(await rolesOf({ sub: 'a', email: 'boss@elsewhere.example' })).not.toContain('owner')
    expect(await rolesOf({ sub: 'b', email: 'boss@acme.example', email_verified: false })).not.toContain(
      'owner',
    )
    expect(await rolesOf({ sub: 'c', email: 'boss@acme.example', email_verified: 'true' })).not.toContain(
      'owner',
    )
    expect(await rolesOf({ sub: 'd', email: 'BOSS@acme.example' })).toContain('owner')
  })
})

test('claims that the ID token lacks are taken from userinfo, of the same person alone', async () => {
  stack.idp.claims = { sub: 'uma', email: undefined, groups: undefined, email_verified: undefined }
  stack.idp.userinfo = { sub: 'uma', email: 'uma@acme.example', groups: ['developer'], acr: 'forged' }
  const ended = await signIn(stack)
  const tokens = await redeem(stack, ended.parameters.get('code'))
  const claims = JSON.parse(
    Buffer.from(String(tokens.body['access_token']).split('.')[1] ?? '', 'base64url').toString(),
  )
  expect(claims.roles).toContain('developer')
  expect(claims.acr).not.toBe('forged')

  stack.idp.userinfo = { sub: 'somebody-else', email: 'boss@acme.example' }
  expect((await signIn(stack)).status).toBe(400)
  stack.idp.faults.set('/userinfo', 'down')
  expect((await signIn(stack)).parameters.get('error')).toBe('temporarily_unavailable')
})

describe('back-channel log-out', () => {
  const EVENT = { 'http://schemas.openid.net/event/backchannel-logout': {} }
  let number = 0
  const claimsOf = (more: object = {}) => {
    const seconds = Math.floor(stack.clock.now() / 1000)
    number += 1
    const fixed = { iss: stack.idp.issuer, aud: 'us', iat: seconds, exp: seconds + 120, jti: `out-${number}` }
    return { ...fixed, events: EVENT, sid: 'idp-session-1', ...more }
  }
  const post = (token: string, path = 'acme/con_main') =>
    fetch(`${stack.httpUrl}/sso/${path}/backchannel-logout`, {
      method: 'POST',
      body: new URLSearchParams({ logout_token: token }),
    })
  const logOut = async (more: object = {}, header: Record<string, unknown> = { typ: 'logout+jwt' }) =>
    post(await stack.idp.sign(claimsOf(more), header))
  const session = async (claims: Record<string, unknown>) => {
    stack.idp.claims = claims
    const ended = await signIn(stack)
    const tokens = await redeem(stack, ended.parameters.get('code'))
    const refresh = async (): Promise<number> => {
      const response = await fetch(`${stack.httpUrl}/oauth2/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'refresh_token',
          client_id: stack.clientId,
          refresh_token: String(tokens.body['refresh_token']),
        }),
      })
      await response.arrayBuffer()
      return response.status
    }
    return { refresh, tokens }
  }
  beforeEach(() => {
    // Keys are kept for five minutes; each test begins with those of the provider as it is now.
    stack.clock.advance(301_000)
  })

  test('by session ends that one, and no other of the person', async () => {
    const one = await session({ sub: 'lou', sid: 's1' })
    const other = await session({ sub: 'lou', sid: 's2' })

    expect((await logOut({ sid: 's1' })).status).toBe(200)

    expect(await one.refresh()).toBe(400)
    expect(await other.refresh()).toBe(200)
  })

  test('before the code was redeemed leaves nothing to redeem', async () => {
    stack.idp.claims = { sub: 'ivy', sid: 's0' }
    const ended = await signIn(stack)

    expect((await logOut({ sid: 's0' })).status).toBe(200)

    const tokens = await redeem(stack, ended.parameters.get('code'))
    expect([tokens.status, tokens.body['error']]).toEqual([400, 'invalid_grant'])
  })

  test('by person ends all of theirs', async () => {
    const all = [await session({ sub: 'max', sid: 's3' }), await session({ sub: 'max', sid: 's4' })]

    expect((await logOut({ sid: undefined, sub: 'max' })).status).toBe(200)

    expect(await Promise.all(all.map(({ refresh }) => refresh()))).toEqual([400, 400])
    expect((await logOut({ sid: undefined, sub: 'never-here' })).status).toBe(200)
  })

  test('sent again ends nothing that began since', async () => {
    const token = await stack.idp.sign(claimsOf({ sid: undefined, sub: 'zoe' }), { typ: 'logout+jwt' })
    await session({ sub: 'zoe', sid: 's8' })
    expect((await post(token)).status).toBe(200)
    stack.clock.advance(2_000)
    const { refresh } = await session({ sub: 'zoe', sid: 's9' })

    expect((await post(token)).status).toBe(400)

    expect(await refresh()).toBe(200)
  })

  test('counts once, and a token of another kind, client, time or key not at all', async () => {
    const token = await stack.idp.sign(claimsOf(), { typ: 'logout+jwt' })
    expect((await post(token)).status).toBe(200)
    expect((await post(token)).status).toBe(400)
    const { refresh } = await session({ sub: 'kim', sid: 's5' })
    const seconds = Math.floor(stack.clock.now() / 1000)
    const wrong: [object, Record<string, unknown>?][] = [
      [{ nonce: 'n' }],
      [{ events: {} }],
      [{ events: undefined }],
      [{ events: { 'http://schemas.openid.net/event/backchannel-logout': 'x' } }],
      [{ aud: 'other' }],
      [{ iss: 'https://evil.example' }],
      [{ jti: undefined }],
      [{ iat: seconds - 3600 }],
      [{ iat: seconds + 600 }],
      [{ exp: seconds - 60 }],
      [{ sid: undefined }],
      [{ sid: 7 }],
      [{}, { typ: 'at+jwt' }],
      [{}, { kid: 'other' }],
      [{}, { jwk: {} }],
    ]
    for (const [more, header] of wrong) {
      const answer = await logOut({ sid: 's5', ...more }, header)
      expect(answer.status, JSON.stringify(more)).toBe(400)
      expect(await answer.json()).toMatchObject({ error: 'invalid_request' })
    }
    for (const path of ['acme/con_none', 'globex/con_main', 'nobody/con_main']) {
      const answer = await post(await stack.idp.sign(claimsOf({ sid: 's5' })), path)
      expect([path, answer.status]).toEqual([path, 400])
    }
    stack.idp.forge()
    expect((await logOut({ sid: 's5' })).status).toBe(400)
    stack.idp.rotate()

    expect(await refresh()).toBe(200)
  })

  test('a connection that is disabled or deleted takes its sessions with it', async () => {
    const { refresh } = await session({ sub: 'ned', sid: 's6' })

    expect((await stack.call('PATCH', CONNECTION, { status: 'disabled' })).status).toBe(200)
    expect(await refresh()).toBe(400)
    expect((await stack.call('PATCH', CONNECTION, { status: 'active' })).status).toBe(200)
    const later = await session({ sub: 'ned', sid: 's7' })
    expect((await stack.call('DELETE', CONNECTION)).status).toBe(204)
    expect(await later.refresh()).toBe(400)
  })
})

test('the answer of a sign-in at a connection that was just deleted comes too late', async () => {
  const made = await stack.call('POST', CONNECTIONS, settings({ connectionId: 'con_last' }))
  expect(made.status).toBe(201)
  const begun = await begin(stack)
  await stack.call('DELETE', `${CONNECTIONS}/con_last`)

  const ended = await browse(callbackUrl(stack, begun.answer, 'acme/con_last'), begun.cookie)

  expect([ended.status, ended.location]).toEqual([400, null])
})

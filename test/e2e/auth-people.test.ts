import { decodeJwt } from 'jose'
import * as oidc from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { aBrowser, formAction } from '#local/demo/browser.ts'
import type { Answer } from '#local/stack/api-client.ts'
import { control, eventually, startTestStack, type TestStack } from './test-stack.ts'

const CALLBACK = 'http://127.0.0.1:1/callback'
const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp'

type Resource = Record<string, unknown> & { id: string; meta: { version: string; location: string } }

let stack: TestStack
let operator = ''
let key = ''
let acmeKey = ''
let owner = ''

beforeAll(async () => {
  stack = await startTestStack()
  operator = await stack.api().token(stack.info().operator)
  key = await apiKey('globex', ['scim'])
  acmeKey = await apiKey('acme', ['scim'])
  owner = (await signIn('owner', 'openid users:manage tenant:read')).access_token
}, 90_000)
afterAll(() => stack?.close())

async function apiKey(tenantId: string, scopes: string[]): Promise<string> {
  const made = await call('POST', `/v1/tenants/${tenantId}/api-keys`, operator, { name: 'directory', scopes })
  expect(made.status, JSON.stringify(made.body)).toBe(201)
  return String(made.body['key'])
}

function call(method: string, path: string, token: string, json?: unknown): Promise<Answer> {
  return stack.api().call(method, path, json === undefined ? { token } : { token, json })
}

/** What a directory sends, and what it gets. */
async function scim<T = Resource>(
  method: string,
  path: string,
  body?: unknown,
  more: { key?: string; tenant?: string; headers?: Record<string, string> } = {},
) {
  const { tenant = 'globex', key: with_ = key, headers = {} } = more
  const response = await fetch(`${stack.info().gatewayUrl}/scim/v2/${tenant}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${with_}`,
      ...(body === undefined ? {} : { 'content-type': 'application/scim+json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    body: (text === '' ? {} : JSON.parse(text)) as T,
  }
}
type List = { totalResults: number; Resources: Resource[]; startIndex: number; itemsPerPage: number }
const find = (filter: string, more = '') =>
  scim<List>('GET', `/Users?filter=${encodeURIComponent(filter)}${more}`)
const patch = (path: string, ...Operations: object[]) => scim('PATCH', path, { schemas: [PATCH], Operations })

let people = 0
/** Somebody new in the directory. */
async function provision(more: object = {}): Promise<Resource> {
  people += 1
  const userName = `person${people}@globex.example`
  const made = await scim('POST', '/Users', {
    userName,
    emails: [{ value: userName, primary: true }],
    ...more,
  })
  expect(made.status, JSON.stringify(made.body)).toBe(201)
  return made.body
}

/** What an application does to sign somebody in at globex's own provider. */
async function signIn(role: string, scope: string) {
  const globex = stack.info().tenants.find(({ tenantId }) => tenantId === 'globex')
  const login = globex?.users.find((user) => user.role === role)
  if (globex?.signOn === undefined || login === undefined) throw new Error('globex has no sign-on')
  const client = await oidc.discovery(
    new URL(stack.info().gatewayUrl),
    globex.signOn.clientId,
    undefined,
    oidc.None(),
    { execute: [oidc.allowInsecureRequests] },
  )
  const verifier = oidc.randomPKCECodeVerifier()
  const state = oidc.randomState()
  const url = oidc.buildAuthorizationUrl(client, {
    redirect_uri: CALLBACK,
    scope,
    state,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  })
  const browser = aBrowser()
  const form = await browser.follow(url.href, CALLBACK)
  const { login: name, password } = login
  const ended = await browser.follow(formAction(form), CALLBACK, { login: name, password })
  if (!ended.url.startsWith(CALLBACK)) throw new Error(`not signed in: ${ended.status}`)
  return oidc.authorizationCodeGrant(client, new URL(ended.url), {
    pkceCodeVerifier: verifier,
    expectedState: state,
  })
}
const loginOf = (role: string): string =>
  stack
    .info()
    .tenants.find(({ tenantId }) => tenantId === 'globex')
    ?.users.find((user) => user.role === role)?.login ?? ''

describe('a directory as Okta calls it', () => {
  test('looks, provisions, finds, replaces, deactivates and removes', async () => {
    const userName = 'Okta.User@globex.example'
    expect((await find(`userName eq "${userName}"`)).body).toMatchObject({ totalResults: 0, Resources: [] })
    const wanted = {
      schemas: ['urn:ietf:params:scim:schemas:core:2.0:User', ENTERPRISE],
      userName,
      externalId: '00u1',
      name: { givenName: 'Okta', familyName: 'User' },
      emails: [{ primary: true, value: userName, type: 'work' }],
      displayName: 'Okta User',
      locale: 'en-US',
      groups: [],
      password: '1mz050nq',
      active: true,
      [ENTERPRISE]: { department: 'Sales', manager: 'boss' },
    }

    const made = await scim('POST', '/Users', wanted)

    expect(made.status).toBe(201)
    expect(made.headers.get('content-type')).toBe('application/scim+json')
    expect(made.headers.get('location')).toBe(made.body.meta.location)
    expect(made.headers.get('etag')).toBe(made.body.meta.version)
    const { password: _unwanted, groups: _none, ...kept } = wanted
    expect(made.body).toMatchObject({
      ...kept,
      [ENTERPRISE]: { department: 'Sales', manager: { value: 'boss' } },
    })
    expect(JSON.stringify(made.body)).not.toContain('1mz050nq')
    for (const filter of [
      'userName eq "okta.user@GLOBEX.example"',
      'externalId eq "00u1"',
      `id eq "${made.body.id}"`,
    ]) {
      expect((await find(filter)).body.Resources.map(({ id }) => id)).toEqual([made.body.id])
    }
    const path = `/Users/${made.body.id}`
    const replaced = await scim('PUT', path, { userName, title: 'Chief' })
    expect(replaced.body).toMatchObject({ userName, title: 'Chief', active: true })
    expect(replaced.body['name']).toBeUndefined()
    expect((await patch(path, { op: 'replace', value: { active: false } })).body).toMatchObject({
      active: false,
    })
    expect((await find('active eq false and title eq "chief"')).body.totalResults).toBe(1)
    expect((await scim('DELETE', path)).status).toBe(204)
    expect((await scim('GET', path)).status).toBe(404)
    expect((await scim('DELETE', path)).status).toBe(404)
    expect((await scim('POST', '/Users', wanted)).status).toBe(201)
  })

  test('somebody provisioned signs in as the same person, and is out at once when deactivated', async () => {
    const userName = loginOf('viewer')
    const made = await scim('POST', '/Users', { userName, emails: [{ value: userName }] })
    const tokens = await signIn('viewer', 'openid tenant:read')
    expect(decodeJwt(tokens.access_token).sub).toBe(made.body.id)
    const look = () => call('GET', '/v1/tenants/globex', tokens.access_token)
    expect((await look()).status).toBe(200)
    const listed = await call('GET', `/v1/tenants/globex/users/${made.body.id}`, owner)
    expect(listed.body).toMatchObject({ email: userName, provisioned: true, status: 'active' })

    await patch(`/Users/${made.body.id}`, { op: 'Replace', path: 'active', value: 'False' })

    await eventually(
      'the token is refused',
      async () => ((await look()).status === 401 ? true : undefined),
      4_000,
    )
    await expect(signIn('viewer', 'openid tenant:read')).rejects.toThrow()
    const enabled = await call('PATCH', `/v1/tenants/globex/users/${made.body.id}`, owner, {
      status: 'active',
    })
    expect(enabled.body).toMatchObject({ code: 'user.disabled' })
  })

  test('somebody who signed in before is the same person, not a second one who stays in', async () => {
    const tokens = await signIn('developer', 'openid tenant:read')
    const userName = loginOf('developer')

    const made = await scim('POST', '/Users', { userName, active: false })

    expect(made.body.id).toBe(decodeJwt(tokens.access_token).sub)
    await expect(signIn('developer', 'openid tenant:read')).rejects.toThrow()
  })
})

describe('a directory as Entra calls it', () => {
  test('groups give the roles of the connection, and take them with the membership', async () => {
    const person = await provision()
    const rolesOf = async () =>
      (await call('GET', `/v1/tenants/globex/users/${person.id}`, owner)).body['roles'] as string[]
    const group = await scim('POST', '/Groups', { displayName: 'admin', externalId: 'e-1' })
    expect(group.status).toBe(201)
    const path = `/Groups/${group.body.id}`

    expect((await patch(path, { op: 'Add', path: 'members', value: [{ value: person.id }] })).status).toBe(
      200,
    )
    expect(await rolesOf()).toEqual(['admin'])
    expect((await scim('GET', `/Users/${person.id}`)).body['groups']).toMatchObject([
      { value: group.body.id, display: 'admin' },
    ])
    expect((await scim('GET', `${path}?excludedAttributes=members`)).body['members']).toBeUndefined()
    await patch(path, { op: 'Remove', path: 'members', value: [{ value: person.id }] })
    expect(await rolesOf()).toEqual([])
    await scim('PUT', path, { displayName: 'admin', members: [{ value: person.id }] })
    expect(await rolesOf()).toEqual(['admin'])
    await patch(path, { op: 'replace', path: 'displayName', value: 'Nobody special' })
    expect(await rolesOf()).toEqual([])
    await patch(path, { op: 'Replace', path: 'displayName', value: 'viewer' })
    expect(await rolesOf()).toEqual(['viewer'])
    expect((await scim('DELETE', path)).status).toBe(204)
    expect(await rolesOf()).toEqual([])
  })

  test('no group of a directory makes an owner', async () => {
    const person = await provision()
    for (const displayName of ['owner', 'platform_admin', '__proto__']) {
      const group = await scim('POST', '/Groups', { displayName, members: [{ value: person.id }] })
      expect(group.status).toBe(201)
    }
    const seen = await call('GET', `/v1/tenants/globex/users/${person.id}`, owner)
    expect(seen.body['roles']).toEqual([])
  })

  test('somebody removed is in no group any more', async () => {
    const [gone, stays] = [await provision(), await provision()]
    const members = [{ value: gone.id }, { value: stays.id }]
    const group = await scim('POST', '/Groups', { displayName: 'Team', members })

    await scim('DELETE', `/Users/${gone.id}`)

    const left = (await scim('GET', `/Groups/${group.body.id}`)).body['members']
    expect(left).toMatchObject([{ value: stays.id }])
  })

  test('an address is set by a filter that describes it', async () => {
    const person = await provision({ emails: undefined })
    const changed = await patch(
      `/Users/${person.id}`,
      { op: 'Add', path: 'emails[type eq "work"].value', value: 'w@globex.example' },
      { op: 'Add', value: { 'name.givenName': 'W', [`${ENTERPRISE}:department`]: 'D' } },
    )
    expect(changed.body).toMatchObject({
      emails: [{ type: 'work', value: 'w@globex.example' }],
      name: { givenName: 'W' },
      [ENTERPRISE]: { department: 'D' },
    })
  })

  test('changes of a group at once are all kept', async () => {
    const made = await Promise.all([provision(), provision(), provision(), provision()])
    const group = await scim('POST', '/Groups', { displayName: 'At once' })

    const answers = await Promise.all(
      made.map(({ id }) =>
        patch(`/Groups/${group.body.id}`, { op: 'add', path: 'members', value: [{ value: id }] }),
      ),
    )

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    const members = (await scim('GET', `/Groups/${group.body.id}`)).body['members'] as { value: string }[]
    expect(members.map(({ value }) => value).sort()).toEqual(made.map(({ id }) => id).sort())
  })
})

describe('the protocol', () => {
  test('a directory learns what is supported', async () => {
    expect((await scim('GET', '/ServiceProviderConfig')).body).toMatchObject({
      patch: { supported: true },
      bulk: { supported: false },
      sort: { supported: false },
    })
    const kinds = (await scim<List>('GET', '/ResourceTypes')).body.Resources
    expect(kinds.map(({ id }) => id)).toEqual(['User', 'Group'])
    expect((await scim('GET', '/ResourceTypes/User')).body).toMatchObject({ endpoint: '/Users' })
    expect((await scim<List>('GET', '/Schemas')).body.totalResults).toBe(3)
  })

  test('pages are counted from 1 and hold what was asked for', async () => {
    const mine: string[] = []
    for (let number = 0; number < 5; number += 1) mine.push((await provision({ title: 'Paged' })).id)
    const page = (startIndex: number, count: number) =>
      find('title eq "Paged"', `&startIndex=${startIndex}&count=${count}&attributes=userName`)

    const [first, second, none, past] = await Promise.all([page(1, 2), page(3, 9), page(0, -1), page(99, 5)])

    expect(first.body).toMatchObject({ totalResults: 5, startIndex: 1, itemsPerPage: 2 })
    expect([...first.body.Resources, ...second.body.Resources].map(({ id }) => id)).toEqual(mine)
    expect(none.body).toMatchObject({ totalResults: 5, startIndex: 1, Resources: [] })
    expect(past.body).toMatchObject({ totalResults: 5, Resources: [] })
    expect(Object.keys(first.body.Resources[0] ?? {}).sort()).toEqual(['id', 'schemas', 'userName'])
  })

  test('a stale version changes nothing, and one that is known is not sent again', async () => {
    const person = await provision()
    const path = `/Users/${person.id}`
    const { version } = person.meta
    const put = (tag: string) =>
      scim('PUT', path, { userName: person['userName'], title: tag }, { headers: { 'if-match': tag } })

    expect((await put('W/"99"')).status).toBe(412)
    expect((await put(version)).status).toBe(200)
    expect((await put(version)).status).toBe(412)
    const current = (await scim('GET', path)).body.meta.version
    expect((await scim('GET', path, undefined, { headers: { 'if-none-match': current } })).status).toBe(304)
    expect((await scim('DELETE', path, undefined, { headers: { 'if-match': version } })).status).toBe(412)
    expect((await put('*')).status).toBe(200)
  })

  test('the same said again changes nothing', async () => {
    const person = await provision({ title: 'Same' })
    const again = await patch(`/Users/${person.id}`, {
      op: 'replace',
      value: { title: 'Same', active: true },
    })
    expect(again.body.meta.version).toBe(person.meta.version)
  })

  const user = { userName: 'x@globex.example' }
  test.each<[string, string, string, unknown, number, string | undefined]>([
    ['a filter that is none', 'GET', '/Users?filter=userName%20is%20x', undefined, 400, 'invalidFilter'],
    ['a filter that never ends', 'GET', `/Users?filter=${'('.repeat(500)}`, undefined, 400, 'invalidFilter'],
    [
      'SQL',
      'GET',
      `/Users?filter=${encodeURIComponent('userName eq "a" OR 1=1 --')}`,
      undefined,
      400,
      'invalidFilter',
    ],
    ['a filter of groups that is none', 'GET', '/Groups?filter=x', undefined, 400, 'invalidFilter'],
    ['a page that is none', 'GET', '/Users?startIndex=one', undefined, 400, 'invalidValue'],
    ['nobody', 'GET', '/Users/usr_00000000000000000000000000', undefined, 404, undefined],
    ['an id that is none', 'GET', '/Users/none', undefined, 404, undefined],
    [
      'a group that is none',
      'PUT',
      '/Groups/grp_00000000000000000000000000',
      { displayName: 'x' },
      404,
      undefined,
    ],
    ['no user name', 'POST', '/Users', { displayName: 'x' }, 400, 'invalidValue'],
    ['a user name of another kind', 'POST', '/Users', { userName: 5 }, 400, 'invalidValue'],
    ['active of another kind', 'POST', '/Users', { ...user, active: 'perhaps' }, 400, 'invalidValue'],
    ['no object', 'POST', '/Users', [], 400, 'invalidSyntax'],
    ['no JSON', 'POST', '/Users', '{', 400, 'invalidSyntax'],
    ['a member twice', 'POST', '/Users', '{"userName":"a","userName":"b"}', 400, 'invalidSyntax'],
    ['a prototype', 'POST', '/Users', '{"userName":"a","__proto__":{}}', 400, 'invalidSyntax'],
    [
      'a member who is nobody',
      'POST',
      '/Groups',
      { displayName: 'G1', members: [{ value: 'usr_00000000000000000000000000' }] },
      400,
      'invalidValue',
    ],
    [
      'a group in a group',
      'POST',
      '/Groups',
      { displayName: 'G2', members: [{ value: 'grp_00000000000000000000000000' }] },
      400,
      'invalidValue',
    ],
    ['a group without a name', 'POST', '/Groups', {}, 400, 'invalidValue'],
    ['too much', 'POST', '/Users', { ...user, title: 'x'.repeat(300_000) }, 413, undefined],
    ['bulk', 'POST', '/Bulk', { Operations: [] }, 404, undefined],
    ['a kind that is none', 'GET', '/Devices', undefined, 404, undefined],
  ])('%s is refused', async (_name, method, path, body, status, scimType) => {
    const answer = await scim<{ status?: string; scimType?: string }>(method, path, body)
    expect(answer.status).toBe(status)
    if (scimType !== undefined) expect(answer.body).toMatchObject({ status: String(status), scimType })
  })

  test('a user name is taken whatever its case, by one of several who want it at once', async () => {
    const names = ['Twice@globex.example', 'twice@GLOBEX.example', 'TWICE@globex.example']
    const made = await Promise.all(names.map((userName) => scim('POST', '/Users', { userName })))
    expect(made.map(({ status }) => status).sort()).toEqual([201, 409, 409])
    expect(made.find(({ status }) => status === 409)?.body).toMatchObject({ scimType: 'uniqueness' })
    expect((await scim('POST', '/Groups', { displayName: 'Once' })).status).toBe(201)
    expect((await scim('POST', '/Groups', { displayName: 'ONCE' })).body).toMatchObject({
      scimType: 'uniqueness',
    })
  })
})

describe('nobody else comes in', () => {
  const plain = (answer: Awaited<ReturnType<typeof scim>>) => [answer.status, answer.body]

  test('another tenant’s key gets the 404 of a tenant that does not exist', async () => {
    const mine = await provision()
    const missing = plain(await scim('GET', '/Users', undefined, { tenant: 'there-is-none' }))
    expect(missing[0]).toBe(404)
    for (const tenant of ['acme', 'initech', 'platform', 'GLOBEX', 'globex%00', 'globex%2f..%2facme']) {
      expect([missing, [400, expect.anything()], [404, expect.anything()]]).toContainEqual(
        plain(await scim('GET', '/Users', undefined, { tenant })),
      )
    }
    const foreign = { key: acmeKey }
    for (const [method, path, body] of [
      ['GET', '/Users', undefined],
      ['GET', `/Users/${mine.id}`, undefined],
      ['PATCH', `/Users/${mine.id}`, { Operations: [{ op: 'replace', value: { active: false } }] }],
      ['DELETE', `/Users/${mine.id}`, undefined],
      ['POST', '/Users', { userName: 'mallory@globex.example' }],
    ] as const) {
      expect(plain(await scim(method, path, body, foreign)), method).toEqual(missing)
    }
    expect((await scim('GET', `/Users/${mine.id}`)).body).toMatchObject({ active: true })
  })

  test('a tier without SCIM says so, to its own key alone', async () => {
    const answer = await scim('GET', '/Users', undefined, { key: acmeKey, tenant: 'acme' })
    expect(answer.status).toBe(403)
  })

  test('only a key with the scope comes in; tokens, other keys and altered ones do not', async () => {
    const other = await apiKey('globex', ['usage:read'])
    expect((await scim('GET', '/Users', undefined, { key: other })).status).toBe(403)
    const altered = `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`
    for (const wrong of [owner, operator, '', 'x', altered, key.replace('globex', 'acme'), `${key} ${key}`]) {
      const answer = await scim('GET', '/Users', undefined, { key: wrong })
      expect(answer.status, wrong).toBe(401)
      expect(answer.headers.get('www-authenticate')).toContain('Bearer')
    }
  })

  test('headers of the gateway that a caller makes up mean nothing', async () => {
    const headers = {
      'x-forwarded-authorization': `Bearer ${key}`,
      'x-apigateway-api-userinfo': Buffer.from('{"tenant":"globex"}').toString('base64url'),
    }
    expect((await scim('GET', '/Users', undefined, { key: 'none', headers })).status).toBe(401)
  })
})

describe('people by hand', () => {
  const users = '/v1/tenants/globex/users'

  test('an owner sees them page by page, and a token of another list is no token of this one', async () => {
    const first = await call('GET', `${users}?pageSize=1`, owner)
    const next = String(first.body['nextPageToken'])
    const second = await call('GET', `${users}?pageSize=1&pageToken=${next}`, owner)
    const foreign = await call('GET', `/v1/tenants/globex/invitations?pageToken=${next}`, owner)

    expect(first.body['items']).toHaveLength(1)
    expect(second.body['items']).not.toEqual(first.body['items'])
    expect(foreign.status).toBe(400)
  })

  test('an operator invites an owner to any tenant, and may not look at its people', async () => {
    const made = await call('POST', '/v1/tenants/acme/invitations', operator, {
      email: 'o@acme.example',
      role: 'owner',
    })
    expect(made.status).toBe(201)
    expect(made.body).toMatchObject({ status: 'pending', email: 'o@acme.example' })
    expect((await call('GET', '/v1/tenants/acme/users', operator)).status).toBe(404)
    expect(
      (await call('DELETE', `/v1/tenants/acme/invitations/${made.body['invitationId']}`, operator)).status,
    ).toBe(204)
  })

  test('a repeated request gets the same invitation, without the token that was shown', async () => {
    const headers = { 'idempotency-key': 'invite-1' }
    const ask = (role: string) =>
      stack.api().call('POST', '/v1/tenants/globex/invitations', {
        token: operator,
        json: { email: 'new@globex.example', role },
        headers,
      })
    const first = await ask('viewer')
    const again = await ask('viewer')
    const other = await ask('admin')

    expect([first.status, again.status, other.status]).toEqual([201, 200, 422])
    const { token, ...shown } = first.body
    expect(token).toMatch(/^din_globex_/)
    expect(again.body).toEqual(shown)
  })

  test('the owner who is the last one stays', async () => {
    const me = `${users}/${decodeJwt(owner).sub}`
    const asked = await Promise.all([
      call('PATCH', me, owner, { status: 'disabled' }),
      call('DELETE', me, owner),
      call('PUT', `${me}/roles`, owner, { roles: ['viewer'] }),
    ])
    expect(asked.map(({ body }) => body['code'])).toEqual(
      Array(3).fill('user.last_owner').fill('role.not_givable', 2),
    )
  })

  test('nothing that is stored names anybody', async () => {
    const dump = JSON.stringify(await control(stack, 'GET', '/dump?tenantId=globex')).toLowerCase()
    expect(dump).toContain('auth_users')
    for (const known of ['owner@globex', 'person1@', 'okta.user', 'new@globex'])
      expect(dump).not.toContain(known)
  })
})

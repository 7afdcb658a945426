import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { PLATFORM_ROLES, PLATFORM_SCOPES } from '#shared/catalogue/scopes.ts'
import { PLATFORM_TENANT, type TenantId } from '#shared/ids.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import { operatorScopes } from '../../../functions/auth/domain/role.ts'
import { newUser, newUserId, withRolesFrom } from '../../../functions/auth/domain/user.ts'
import { signInUser } from '../../../functions/auth/operations/sign-in-user.ts'
import { OPERATOR, tokenOf } from '../support/auth-stack.ts'
import { change, claimsOf } from '../support/sessions.ts'
import {
  begin,
  browse,
  CALLBACK,
  callbackUrl,
  redeem,
  type SignOnStack,
  startSignOn,
} from '../support/sign-on.ts'

const USERS = '/v1/tenants/platform/users'
const ALL_ROLES = Object.keys(PLATFORM_ROLES)

let stack: SignOnStack
/** The same stack, with the operators' application. */
let operators: SignOnStack

beforeAll(async () => {
  stack = await startSignOn()
  const connection = await stack.call('POST', '/v1/tenants/platform/connections', {
    connectionId: 'con_staff',
    issuer: stack.idp.issuer,
    clientId: 'us',
    clientSecret: 'the-provider-knows',
    defaultRoles: [],
  })
  expect(connection.status, JSON.stringify(connection.body)).toBe(201)
  const client = await stack.call('POST', '/v1/tenants/platform/clients', {
    name: 'console',
    authMethod: 'none',
    grants: ['authorization_code', 'refresh_token'],
    redirectUris: [CALLBACK],
    scopes: [...PLATFORM_SCOPES, 'users:manage'],
  })
  expect(client.status, JSON.stringify(client.body)).toBe(201)
  operators = { ...stack, clientId: String(client.body['clientId']) }
}, 60_000)
afterAll(() => stack?.close())
beforeEach(() => void stack.clock.advance(3_000))

/** Signs a person of the provider in at the operators' application. */
async function signIn(sub: string, scope = ['openid', ...PLATFORM_SCOPES, 'users:manage'].join(' ')) {
  stack.idp.claims = { sub, email: `${sub}@staff.example` }
  const begun = await begin(operators, { scope })
  const back = await browse(callbackUrl(operators, begun.answer, 'platform/con_staff'), begun.cookie)
  const answered = await redeem(operators, back.parameters.get('code'))
  return { status: answered.status, body: answered.body, token: String(answered.body['access_token'] ?? '') }
}

async function userIdOf(sub: string): Promise<string> {
  await signIn(sub, 'openid')
  const links = stack.firestore.dump('tenants/platform/auth_users')
  const user = links.find(({ data }) => JSON.stringify(data['idpLinks']).includes(`"${sub}"`))
  return String(user?.data['userId'])
}

const giveRoles = (userId: string, roles: readonly string[], token?: string) =>
  stack.call(
    'PUT',
    `${USERS}/${userId}/roles`,
    { roles },
    token === undefined ? {} : { authorization: `Bearer ${token}` },
  )

const scopesOf = (token: string) => String(claimsOf(token)['scope']).split(' ')

/** Somebody of the operators' tenant with usual roles, as only its owners could give them. */
async function withUsualRoles(sub: string, roles: readonly string[]): Promise<string> {
  const userId = await userIdOf(sub)
  const ctx = openAsDeployer(PLATFORM_TENANT, 'test', 'test', stack.clock.now())
  await change(stack.deps, ctx, ['auth_users', userId], {
    roles,
    rolesFrom: { people: roles, signIn: [], directory: [] },
  })
  return userId
}

describe('an operator who is a person', () => {
  test.each(ALL_ROLES)('with %s has its scopes through sign-on, and no others', async (role) => {
    const userId = await userIdOf(`one-${role}`)
    expect((await signIn(`one-${role}`)).status).toBe(400)
    const given = await giveRoles(userId, [role])
    expect([given.status, given.body['roles']]).toEqual([200, [role]])

    const { token } = await signIn(`one-${role}`)
    expect(claimsOf(token)).toMatchObject({ sub: userId, tenant: 'platform', roles: [role] })
    expect(scopesOf(token).sort()).toEqual([...(PLATFORM_ROLES[role] ?? [])].sort())
    // What the scope opens in a tenant, and what it does not.
    const opens = PLATFORM_ROLES[role]?.includes('platform:tenants') === true
    const seen = await stack.call('GET', '/v1/tenants/acme/connections', undefined, {
      authorization: `Bearer ${token}`,
    })
    expect(seen.status).toBe(opens ? 200 : 404)
  })

  test('loses their tokens with the role, within two seconds', async () => {
    const userId = await userIdOf('leaver')
    await giveRoles(userId, ['platform_admin'])
    const { token, body } = await signIn('leaver')
    expect((await stack.deps.platform.verifyToken(token, undefined)).ok).toBe(true)
    expect((await giveRoles(userId, [])).status).toBe(200)
    stack.clock.advance(2_000)
    expect((await stack.deps.platform.verifyToken(token, undefined)).ok).toBe(false)
    const refreshed = await redeem(operators, null, {
      grant_type: 'refresh_token',
      refresh_token: String(body['refresh_token']),
    })
    expect(refreshed.body['error']).toBe('invalid_grant')
  })

  test('who is an administrator makes others, and nobody more than that', async () => {
    await giveRoles(await withUsualRoles('chief', ['admin']), ['admin', 'platform_admin'])
    const { token } = await signIn('chief')
    const other = await userIdOf('deputy')
    expect((await giveRoles(other, ['platform_support'], token)).status).toBe(200)
    expect((await giveRoles(other, ['platform_emperor'], token)).body['code']).toBe('role.unknown')
    // What they asked no scope for, they cannot give.
    const narrow = (await signIn('chief', 'platform:read users:manage')).token
    const refused = await giveRoles(other, ['platform_support', 'platform_finance'], narrow)
    expect(refused.body['code']).toBe('role.not_givable')
  })
})

describe('nobody becomes an operator', () => {
  test.each([
    ['an owner of the operators’ tenant', ['owner']],
    ['an administrator of it', ['admin']],
    ['support with all of an owner', ['owner', 'platform_support']],
    ['finance with all of an administrator', ['admin', 'platform_finance']],
  ])('by %s', async (who, roles) => {
    const own = await withUsualRoles(who.replaceAll(/[^a-z]/g, '-'), roles)
    const { token } = await signIn(who.replaceAll(/[^a-z]/g, '-'))
    const other = await userIdOf('somebody')
    for (const role of ALL_ROLES) {
      for (const userId of [own, other]) {
        if (roles.includes(role)) continue
        const refused = await giveRoles(userId, [...roles, role], token)
        expect([refused.status, refused.body['code']]).toEqual([403, 'role.not_givable'])
      }
    }
  })

  test('by a machine that holds every scope of operators and is no administrator', async () => {
    const machine = await stack.call('POST', '/v1/tenants/platform/clients', {
      scopes: [...PLATFORM_SCOPES, 'users:manage'],
    })
    const token = await tokenOf(stack, {
      clientId: String(machine.body['clientId']),
      clientSecret: String(machine.body['clientSecret']),
    })
    const refused = await giveRoles(await userIdOf('friend'), ['platform_support'], token)
    expect([refused.status, refused.body['code']]).toEqual([403, 'role.not_givable'])
  })

  test('and no operator is unmade, kept out or removed by another than their administrator', async () => {
    const operator = await userIdOf('guarded')
    await giveRoles(operator, ['platform_security'])
    await withUsualRoles('rival', ['owner'])
    const { token } = await signIn('rival')
    const headers = { authorization: `Bearer ${token}` }
    for (const refused of [
      await giveRoles(operator, [], token),
      await stack.call('PATCH', `${USERS}/${operator}`, { status: 'disabled' }, headers),
      await stack.call('DELETE', `${USERS}/${operator}`, undefined, headers),
    ]) {
      expect([refused.status, refused.body['code']]).toEqual([403, 'role.not_givable'])
    }
    expect((await stack.call('PATCH', `${USERS}/${operator}`, { status: 'disabled' })).status).toBe(200)
  })

  test('in a tenant, whoever gives it', async () => {
    // The operators' own token opens no tenant's people at all.
    const user = newUser(newUserId(stack.deps.ids, stack.clock.now()), 'acme' as TenantId, stack.clock.now())
    expect(
      (await stack.call('PUT', `/v1/tenants/acme/users/${user.userId}/roles`, { roles: [] })).status,
    ).toBe(404)
    const owner = await stack.call('POST', '/v1/tenants/acme/clients', {
      scopes: ['users:manage'],
      roles: ['owner'],
    })
    const token = await tokenOf(stack, {
      clientId: String(owner.body['clientId']),
      clientSecret: String(owner.body['clientSecret']),
    })
    const ctx = openAsDeployer('acme' as TenantId, 'test', 'test', stack.clock.now())
    await stack.deps.users.change(ctx, undefined, {}, () => ({ ok: true, value: { value: 1, user } }))
    const refused = await stack.call(
      'PUT',
      `/v1/tenants/acme/users/${user.userId}/roles`,
      { roles: ['platform_admin'] },
      { authorization: `Bearer ${token}` },
    )
    expect([refused.status, refused.body['code']]).toEqual([400, 'role.unknown'])
    // Even if it stood there.
    expect(operatorScopes('acme' as TenantId, ALL_ROLES)).toEqual([])
  })

  test.each(['signIn', 'directory'] as const)('by a group: %s', (source) => {
    const user = newUser(newUserId(stack.deps.ids, 0), PLATFORM_TENANT, 0)
    expect(withRolesFrom(user, source, [...ALL_ROLES, 'viewer']).roles).toEqual(['viewer'])
    const elsewhere = newUser(newUserId(stack.deps.ids, 0), 'acme' as TenantId, 0)
    expect(withRolesFrom(elsewhere, 'people', ALL_ROLES).roles).toEqual([])
  })

  test.each([
    { defaultRoles: ['platform_admin'] },
    { groupRoles: [{ group: 'staff', role: 'platform_admin' }] },
  ])('by what a connection says: %j', async (settings) => {
    const changed = await stack.call('PATCH', '/v1/tenants/platform/connections/con_staff', settings)
    expect(changed.status).toBe(400)
  })

  test('by an invitation', async () => {
    const invited = await stack.call('POST', '/v1/tenants/platform/invitations', {
      email: 'new@staff.example',
      role: 'platform_admin',
    })
    expect([invited.status, invited.body['code']]).toEqual([400, 'role.unknown'])
  })

  test('before they have signed in', async () => {
    const user = newUser(newUserId(stack.deps.ids, stack.clock.now()), PLATFORM_TENANT, stack.clock.now())
    const ctx = openAsDeployer(PLATFORM_TENANT, 'test', 'test', stack.clock.now())
    await stack.deps.users.change(ctx, undefined, {}, () => ({ ok: true, value: { value: 1, user } }))
    const refused = await giveRoles(user.userId, ['platform_admin'])
    expect([refused.status, refused.body['code']]).toEqual([403, 'role.not_givable'])
  })

  test('by the same subject at another connection', async () => {
    await giveRoles(await userIdOf('twin'), ['platform_admin'])
    const ctx = openAsDeployer(PLATFORM_TENANT, 'test', 'test', stack.clock.now())
    const identity = { subject: 'twin', emailVerified: true, email: 'twin@staff.example', groups: [] }
    const other = await signInUser(stack.deps, {
      ctx,
      connection: { connectionId: 'con_other', defaultRoles: [] },
      identity,
      nowMs: stack.clock.now(),
    })
    expect(other).toMatchObject({ ok: true, value: { roles: [] } })
  })

  test('by a token of their provider alone: there is no sign-in behind it', async () => {
    await giveRoles(await userIdOf('exchanger'), ['platform_admin'])
    const machine = await stack.call('POST', '/v1/tenants/platform/clients', {
      grants: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'],
      scopes: ['platform:read'],
    })
    const now = Math.floor(stack.clock.now() / 1000)
    const { issuer: iss } = stack.idp
    const response = await fetch(`${stack.httpUrl}/oauth2/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        client_id: String(machine.body['clientId']),
        client_secret: String(machine.body['clientSecret']),
        subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
        subject_token: await stack.idp.sign({
          ...{ iss, aud: 'us', sub: 'exchanger', iat: now, exp: now + 300, auth_time: now },
        }),
      }),
    })
    expect(await response.json()).toMatchObject({ error: 'invalid_scope' })
  })
})

test('the roles of operators are listed for them and for nobody else', async () => {
  const names = async (tenantId: string, token: string) => {
    const seen = await stack.call('GET', `/v1/tenants/${tenantId}/roles`, undefined, {
      authorization: `Bearer ${token}`,
    })
    return (seen.body['items'] as { name: string }[]).map(({ name }) => name)
  }
  expect(await names('platform', await tokenOf(stack, OPERATOR))).toEqual(expect.arrayContaining(ALL_ROLES))
  const made = await stack.call('POST', '/v1/tenants/acme/clients', { scopes: ['users:manage'] })
  const acme = await tokenOf(stack, {
    clientId: String(made.body['clientId']),
    clientSecret: String(made.body['clientSecret']),
  })
  expect((await names('acme', acme)).filter((name) => ALL_ROLES.includes(name))).toEqual([])
})

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { TENANT_ROLES, TENANT_SCOPES } from '#shared/catalogue/scopes.ts'
import type { TenantId } from '#shared/ids.ts'
import type { Result } from '#shared/result.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import type { AuthDeps } from '../../../functions/auth/deps.ts'
import type { RoleGiver } from '../../../functions/auth/domain/role.ts'
import type { User } from '../../../functions/auth/domain/user.ts'
import { acceptInvitation, invite, withdrawInvitation } from '../../../functions/auth/operations/invite.ts'
import { changeRole, createRole, deleteRole } from '../../../functions/auth/operations/manage-roles.ts'
import { deleteUser, setUserRoles, setUserStatus } from '../../../functions/auth/operations/manage-users.ts'
import { signInUser } from '../../../functions/auth/operations/sign-in-user.ts'
import { type AuthStack, startAuth } from '../support/auth-stack.ts'
import { pushFact } from '../support/tenant-facts.ts'

let stack: AuthStack
let other: AuthDeps
beforeAll(async () => {
  stack = await startAuth()
  other = stack.another()
})
afterAll(() => stack.close())

let tenants = 0
let tenantId = '' as TenantId
beforeEach(async () => {
  tenants += 1
  tenantId = `manage-${tenants}` as TenantId
  await pushFact(stack, tenantId, 'activated', 1)
})

const ctx = () => openAsDeployer(tenantId, 'test', 'test', stack.clock.now())
const anyRevision = (): Result<void> => ({ ok: true, value: undefined })
const withRoles = (...roles: string[]): RoleGiver => ({
  tenantId,
  roles,
  scopes: new Set(roles.flatMap((role) => TENANT_ROLES[role as 'owner'] ?? [])),
})
const operator = (): RoleGiver => ({
  tenantId: 'platform' as TenantId,
  roles: ['platform_admin'],
  scopes: new Set(),
})
const by = (giver: RoleGiver) => ({ ctx: ctx(), giver, nowMs: stack.clock.now(), ifMatch: anyRevision })

async function aUser(subject: string, more: object = {}): Promise<User> {
  const signed = await signInUser(stack.deps, {
    ctx: ctx(),
    connection: { connectionId: 'con_main' },
    identity: { subject, email: `${subject}@example.com`, emailVerified: true, groups: [], ...more },
    nowMs: stack.clock.now(),
  })
  if (!signed.ok) throw new Error(signed.detail)
  return signed.value
}

async function anOwner(subject: string): Promise<User> {
  const user = await aUser(subject)
  const made = await setUserRoles(stack.deps, { ...by(operator()), userId: user.userId, roles: ['owner'] })
  if (!made.ok) throw new Error(made.detail)
  return user
}
const code = (result: Result<unknown>) => (result.ok ? 'ok' : result.code)
const typesOf = (userId: string) =>
  stack.published
    .filter(({ data }) => data.toString().includes(userId))
    .map(({ attributes }) => attributes['type']?.replace('ai.energent.auth.', ''))

describe('roles', () => {
  test.each([
    ['an admin gives viewer', 'admin', [], ['viewer'], 'ok'],
    ['an admin gives admin', 'admin', [], ['admin'], 'ok'],
    ['an admin gives owner', 'admin', [], ['owner'], 'role.not_givable'],
    ['an admin gives billing, which it does not hold', 'admin', [], ['billing'], 'role.not_givable'],
    ['an admin takes billing', 'admin', ['billing'], [], 'role.not_givable'],
    ['a developer gives developer', 'developer', [], ['developer'], 'ok'],
    ['a developer gives admin', 'developer', [], ['admin'], 'role.not_givable'],
    ['an owner gives everything', 'owner', [], ['owner', 'admin', 'billing'], 'ok'],
    ['an owner gives a role that is none', 'owner', [], ['wizard'], 'role.unknown'],
    ['an owner gives a role of operators', 'owner', [], ['platform_admin'], 'role.unknown'],
    ['an owner gives the prototype', 'owner', [], ['constructor'], 'role.unknown'],
  ])('%s: %s', async (_name, giver, before, after, expected) => {
    const user = await aUser('ada')
    await setUserRoles(stack.deps, { ...by(operator()), userId: user.userId, roles: before })

    const given = await setUserRoles(stack.deps, {
      ...by(withRoles(giver)),
      userId: user.userId,
      roles: after,
    })

    expect(code(given)).toBe(expected)
  })

  // A role of a tenant's own can have every scope there is; owner is more than its scopes.
  test('all scopes together do not make an owner', async () => {
    const user = await aUser('ada')
    const giver: RoleGiver = { tenantId, roles: ['custom'], scopes: new Set(TENANT_SCOPES) }

    expect(
      code(await setUserRoles(stack.deps, { ...by(giver), userId: user.userId, roles: ['owner'] })),
    ).toBe('role.not_givable')
  })

  test('a caller of another tenant finds nobody', async () => {
    const user = await anOwner('ada')
    const giver: RoleGiver = { ...withRoles('owner'), tenantId: 'elsewhere' as TenantId }
    expect(code(await setUserRoles(stack.deps, { ...by(giver), userId: user.userId, roles: [] }))).toBe(
      'resource.not_found',
    )
  })

  test('a role that is taken ends the tokens that have it, and everybody is told', async () => {
    const user = await aUser('ada')
    const set = (roles: string[]) =>
      setUserRoles(stack.deps, { ...by(withRoles('owner')), userId: user.userId, roles })
    await set(['admin'])
    const given = await stack.deps.users.find(ctx(), user.userId)
    await set([])
    const taken = await stack.deps.users.find(ctx(), user.userId)

    expect(given).toMatchObject({ roles: ['admin', 'viewer'], notBefore: 0 })
    expect(taken).toMatchObject({ roles: ['viewer'], notBefore: Math.floor(stack.clock.now() / 1000) })
    expect(typesOf(user.userId).filter((type) => type === 'user-roles-changed.v1')).toHaveLength(2)
  })

  test('of two owners who remove each other at once one stays', async () => {
    for (let round = 0; round < 5; round += 1) {
      const [ada, eve] = [await anOwner(`ada${round}`), await anOwner(`eve${round}`)]
      const owners = () => stack.deps.users.list(ctx(), { limit: 50 })
      for (const user of await owners()) {
        if (![ada.userId, eve.userId].includes(user.userId))
          await setUserRoles(stack.deps, { ...by(withRoles('owner')), userId: user.userId, roles: [] })
      }
      const giver = by(withRoles('owner'))

      const ended = await Promise.all([
        setUserRoles(stack.deps, { ...giver, userId: ada.userId, roles: [] }),
        round % 2 === 0
          ? deleteUser(other, { ...giver, userId: eve.userId })
          : setUserStatus(other, { ...giver, userId: eve.userId, status: 'disabled' }),
      ])

      expect(ended.map(code).sort()).toEqual(['ok', 'user.last_owner'])
      const left = (await owners()).filter(
        ({ roles, status }) => status === 'active' && roles.includes('owner'),
      )
      expect(left).toHaveLength(1)
    }
  })

  test('a role of the tenant holds no more than who made it, and goes only when nobody has it', async () => {
    const admin = by(withRoles('admin'))
    const make = (name: string, scopes: (typeof TENANT_SCOPES)[number][]) =>
      createRole(stack.deps, { ...admin, name, description: '', scopes })
    const user = await aUser('ada')

    expect(code(await make('auditor', ['audit:read']))).toBe('ok')
    expect(code(await make('auditor', ['audit:read']))).toBe('role.name_taken')
    expect(code(await make('banker', ['billing:manage']))).toBe('role.not_givable')
    for (const name of ['owner', 'viewer', 'platform_admin', 'platform', 'Admin', 'a', '../x', '']) {
      expect(code(await make(name, ['audit:read'])), name).toBe('role.name_taken')
    }
    await setUserRoles(stack.deps, { ...admin, userId: user.userId, roles: ['auditor'] })
    expect(code(await deleteRole(stack.deps, { ...admin, name: 'auditor' }))).toBe('role.in_use')
    const beyond = await changeRole(stack.deps, { ...admin, name: 'auditor', scopes: ['billing:manage'] })
    expect(code(beyond)).toBe('role.not_givable')
    await setUserRoles(stack.deps, { ...admin, userId: user.userId, roles: [] })
    expect(code(await deleteRole(stack.deps, { ...admin, name: 'auditor' }))).toBe('ok')
    expect(code(await deleteRole(stack.deps, { ...admin, name: 'auditor' }))).toBe('resource.not_found')
  })

  test('a role that allows less ends the tokens of the tenant, one that allows more does not', async () => {
    const owner = by(withRoles('owner'))
    const user = await aUser('ada')
    await createRole(stack.deps, {
      ...owner,
      name: 'ops',
      description: '',
      scopes: ['audit:read', 'usage:read'],
    })
    await setUserRoles(stack.deps, { ...owner, userId: user.userId, roles: ['ops'] })
    const watermark = async () => (await stack.deps.invitations.stateOf(ctx()))?.notBefore
    const change = (...scopes: (typeof TENANT_SCOPES)[number][]) =>
      changeRole(stack.deps, { ...owner, name: 'ops', scopes })

    await change('audit:read', 'usage:read', 'tenant:read')
    expect(await watermark()).toBe(0)
    await change('usage:read')

    expect(await watermark()).toBe(Math.floor(stack.clock.now() / 1000))
    const scopes = await stack.deps.roles.scopesOf(ctx(), ['ops', 'viewer', 'none'])
    expect([...scopes]).toEqual([['ops', ['usage:read']]])
  })
})

describe('users', () => {
  test('a disabled user cannot sign in, and an administrator lets them in again', async () => {
    const user = await aUser('ada')
    const admin = by(withRoles('admin'))
    const set = (status: User['status']) =>
      setUserStatus(stack.deps, { ...admin, userId: user.userId, status })

    expect(code(await set('disabled'))).toBe('ok')
    await expect(aUser('ada')).rejects.toThrow('disabled')
    expect((await stack.deps.users.find(ctx(), user.userId))?.notBefore).toBe(
      Math.floor(stack.clock.now() / 1000),
    )
    expect(typesOf(user.userId)).toContain('user-disabled.v1')
    expect(code(await set('active'))).toBe('ok')
    expect((await aUser('ada')).userId).toBe(user.userId)
  })

  test('an admin neither disables nor removes an owner', async () => {
    const owner = await anOwner('ada')
    await anOwner('eve')
    const admin = { ...by(withRoles('admin')), userId: owner.userId }

    expect(code(await setUserStatus(stack.deps, { ...admin, status: 'disabled' }))).toBe('role.not_givable')
    expect(code(await deleteUser(stack.deps, admin))).toBe('role.not_givable')
  })

  test('somebody removed who signs in again is somebody new, without the roles of before', async () => {
    const before = await aUser('ada')
    const owner = by(withRoles('owner'))
    await setUserRoles(stack.deps, { ...owner, userId: before.userId, roles: ['admin'] })

    await deleteUser(stack.deps, { ...owner, userId: before.userId })
    const after = await aUser('ada')

    expect(after.userId).not.toBe(before.userId)
    expect(after.roles).toEqual(['viewer'])
    expect(code(await deleteUser(stack.deps, { ...owner, userId: before.userId }))).toBe('resource.not_found')
  })

  test.each(['', 'usr_', 'usr_../../x', '__proto__', `usr_${'0'.repeat(26)}`])(
    'the id %s is nobody',
    async (userId) => {
      const owner = by(withRoles('owner'))
      expect(code(await setUserRoles(stack.deps, { ...owner, userId, roles: [] }))).toBe('resource.not_found')
      expect(code(await deleteUser(stack.deps, { ...owner, userId }))).toBe('resource.not_found')
    },
  )
})

describe('who somebody is', () => {
  const unverified = { emailVerified: false }

  test('an address that is not verified leads to nobody', async () => {
    const ada = await aUser('ada')
    await invited('eve@example.com', 'admin')

    const sameAddress = await aUser('mallory', { ...unverified, email: 'ada@example.com' })
    const invitedAddress = await aUser('trudy', { ...unverified, email: 'eve@example.com' })

    expect(sameAddress.userId).not.toBe(ada.userId)
    expect(invitedAddress.roles).toEqual(['viewer'])
  })

  test('an unverified claim does not take the place of a verified address', async () => {
    const before = await aUser('ada')
    const after = await aUser('ada', { ...unverified, email: 'boss@example.com' })
    expect(after).toMatchObject({ emailHash: before.emailHash, emailVerified: true })
  })

  test('no group of a provider makes an owner or an operator', async () => {
    const signed = await signInUser(stack.deps, {
      ctx: ctx(),
      connection: {
        connectionId: 'con_main',
        groupRoles: ['owner', 'platform_admin', 'admin', '__proto__'].map((role) => ({ group: 'all', role })),
        defaultRoles: ['owner'],
      },
      identity: { subject: 'ada', emailVerified: false, groups: ['all', 'owner', 'admin'] },
      nowMs: stack.clock.now(),
    })
    expect(signed.ok && signed.value.roles).toEqual(['admin'])
  })

  test('a connection for the invited lets in nobody else', async () => {
    const knock = (subject: string) =>
      signInUser(stack.deps, {
        ctx: ctx(),
        connection: { connectionId: 'con_main', admits: 'invited' },
        identity: { subject, email: `${subject}@example.com`, emailVerified: true, groups: [] },
        nowMs: stack.clock.now(),
      })
    await invited('ada@example.com', 'developer')

    expect(code(await knock('eve'))).toBe('user.not_provisioned')
    expect(code(await knock('ada'))).toBe('ok')
    expect(code(await knock('ada'))).toBe('ok')
  })
})

async function invited(email: string, role: string, giver = operator()) {
  const made = await invite(stack.deps, { ...by(giver), email, role, claim: undefined })
  if (!made.ok) throw new Error(made.code)
  return { token: made.value.token ?? '', id: made.value.view.invitationId }
}
const accept = (user: User, token: string, deps = stack.deps, context = ctx()) =>
  acceptInvitation(deps, { ctx: context, nowMs: stack.clock.now(), subject: user.userId, token })

describe('invitations', () => {
  test('signing in with the verified address is enough, once', async () => {
    await invited('Ada@EXAMPLE.com', 'owner')
    const first = await aUser('ada')
    await setUserRoles(stack.deps, {
      ...by(operator()),
      userId: (await anOwner('eve')).userId,
      roles: ['owner'],
    })
    await setUserRoles(stack.deps, { ...by(withRoles('owner')), userId: first.userId, roles: [] })

    expect(first.roles).toEqual(['owner', 'viewer'])
    expect((await aUser('ada')).roles).toEqual(['viewer'])
  })

  test('of several who accept one token at once one does; the same person again gets the same answer', async () => {
    const people = [await aUser('a', UNKNOWN), await aUser('b', UNKNOWN), await aUser('c', UNKNOWN)]
    const { token } = await invited('new@example.com', 'admin')

    const all = await Promise.all(
      people.map((person, at) => accept(person, token, at === 1 ? other : stack.deps)),
    )

    expect(all.map(code).sort()).toEqual(['ok', 'resource.not_found', 'resource.not_found'])
    const winner = people[all.findIndex(({ ok }) => ok)] as User
    expect(code(await accept(winner, token))).toBe('ok')
    const admins = (await stack.deps.users.list(ctx(), { limit: 9 })).filter(({ roles }) =>
      roles.includes('admin'),
    )
    expect(admins.map(({ userId }) => userId)).toEqual([winner.userId])
  })

  test('whatever is wrong with a token is the same refusal', async () => {
    const person = await aUser('x', UNKNOWN)
    const known = await aUser('known')
    const { token, id } = await invited('new@example.com', 'admin')
    const replaced = await invited('new@example.com', 'admin')
    const withdrawn = await invited('gone@example.com', 'admin')
    await withdrawInvitation(stack.deps, { ...by(operator()), invitationId: withdrawn.id })
    const refused = new Set<string>()
    const tried: [User, string][] = [
      [person, token],
      [person, withdrawn.token],
      [person, ''],
      [person, `${replaced.token}x`],
      [person, replaced.token.replace(/.$/, '0')],
      [person, replaced.token.replace(tenantId, 'manage-0')],
      [person, id],
      // Meant for somebody else: this one is known by another address.
      [known, replaced.token],
    ]
    for (const [who, text] of tried) refused.add(JSON.stringify(await accept(who, text)))
    const elsewhere = openAsDeployer('manage-0' as TenantId, 'test', 'test', stack.clock.now())
    refused.add(JSON.stringify(await accept(person, replaced.token, stack.deps, elsewhere)))
    stack.clock.advance(7 * 24 * 3_600_000)
    refused.add(JSON.stringify(await accept(person, replaced.token)))

    expect(refused.size).toBe(1)
    expect([...refused][0]).toContain('resource.not_found')
  })

  test.each([
    ['admin', 'owner', 'role.not_givable'],
    ['admin', 'billing', 'role.not_givable'],
    ['admin', 'admin', 'ok'],
    ['developer', 'admin', 'role.not_givable'],
    ['owner', 'owner', 'ok'],
    ['owner', 'platform_admin', 'role.unknown'],
  ])('somebody who is %s invites %s: %s', async (giver, role, expected) => {
    const made = await invite(stack.deps, {
      ...by(withRoles(giver)),
      email: 'a@example.com',
      role,
      claim: undefined,
    })
    expect(code(made)).toBe(expected)
  })

  test('inviting somebody who is there says nothing else than inviting somebody who is not', async () => {
    await aUser('ada')
    const shapes = await Promise.all(
      ['ada@example.com', 'nobody@example.com'].map(async (email) => {
        const made = await invite(stack.deps, { ...by(operator()), email, role: 'viewer', claim: undefined })
        return made.ok ? Object.keys(made.value.view).concat(made.value.view.status) : made.code
      }),
    )
    expect(shapes[0]).toEqual(shapes[1])
  })

  test('a tenant that does not exist is invited to by nobody, and gets no key', async () => {
    const nowhere = openAsDeployer('no-such-tenant' as TenantId, 'test', 'test', stack.clock.now())
    const made = await invite(stack.deps, {
      ...by(operator()),
      ctx: nowhere,
      email: 'a@example.com',
      role: 'owner',
      claim: undefined,
    })
    expect(code(made)).toBe('resource.not_found')
    expect(stack.firestore.dump('tenants/no-such-tenant')).toEqual([])
  })
})
/** Somebody whose provider tells no address. */
const UNKNOWN = { email: undefined, emailVerified: false }

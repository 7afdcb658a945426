import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TenantId } from '#shared/ids.ts'
import type { Result } from '#shared/result.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import { parsePerson } from '../../../functions/auth/domain/scim/person.ts'
import type { User } from '../../../functions/auth/domain/user.ts'
import { acceptInvitation, invite } from '../../../functions/auth/operations/invite.ts'
import { createRole } from '../../../functions/auth/operations/manage-roles.ts'
import { deleteUser, setUserRoles, setUserStatus } from '../../../functions/auth/operations/manage-users.ts'
import { createGroup } from '../../../functions/auth/operations/scim-groups.ts'
import { createPerson } from '../../../functions/auth/operations/scim-users.ts'
import { signInUser } from '../../../functions/auth/operations/sign-in-user.ts'
import { type AuthStack, startAuth } from '../support/auth-stack.ts'
import { pushFact } from '../support/tenant-facts.ts'

let stack: AuthStack
const tenantId = 'lost-answers' as TenantId
beforeAll(async () => {
  stack = await startAuth()
  await pushFact(stack, tenantId, 'activated', 1)
})
afterAll(() => stack.close())

const anyRevision = (): Result<void> => ({ ok: true, value: undefined })
const ctx = () => openAsDeployer(tenantId, 'test', 'test', stack.clock.now())
const command = () => ({
  ctx: ctx(),
  nowMs: stack.clock.now(),
  giver: { tenantId: 'platform' as TenantId, roles: [], scopes: new Set<string>() },
  ifMatch: anyRevision,
})

let people = 0
async function aUser(): Promise<User> {
  people += 1
  const signed = await signInUser(stack.deps, {
    ctx: ctx(),
    connection: { connectionId: 'con_main' },
    identity: { subject: `s${people}`, emailVerified: false, groups: [] },
    nowMs: stack.clock.now(),
  })
  if (!signed.ok) throw new Error(signed.detail)
  return signed.value
}

/** Everything the tenant has, without what makes two runs differ. */
const count = (collection: string) =>
  stack.firestore.dump(`tenants/${tenantId}`).filter(({ path }) => path.includes(`/${collection}/`)).length

// The commit happened and its answer was lost: the client repeats it and hears that it cannot be made.
test.each<[string, string, number, () => Promise<() => Promise<Result<unknown>>>]>([
  ['a first sign-in', 'auth_users', 1, async () => async () => ({ ok: true, value: await aUser() })],
  [
    'a provisioning',
    'auth_userNames',
    1,
    async () => {
      const person = parsePerson({ userName: 'lost@example.com' })
      if (!person.ok) throw new Error('not a person')
      return () => createPerson(stack.deps, command(), person.value)
    },
  ],
  [
    'an invitation',
    'auth_invitations',
    1,
    async () => () =>
      invite(stack.deps, { ...command(), email: 'i@example.com', role: 'viewer', claim: undefined }),
  ],
  [
    'an acceptance',
    'auth_invitations',
    0,
    async () => {
      const user = await aUser()
      const made = await invite(stack.deps, {
        ...command(),
        email: 'a@example.com',
        role: 'admin',
        claim: undefined,
      })
      const token = made.ok ? (made.value.token ?? '') : ''
      return () => acceptInvitation(stack.deps, { ...command(), subject: user.userId, token })
    },
  ],
  [
    'a change of roles',
    'auth_users',
    0,
    async () => {
      const { userId } = await aUser()
      return () => setUserRoles(stack.deps, { ...command(), userId, roles: ['owner'] })
    },
  ],
  [
    'a disabling',
    'auth_users',
    0,
    async () => {
      const { userId } = await aUser()
      return () => setUserStatus(stack.deps, { ...command(), userId, status: 'disabled' })
    },
  ],
  [
    'a removal',
    'auth_users',
    -1,
    async () => {
      const { userId } = await aUser()
      return () => deleteUser(stack.deps, { ...command(), userId })
    },
  ],
  [
    'a role',
    'auth_roles',
    1,
    async () => () => createRole(stack.deps, { ...command(), name: 'ops', description: '', scopes: [] }),
  ],
  [
    'a group',
    'auth_groups',
    1,
    async () => () => createGroup(stack.deps, command(), { displayName: 'G', externalId: null, members: [] }),
  ],
])(
  '%s whose answer is lost has happened once, and is answered',
  async (_name, collection, more, prepare) => {
    await stack.deps.personalData.seal(ctx(), 'x', 'name')
    const act = await prepare()
    const before = count(collection)
    let left = 1
    stack.firestore.setFault((rpc) => {
      if (rpc !== 'Commit' || left === 0) return undefined
      left -= 1
      return { mode: 'lostAnswer' }
    })

    const acted = await act()

    expect(left).toBe(0)
    expect(acted).toMatchObject({ ok: true })
    expect(count(collection) - before).toBe(more)
  },
  20_000,
)

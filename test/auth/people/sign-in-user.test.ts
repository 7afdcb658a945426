import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TenantId } from '#shared/ids.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import type { AuthDeps } from '../../../functions/auth/deps.ts'
import { type ProvenIdentity, signInUser } from '../../../functions/auth/operations/sign-in-user.ts'
import { type AuthStack, startAuth } from '../support/auth-stack.ts'
import { pushFact } from '../support/tenant-facts.ts'

let stack: AuthStack
beforeAll(async () => {
  stack = await startAuth()
})
afterAll(() => stack.close())

let tenants = 0
const aTenant = async () => {
  tenants += 1
  await pushFact(stack, `people-${tenants}`, 'activated', 1)
  return openAsDeployer(`people-${tenants}` as TenantId, 'test', 'test', stack.clock.now())
}
const ada: ProvenIdentity = {
  subject: 'sub-ada',
  email: 'Ada@Example.com',
  emailVerified: true,
  name: 'Ada',
  groups: [],
}
const signIn = (
  ctx: Awaited<ReturnType<typeof aTenant>>,
  more: object = {},
  connection: object = {},
  deps: AuthDeps = stack.deps,
) =>
  signInUser(deps, {
    ctx,
    connection: { connectionId: 'con_main', ...connection },
    identity: { ...ada, ...more },
    nowMs: stack.clock.now(),
  })
const user = async (result: ReturnType<typeof signIn>) => {
  const signed = await result
  if (!signed.ok) throw new Error(signed.detail)
  return signed.value
}

test('two first log-ins at once in two processes make one user', async () => {
  const ctx = await aTenant()
  const other = stack.another()

  const both = await Promise.all([user(signIn(ctx)), user(signIn(ctx, {}, {}, other)), user(signIn(ctx))])

  expect(new Set(both.map(({ userId }) => userId)).size).toBe(1)
  expect(await stack.deps.users.list(ctx, { limit: 10 })).toHaveLength(1)
})

test('what is stored names nobody', async () => {
  const ctx = await aTenant()

  const made = await user(signIn(ctx))

  const stored = JSON.stringify(stack.firestore.dump(`tenants/${ctx.tenantId}`)).toLowerCase()
  expect(stored).not.toContain('example.com')
  expect(stored).not.toContain('"ada"')
  expect(await stack.deps.personalData.open(ctx, made.emailSealed as never, 'email')).toBe('ada@example.com')
})

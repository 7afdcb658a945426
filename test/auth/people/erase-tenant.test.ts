import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TenantId } from '#shared/ids.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import { signInUser } from '../../../functions/auth/operations/sign-in-user.ts'
import { bury } from '../../support/bury.ts'
import { type AuthStack, startAuth } from '../support/auth-stack.ts'
import { pushFact } from '../support/tenant-facts.ts'

let stack: AuthStack
beforeAll(async () => {
  stack = await startAuth()
})
afterAll(() => stack.close())

const OPERATION = 'op_01JD8K2M5QV7N9X3C6R8W1Y4ZA'
const contextOf = (tenantId: string) =>
  openAsDeployer(tenantId as TenantId, 'test', 'test', stack.clock.now())

async function aTenantWith(tenantId: string, people: number) {
  expect(await pushFact(stack, tenantId, 'activated', 1)).toBe(204)
  const ctx = contextOf(tenantId)
  for (let number = 0; number < people; number += 1) {
    const signed = await signInUser(stack.deps, {
      ctx,
      connection: { connectionId: 'con_main' },
      identity: { subject: `s${number}`, email: `p${number}@example.com`, emailVerified: true, groups: [] },
      nowMs: stack.clock.now(),
    })
    expect(signed.ok).toBe(true)
  }
  return ctx
}

const pathsOf = (tenantId: string): string[] =>
  stack.firestore
    .dump(`tenants/${tenantId}`)
    .map(({ path }) => path.split('/').slice(2).join('/'))
    .sort()
const answersOf = (tenantId: string) =>
  stack.published
    .filter(({ attributes }) => attributes['type'] === 'ai.energent.auth.erased.v1')
    .filter(({ attributes }) => attributes['tenantid'] === tenantId)
    .map(({ data }) => JSON.parse(data.toString()) as { data: { counts: Record<string, number> } })

test('a purge leaves state, progress and the grave of the key, and is answered once with counts', async () => {
  await aTenantWith('purged-once', 3)
  const left = await aTenantWith('stays-here', 1)

  const status = await pushFact(stack, 'purged-once', 'purge-started', 2, { operationId: OPERATION })

  expect(status).toBe(204)
  expect(pathsOf('purged-once')).toEqual(['auth_shred/dek', 'auth_state/current', 'auth_state/erasure'])
  const answers = answersOf('purged-once')
  expect(answers).toHaveLength(1)
  expect(answers[0]).toMatchObject({
    data: { operationId: OPERATION, counts: { users: 3, userLinks: 3, bindings: 1 } },
  })
  expect(await stack.deps.users.list(left, { limit: 5 })).toHaveLength(1)

  await pushFact(stack, 'purged-once', 'purge-started', 2, { operationId: OPERATION })
  await pushFact(stack, 'purged-once', 'purged', 3, { operationId: OPERATION, state: 'PURGED' })
  expect(answersOf('purged-once')).toHaveLength(1)
})

test('a crash after any commit is resumed, and every document is counted once', async () => {
  await aTenantWith('crashes', 4)
  const { erasure, personalData } = stack.deps
  const ctx = contextOf('crashes')
  // Only the state goes over; the push dies before it erases anything.
  await pushFact(stack, 'crashes', 'offboarding-started', 2, { state: 'OFFBOARDING' })
  const erased = {
    operationId: OPERATION,
    nowMs: stack.clock.now(),
    trace: { traceId: '1'.padStart(32, '0'), spanId: '1'.padStart(16, '0'), sampled: false },
  }
  expect(await erasure.isLeaving(ctx)).toBe(false)
  await personalData.destroy(ctx, stack.clock.now())
  await erasure.step(ctx, erased as never)
  await erasure.step(ctx, erased as never)

  const both = await Promise.all([
    pushFact(stack, 'crashes', 'purge-started', 3, { operationId: OPERATION }),
    pushFact(stack, 'crashes', 'purge-started', 3, { operationId: OPERATION }),
  ])

  expect(both.every((status) => status === 204 || status === 500 || status === 503)).toBe(true)
  await pushFact(stack, 'crashes', 'purge-started', 3, { operationId: OPERATION })
  expect(answersOf('crashes').at(0)?.data.counts).toMatchObject({ users: 4, userLinks: 4, bindings: 1 })
  const distinct = new Set(answersOf('crashes').map((answer) => JSON.stringify(answer)))
  expect(distinct.size).toBe(1)
})

// No purge is ever older than news of a tenant that is there: such news is forged.
test('a purge is carried out and answered whatever sequence was heard before', async () => {
  const ctx = await aTenantWith('late-fact', 2)
  await pushFact(stack, 'late-fact', 'resumed', 9)

  await pushFact(stack, 'late-fact', 'purge-started', 4, { operationId: OPERATION })

  expect(await stack.deps.users.list(ctx, { limit: 5 })).toEqual([])
  expect(answersOf('late-fact')).toHaveLength(1)
})

test('whatever is told of a tenant but its purge erases nothing', async () => {
  const ctx = await aTenantWith('not-leaving', 2)
  await pushFact(stack, 'not-leaving', 'operation-stuck', 9, { state: 'GRACE', operationId: OPERATION })

  expect(await stack.deps.users.list(ctx, { limit: 5 })).toHaveLength(2)
  expect(answersOf('not-leaving')).toEqual([])
})

test('after the purge nothing personal can be read or written, not even from a copy of the documents', async () => {
  const ctx = await aTenantWith('shredded', 1)
  const [user] = await stack.deps.users.list(ctx, { limit: 1 })
  const sealed = user?.emailSealed as never

  await pushFact(stack, 'shredded', 'purge-started', 2, { operationId: OPERATION })

  const other = stack.another()
  expect(await stack.deps.personalData.open(ctx, sealed, 'email')).toBeUndefined()
  expect(await other.personalData.open(ctx, sealed, 'email')).toBeUndefined()
  await expect(other.personalData.seal(ctx, 'x', 'email')).rejects.toThrow(/destroyed/)
  expect(JSON.stringify(stack.firestore.dump('tenants/shredded'))).not.toContain('wrapped":"A')
})

test('the domains of a purged tenant can be proven by another', async () => {
  const ctx = await aTenantWith('had-domain', 0)
  const { system } = stack.deps.platform
  await system.commit([system.create('domainOwners', 'hexample', { tenantId: 'had-domain' })], 'c1')

  await pushFact(stack, 'had-domain', 'purge-started', 2, { operationId: OPERATION })

  expect(await stack.deps.erasure.isLeaving(ctx)).toBe(true)
  expect(stack.firestore.dump('domainOwners')).toEqual([])
})

test('once the tombstone stands, the fact of the end takes the last with it, and nothing comes back', async () => {
  await aTenantWith('gone-for-good', 1)
  await pushFact(stack, 'gone-for-good', 'purge-started', 2, { operationId: OPERATION })
  await bury(stack.deps.platform.database, 'gone-for-good')

  expect(
    await pushFact(stack, 'gone-for-good', 'purged', 3, { operationId: OPERATION, state: 'PURGED' }),
  ).toBe(204)
  expect(pathsOf('gone-for-good')).toEqual([])

  // A copy of an old fact, delivered again days later.
  expect(await pushFact(stack, 'gone-for-good', 'activated', 1)).toBe(204)
  expect(await pushFact(stack, 'gone-for-good', 'deletion-certificate-issued', 4, { state: 'PURGED' })).toBe(
    204,
  )
  expect(pathsOf('gone-for-good')).toEqual([])
})

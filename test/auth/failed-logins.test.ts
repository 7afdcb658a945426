import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { TenantId } from '#shared/ids.ts'
import { failedLoginCount } from '../../functions/auth/adapters/failed-login-count.ts'
import { failureWatch } from '../../functions/auth/adapters/failure-watch.ts'
import type { ClientId } from '../../functions/auth/domain/client-id.ts'
import { FREE_FAILURES } from '../../functions/auth/domain/lockout.ts'
import { tellLockout } from '../../functions/auth/operations/tell-lockout.ts'
import { type AuthStack, startAuth } from './support/auth-stack.ts'

let stack: AuthStack

beforeAll(async () => {
  stack = await startAuth()
})
afterAll(() => stack.close())
beforeEach(() => {
  stack.firestore.reset()
  stack.published.length = 0
})

const ACME = 'acme' as TenantId
const CLIENT = 'cid_acme_7Zk3PqW9xT4mB2nV' as ClientId
const failed = (reason: string, id: string = CLIENT) =>
  ({ tenantId: ACME, credential: 'client', id, reason }) as const

function facts(type: string): Record<string, unknown>[] {
  return stack.published
    .filter((message) => message.attributes['type'] === `ai.energent.auth.${type}.v1`)
    .map((message) => JSON.parse(Buffer.from(message.data).toString('utf8')).data)
}

test('failed attempts of a minute are one fact for each credential, told once', async () => {
  const count = failedLoginCount(stack.another().platform)
  const minute = 60_000 * Math.ceil(stack.clock.now() / 60_000)
  count.count(failed('wrong or expired secret'), minute)
  count.count(failed('wrong or expired secret'), minute + 30_000)
  count.count(failed('disabled client'), minute + 59_999)
  count.count(failed('unknown', 'cid_acme_another000000000'), minute + 59_999)

  const early = await count.flush(minute + 59_999)
  const told = await count.flush(minute + 60_000)
  const again = await count.flush(minute + 60_001)

  expect([early, told, again]).toEqual([0, 2, 0])
  expect(facts('login-failed')).toContainEqual({
    tenantId: 'acme',
    credential: 'client',
    id: CLIENT,
    count: 3,
    reasons: { 'wrong or expired secret': 2, 'disabled client': 1 },
    from: new Date(minute).toISOString(),
    to: new Date(minute + 60_000).toISOString(),
  })
})

test('a flood over many ids makes no flood of facts', async () => {
  const count = failedLoginCount(stack.another().platform)
  const minute = 60_000 * Math.ceil(stack.clock.now() / 60_000)
  for (let n = 0; n < 5_000; n += 1) count.count(failed('unknown client', `cid_acme_${n}`), minute)

  expect(await count.flush(minute + 60_000)).toBe(200)
})

test('a lock holds for a client at an address, and for neither of them elsewhere', () => {
  const watch = failureWatch()
  const nowMs = stack.clock.now()
  const here = { clientId: CLIENT, address: '203.0.113.7' }
  for (let n = 0; n < FREE_FAILURES; n += 1) watch.failed({ ...here, tenantId: undefined }, nowMs)

  expect(watch.lockedUntilMs(here, nowMs)).toBe(nowMs + 60_000)
  expect(watch.lockedUntilMs({ ...here, address: '203.0.113.8' }, nowMs)).toBe(0)
  expect(watch.lockedUntilMs({ ...here, clientId: 'cid_acme_another000000000' as ClientId }, nowMs)).toBe(0)
  watch.proven(here)
  expect(watch.lockedUntilMs(here, nowMs)).toBe(0)
})

test('the lock of a client that is there is a fact and an audit entry, without the address', async () => {
  const deps = stack.another()
  const watch = failureWatch()
  const nowMs = stack.clock.now()
  for (let n = 0; n < FREE_FAILURES + 5; n += 1) {
    const lock = watch.failed({ clientId: CLIENT, address: '203.0.113.7', tenantId: ACME }, nowMs)
    if (lock !== undefined) tellLockout(deps, lock)
  }

  await expect.poll(() => facts('lockout').length).toBe(1)
  expect(facts('lockout')[0]).toMatchObject({ tenantId: 'acme', id: CLIENT, failures: FREE_FAILURES })
  const audit = JSON.stringify(stack.firestore.dump('tenantAudit'))
  expect(audit).toContain('auth.client.locked_out')
  expect(JSON.stringify([audit, facts('lockout')])).not.toContain('203.0.113')
})

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { TenantId } from '#shared/ids.ts'
import { ok } from '#shared/result.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import { type AuthStack, startAuth } from './support/auth-stack.ts'
import { push, pushFact } from './support/tenant-facts.ts'

let stack: AuthStack
let tenant = ''
let tenants = 0
const OPERATION = 'op_01JD8K2M5QV7N9X3C6R8W1Y4ZA'

beforeAll(async () => {
  stack = await startAuth()
})
afterAll(() => stack.close())
beforeEach(() => {
  tenants += 1
  tenant = `tenant-${tenants}`
})

function state(of = tenant): Record<string, unknown> | undefined {
  return stack.firestore.dump(`tenants/${of}/auth_state/current`)[0]?.data
}

const bindings = () => stack.firestore.dump(`tenants/${tenant}/auth_bindings`).map((doc) => doc.data)

test('activated gives a tenant its state and its workload binding', async () => {
  const status = await pushFact(stack, tenant, 'activated', 5, { tier: 'premium' })

  expect(status).toBe(204)
  expect(state()).toMatchObject({
    status: 'ACTIVE',
    tier: 'premium',
    version: 1,
    notBefore: 0,
    sequence: '5',
  })
  expect(bindings()).toMatchObject([
    { cluster: 'energent-shared', ns: `tenant-${tenant}`, sa: 'tenant-workload' },
  ])
})

// Pub/Sub delivers late, more than once and out of order; the number decides.
test.each([
  ['a latecomer', 4],
  ['a copy under another id', 7],
])('%s changes nothing', async (_name, sequence) => {
  await pushFact(stack, tenant, 'suspended', 7)
  const before = state()

  const status = await pushFact(stack, tenant, 'activated', sequence, { eventId: `late-${sequence}` })

  expect(status).toBe(204)
  expect(state()).toEqual(before)
  expect(bindings()).toEqual([])
})

test('numbers are compared as numbers, beyond what a double can hold', async () => {
  await pushFact(stack, tenant, 'activated', 9n)
  await pushFact(stack, tenant, 'suspended', 10n)
  await pushFact(stack, tenant, 'resumed', 9007199254740993n)
  await pushFact(stack, tenant, 'suspended', 9007199254740992n)

  expect(state()).toMatchObject({ status: 'ACTIVE', sequence: '9007199254740993' })
})

test('an event delivered twice is applied once, and every delivery is acknowledged', async () => {
  const statuses = await Promise.all(
    Array.from({ length: 6 }, () => pushFact(stack, tenant, 'activated', 1, { eventId: `dup-${tenant}` })),
  )

  expect(statuses).toEqual([204, 204, 204, 204, 204, 204])
  expect(bindings()).toHaveLength(1)
  expect(stack.firestore.dump(`tenantAudit/${tenant}`)).toHaveLength(1)
})

test('a binding that somebody changed is not put back by a second activation', async () => {
  await pushFact(stack, tenant, 'activated', 1)
  await pushFact(stack, tenant, 'suspended', 2)
  await pushFact(stack, tenant, 'activated', 3)

  expect(bindings()).toHaveLength(1)
})

// Nobody waits for a gap: the fact that would have set the watermark may come last or never.
test.each(['suspend-started', 'suspended', 'purge-started'] as const)(
  '%s revokes what was issued before, even as the first sign',
  async (kind) => {
    await pushFact(stack, tenant, 'activated', 1)
    stack.clock.advance(1_500)

    await pushFact(stack, tenant, kind, 9)

    expect(state()).toMatchObject({ notBefore: Math.floor(stack.clock.now() / 1000) })
  },
)

// Whoever may publish chooses the number; lifecycle's own facts come after it with lower ones.
test('a forged sequence does not call a tenant back that is being purged', async () => {
  await pushFact(stack, tenant, 'activated', 1)
  await pushFact(stack, tenant, 'purge-started', 2, { operationId: OPERATION })
  const before = state()

  expect(await pushFact(stack, tenant, 'activated', 9999)).toBe(204)

  expect(state()).toEqual(before)
  expect(bindings()).toEqual([])
})

test('a forged sequence does not hide the purge, nor its being asked for again', async () => {
  await pushFact(stack, tenant, 'activated', 9999)
  await pushFact(stack, tenant, 'purge-started', 2, { operationId: OPERATION })
  expect(state()).toMatchObject({ status: 'PURGING', sequence: '2' })
  await pushFact(stack, tenant, 'activated', 10_000)
  // As a latecomer might have made it after auth had answered.
  const ctx = openAsDeployer(tenant as TenantId, 'test', 'test', stack.clock.now())
  await stack.deps.platform.tenants.optimistic(ctx, undefined, async (db) =>
    ok({ value: undefined, writes: [db.create(['auth_bindings', 'late'], { cluster: 'c', ns: 'n' })] }),
  )
  expect(bindings()).toHaveLength(1)

  await pushFact(stack, tenant, 'purge-started', 2, { operationId: OPERATION, eventId: `again-${tenant}` })

  expect(bindings()).toEqual([])
  expect(state()).toMatchObject({ status: 'PURGING' })
})

test('purged is applied under whatever sequence, and nothing is after it', async () => {
  await pushFact(stack, tenant, 'purge-started', 50)
  await pushFact(stack, tenant, 'purged', 7, { state: 'PURGED' })
  await pushFact(stack, tenant, 'purge-started', 51)
  await pushFact(stack, tenant, 'activated', 9999)

  expect(state()).toMatchObject({ status: 'PURGED', sequence: '7' })
})

test('a watermark never goes back', async () => {
  await pushFact(stack, tenant, 'activated', 1)
  await pushFact(stack, tenant, 'suspend-started', 2)
  const watermark = state()?.['notBefore']
  stack.clock.advance(60_000)

  await pushFact(stack, tenant, 'resumed', 3)
  await pushFact(stack, tenant, 'tier-changed', 4, { tier: 'basic' })

  expect(state()).toMatchObject({ status: 'ACTIVE', tier: 'basic', notBefore: watermark })
})

test('a fact about the operators’ tenant is refused: nobody suspends them by event', async () => {
  const status = await pushFact(stack, 'platform', 'suspend-started', 1)

  expect(status).toBe(204)
  expect(state('platform')).toBeUndefined()
  expect(quarantined('platform')).toHaveLength(1)
})

test('the same event id with other content is set aside', async () => {
  await pushFact(stack, tenant, 'activated', 1, { eventId: `same-${tenant}` })
  await pushFact(stack, tenant, 'suspended', 2, { eventId: `same-${tenant}` })

  expect(state()).toMatchObject({ status: 'ACTIVE' })
  expect(quarantined(tenant)).toMatchObject([{ code: 'event.id_reused' }])
})

test.each([
  ['another tenant in data', { data: { tenantId: 'acme' } }],
  ['a state nobody knows', { data: { state: 'HAPPY' } }],
  ['no sequence', { sequence: undefined }],
])('a fact with %s is set aside and acknowledged', async (_name, change) => {
  const event = {
    specversion: '1.0',
    id: `bad-${tenant}`,
    source: '//energent.ai/tenant-events',
    type: 'ai.energent.tenant.activated.v1',
    subject: `tenants/${tenant}`,
    time: new Date(stack.clock.now()).toISOString(),
    tenantid: tenant,
    sequence: '1',
    ...change,
    data: {
      tenantId: tenant,
      state: 'ACTIVE',
      tier: 'standard',
      deploymentModel: 'multi_tenant',
      cluster: 'c',
      namespace: 'n',
      revision: 1,
      at: new Date(stack.clock.now()).toISOString(),
      ...('data' in change ? change.data : {}),
    },
  }

  const status = await push(stack, 'tenant-facts', Buffer.from(JSON.stringify(event)), { type: event.type })

  expect(status).toBe(204)
  expect(state()).toBeUndefined()
})

test('a message that is no JSON harms nobody else', async () => {
  expect(await push(stack, 'tenant-facts', Buffer.from('{'), {})).toBe(204)
  expect(await pushFact(stack, tenant, 'activated', 1)).toBe(204)
  expect(state()).toMatchObject({ status: 'ACTIVE' })
})

test('when the store fails, the fact comes again', async () => {
  let commits = 0
  // ABORTED would be contention; UNKNOWN is a store that went wrong, which the client does not retry.
  stack.firestore.setFault((rpc) => {
    if (rpc !== 'Commit' || commits > 0) return undefined
    commits += 1
    return { mode: 'refuse', code: 2 }
  })
  const first = await pushFact(stack, tenant, 'activated', 1)
  stack.firestore.setFault(undefined)
  const second = await pushFact(stack, tenant, 'activated', 1)

  expect([first, second]).toEqual([500, 204])
  expect(state()).toMatchObject({ status: 'ACTIVE', sequence: '1' })
})

test('an answer lost after the commit is recognised as our own success', async () => {
  let lost = 0
  stack.firestore.setFault((rpc) => {
    if (rpc !== 'Commit' || lost > 0) return undefined
    lost += 1
    return { mode: 'lostAnswer' }
  })
  const status = await pushFact(stack, tenant, 'activated', 1)
  stack.firestore.setFault(undefined)

  expect(lost).toBe(1)
  expect(status).toBe(204)
  expect(stack.firestore.dump(`tenantAudit/${tenant}`)).toHaveLength(1)
})

function quarantined(of: string): Record<string, unknown>[] {
  return stack.firestore
    .dump('auth_quarantine')
    .map((doc) => doc.data)
    .filter((data) => data['tenantId'] === of)
}

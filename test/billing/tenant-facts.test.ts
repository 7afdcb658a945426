import { afterEach, beforeEach, expect, test } from 'vitest'
import { aFreeze, aTierCharge } from './support/contracts.ts'
import { aSubscriptionCommand, aTenantFact, aUsageEvent, startWorld, type World } from './support/world.ts'

let world: World
beforeEach(async () => {
  world = await startWorld()
})
afterEach(() => world.close())

const projection = (tenant = 'acme') => world.documents(`tenants/${tenant}/billing_tenant`)[0]?.data

test('the highest sequence wins in whatever order facts arrive, compared as numbers', async () => {
  const fact = (sequence: bigint, state: string) => aTenantFact({ sequence, state, kind: 'operation-stuck' })
  for (const one of [
    fact(9n, 'SUSPENDED'),
    fact(10n, 'ACTIVE'),
    fact(2n, 'PROVISIONING'),
    fact(10n, 'GRACE'),
  ]) {
    expect(await world.fact(one)).toBe(204)
  }
  expect(projection()).toMatchObject({ state: 'ACTIVE', sequence: '10' })
})

test('sequences beyond 2^53 are still told apart', async () => {
  await world.fact(aTenantFact({ sequence: 9007199254740993n, state: 'SUSPENDED', kind: 'suspended' }))
  await world.fact(aTenantFact({ sequence: 9007199254740992n, state: 'ACTIVE' }))
  expect(projection()).toMatchObject({ state: 'SUSPENDED' })
})

test('facts delivered at the same time leave the newest', async () => {
  const facts = [4n, 1n, 3n, 5n, 2n].map((sequence) =>
    aTenantFact({ sequence, tier: sequence === 5n ? 'premium' : 'basic' }),
  )
  await Promise.all(facts.map((fact) => world.fact(fact)))
  expect(projection()).toMatchObject({ sequence: '5', tier: 'premium' })
})

test('a fact without a sequence is quarantined', async () => {
  const { sequence: _sequence, ...fact } = aTenantFact({})
  expect(await world.fact(fact)).toBe(204)
  expect(projection()).toBeUndefined()
  expect(world.documents('billing_quarantine')).toHaveLength(1)
})

test('a store that is down is not acknowledged', async () => {
  world.engine.setFault((rpc) => (rpc === 'Commit' ? { mode: 'error' } : undefined))
  expect(await world.fact(aTenantFact({}))).toBe(500)
})

test.each(['platform', 'system', 'energent', 'admin', 'internal'])(
  'a fact about the reserved tenant %s changes nothing',
  async (tenant) => {
    expect(await world.fact(aTenantFact({ tenant, kind: 'purged', state: 'PURGED', sequence: 99n }))).toBe(
      204,
    )
    expect(projection(tenant)).toBeUndefined()
    expect(world.documents('billing_quarantine')[0]?.data).toMatchObject({ code: 'event.malformed' })
  },
)

test('operators have no usage that waits for ever, and no subscription', async () => {
  await world.command(aSubscriptionCommand({ id: 'c', tenant: 'platform' }))
  await world.usage([aUsageEvent({ id: 'a', tenant: 'platform' })])
  const quarantined = world.documents('billing_quarantine').map((doc) => doc.data)
  expect(quarantined.map(({ code }) => code).sort()).toEqual(['event.malformed', 'tenant.state_conflict'])
  expect(quarantined.filter(({ status }) => status === 'awaiting-tenant')).toEqual([])
  expect(world.documents('tenants/platform')).toEqual([])
})

test('a fact id that was used for another fact changes nothing and is set aside', async () => {
  await world.fact(aTenantFact({ id: 'f', sequence: 3n, state: 'ACTIVE' }))
  expect(await world.fact(aTenantFact({ id: 'f', sequence: 4n, state: 'PURGED', kind: 'purged' }))).toBe(204)
  expect(projection()).toMatchObject({ state: 'ACTIVE', sequence: '3' })
  expect(world.documents('billing_quarantine')[0]?.data).toMatchObject({ code: 'event.id_reused' })
})

// Whoever may publish chooses the number; lifecycle's own facts come after it with lower ones.
test('a forged sequence neither hides a purge nor calls the tenant back', async () => {
  await world.fact(aTenantFact({ id: 'f1', kind: 'activated', sequence: 9999n }))
  await world.fact(aTenantFact({ id: 'p', kind: 'purge-started', state: 'PURGING', sequence: 5n }))
  expect(projection()).toMatchObject({ state: 'PURGING', sequence: '5' })

  await world.fact(aTenantFact({ id: 'f2', kind: 'activated', sequence: 10_000n }))
  expect(projection()).toMatchObject({ state: 'PURGING', sequence: '5' })

  await world.fact(aTenantFact({ id: 'e', kind: 'purged', state: 'PURGED', sequence: 4n }))
  await world.fact(aTenantFact({ id: 'p2', kind: 'purge-started', state: 'PURGING', sequence: 99n }))
  await world.fact(aTenantFact({ id: 'f3', kind: 'activated', sequence: 10_001n }))
  expect(projection()).toMatchObject({ state: 'PURGED', sequence: '4' })
})

// It would be there after the erasure that the purge waits for.
test('what comes late about a tenant that is being purged leaves no document', async () => {
  await world.fact(
    aTenantFact({ kind: 'purge-started', state: 'PURGING', sequence: 50n, operationId: 'op_p' }),
  )
  const before = world.documents('tenants/acme').map(({ path }) => path)
  for (const late of [
    aTenantFact({ kind: 'tier-change-failed', operationId: 'op_1', sequence: 40n }),
    aTenantFact({ kind: 'resumed', operationId: 'op_1', sequence: 41n }),
  ]) {
    expect(await world.fact(late)).toBe(204)
  }
  expect(await world.command(aFreeze({ id: 'c1' }))).toBe(204)
  expect(await world.command(aTierCharge({ id: 'c2' }))).toBe(204)
  expect(world.documents('tenants/acme').map(({ path }) => path)).toEqual(before)
})

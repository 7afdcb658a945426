import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import type { Tier } from '#shared/catalogue/tiers.ts'
import type { ScopedDb } from '#shared/firestore/scoped.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { hashedId } from '#shared/ids.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { firestoreSubscriptions } from '../../../functions/billing/adapters/subscriptions.ts'
import { EXAMPLE_PLANS } from '../../../functions/billing/domain/example-plans.ts'
import { cancelSubscription, requestSubscription } from '../../../functions/billing/domain/subscription.ts'
import type { Subscriptions } from '../../../functions/billing/ports.ts'
import { START_MS } from '../../shared/support/platform.ts'
import { contextOf, openStore, type TestStore } from '../../shared/support/store.ts'

let tenants = 0
const aTenant = () => {
  tenants += 1
  return contextOf(`tenant${tenants}`)
}

let engine: FirestoreEngine
let store: TestStore

beforeAll(async () => {
  engine = await startFirestoreEngine({ now: () => START_MS })
  store = openStore(engine.host, 'billing')
})

afterAll(async () => {
  await store.close()
  await engine.close()
})

/** Runs `between` once, after the `nth` read of a decision. */
function interrupted(
  tenants: TenantFirestore,
  nth: number,
  between: () => Promise<unknown>,
): TenantFirestore {
  let reads = 0
  const watched = <S>(db: ScopedDb<S>): ScopedDb<S> => ({
    ...db,
    find: async (...read) => {
      const found = await db.find(...read)
      reads += 1
      if (reads === nth) await between()
      return found
    },
  })
  return {
    ...tenants,
    optimistic: (ctx, claim, decide) => tenants.optimistic(ctx, claim, (db) => decide(watched(db))),
  }
}

function over(tenants: TenantFirestore): Subscriptions {
  return firestoreSubscriptions({
    tenants,
    publisher: { publish: async () => 'm1' },
    clock: store.clock,
  })
}

/** One of its own for each use: the same test runs for many tenants. */
const claimOf = (what: string) => {
  const id = hashedId(what, String(tenants))
  return { id, kind: 'event' as const, digest: id, keepMs: 1_000 }
}

/** One operation's request, as its command is handled. */
function request(subscriptions: Subscriptions, tenant: TenantContext, operationId: string, tier: Tier) {
  return subscriptions.change(tenant, claimOf(`request ${operationId}`), operationId, (current) => {
    const plan = EXAMPLE_PLANS.find((candidate) => candidate.tier === tier)
    const asked = { tier, operationId, trialEndsAtMs: undefined, nowMs: START_MS, plan }
    const decision = requestSubscription(tenant.tenantId, current, asked)
    const answer = { round: 1, order: '1', fact: '{}' }
    return decision.outcome === 'ready'
      ? { subscription: decision.subscription, answer: { ...answer, outcome: 'ready' } }
      : { answer: { ...answer, outcome: 'refused' } }
  })
}

function cancel(subscriptions: Subscriptions, tenant: TenantContext, operationId: string) {
  return subscriptions.change(tenant, claimOf(`cancel ${operationId}`), operationId, (current, answer) => {
    const cancelled = cancelSubscription(current, operationId, START_MS)
    return {
      ...(cancelled === undefined ? {} : { subscription: cancelled }),
      answer: { outcome: 'cancelled', round: answer?.round ?? 0, order: '2' },
    }
  })
}

// Pub/Sub delivers the two at once when a request comes late or again.
test.each([1, 2])(
  'a request that commits after read %i of its cancellation is cancelled all the same',
  async (read) => {
    const tenant = aTenant()
    const asking = () => request(over(store.tenants), tenant, 'op_1', 'standard')
    const cancelling = over(interrupted(store.tenants, read, asking))

    await cancel(cancelling, tenant, 'op_1')

    expect((await cancelling.findAnswer(tenant, 'op_1'))?.outcome).toBe('cancelled')
    expect((await cancelling.find(tenant))?.status).toBe('cancelled')
  },
)

// An operation that failed is undone while the next one asks; Pub/Sub keeps no order between the two.
describe.each([
  ['the same tier', 'standard'],
  ['another tier', 'enterprise'],
] as const)('a request for %s beside the cancellation of another operation', (_what, tier) => {
  const outcomes = async (tenant: TenantContext) => {
    const plain = over(store.tenants)
    const subscription = await plain.find(tenant)
    const answer = await plain.findAnswer(tenant, 'op_2')
    return [answer?.outcome, subscription?.status, subscription?.tier, subscription?.holders]
  }

  test.each([1, 2])('is answered by what is true once the cancellation cut in at read %i', async (read) => {
    const tenant = aTenant()
    await request(over(store.tenants), tenant, 'op_1', 'standard')
    const cancelling = () => cancel(over(store.tenants), tenant, 'op_1')

    await request(over(interrupted(store.tenants, read, cancelling)), tenant, 'op_2', tier)

    expect(await outcomes(tenant)).toEqual(['ready', 'active', tier, ['op_2']])
  })

  test.each([1, 2])('stands when it cut in at read %i of the cancellation', async (read) => {
    const tenant = aTenant()
    await request(over(store.tenants), tenant, 'op_1', 'standard')
    const asking = () => request(over(store.tenants), tenant, 'op_2', tier)

    await cancel(over(interrupted(store.tenants, read, asking)), tenant, 'op_1')

    expect(await outcomes(tenant)).toEqual(
      tier === 'standard'
        ? ['ready', 'active', 'standard', ['op_2']]
        : ['refused', 'cancelled', 'standard', []],
    )
  })
})

test('a subscription that an older release wrote is held by the operation that began it', async () => {
  const current = await startedBy('op_1')
  const { holders: _none, ...older } = current
  expect(cancelSubscription(older, 'op_2', START_MS)).toBeUndefined()
  expect(cancelSubscription(older, 'op_1', START_MS)).toMatchObject({ status: 'cancelled' })
})

async function startedBy(operationId: string) {
  const tenant = aTenant()
  await request(over(store.tenants), tenant, operationId, 'standard')
  const found = await over(store.tenants).find(tenant)
  if (found === undefined) throw new Error('it was requested')
  return found
}

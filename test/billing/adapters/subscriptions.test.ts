import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import type { ScopedDb } from '#shared/firestore/scoped.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { firestoreSubscriptions } from '../../../functions/billing/adapters/subscriptions.ts'
import { cancelSubscription, requestSubscription } from '../../../functions/billing/domain/subscription.ts'
import type { Subscriptions } from '../../../functions/billing/ports.ts'
import { START_MS } from '../../shared/support/platform.ts'
import { contextOf, openStore, type TestStore } from '../../shared/support/store.ts'

const ACME = contextOf('acme')
const OPERATION = 'op_1'

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

/** Runs `between` once, after the first read of a decision. */
function interrupted(tenants: TenantFirestore, between: () => Promise<unknown>): TenantFirestore {
  let reads = 0
  const watched = <S>(db: ScopedDb<S>): ScopedDb<S> => ({
    ...db,
    find: async (...read) => {
      const found = await db.find(...read)
      reads += 1
      if (reads === 1) await between()
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

const claimOf = (id: string) => ({ id, kind: 'event' as const, digest: id, keepMs: 1_000 })

// Pub/Sub delivers the two at once when a request comes late or again.
test('a request that commits while its cancellation reads is cancelled all the same', async () => {
  const request = () =>
    over(store.tenants).change(ACME, claimOf('request'), OPERATION, (current) => {
      const fields = { tier: 'standard', operationId: OPERATION, trialEndsAtMs: undefined } as const
      const decision = requestSubscription('acme', current, { ...fields, nowMs: START_MS })
      if (decision.outcome !== 'ready') throw new Error('the plan is there')
      return {
        subscription: decision.subscription,
        answer: { outcome: 'ready', round: 1, order: '1', fact: '{}' },
      }
    })
  const cancelling = over(interrupted(store.tenants, request))

  await cancelling.change(ACME, claimOf('cancel'), OPERATION, (current, answer) => {
    const cancelled = cancelSubscription(current, OPERATION, START_MS)
    return {
      ...(cancelled === undefined ? {} : { subscription: cancelled }),
      answer: { outcome: 'cancelled', round: answer?.round ?? 0, order: '2' },
    }
  })

  expect((await cancelling.findAnswer(ACME, OPERATION))?.outcome).toBe('cancelled')
  expect((await cancelling.find(ACME))?.status).toBe('cancelled')
})

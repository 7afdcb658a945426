import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { requestClaim } from '#shared/firestore/claim.ts'
import type { SystemFirestore } from '#shared/firestore/system.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { ok } from '#shared/result.ts'
import { firestoreLifecycleStore } from '../../../functions/tenant-events/adapters/lifecycle-store.ts'
import { acceptTenant } from '../../../functions/tenant-events/domain/accept-tenant.ts'
import type { LifecycleStore } from '../../../functions/tenant-events/ports.ts'
import { openStore, type TestStore } from '../../shared/support/store.ts'
import { manualClockAt } from '../messages.ts'
import { ACME, aRequest, contextOf } from '../world.ts'

const clock = manualClockAt('2026-11-23T09:00:00Z')
let engine: FirestoreEngine
let store: TestStore
beforeAll(async () => {
  engine = await startFirestoreEngine({ now: clock.now })
  store = openStore(engine.host)
})
afterAll(async () => {
  await store.close()
  await engine.close()
})
beforeEach(() => engine.reset())

const plain = () => firestoreLifecycleStore(store.tenants, store.system)
const create = (own: LifecycleStore, operationId: string) =>
  own.create(contextOf(ACME), undefined, (taken) => {
    const accepted = acceptTenant(aRequest(), taken, { operationId, nowMs: clock.now() })
    return accepted.ok ? ok({ value: { operationId }, audit: [], ...accepted.value }) : accepted
  })

// A whole life may pass between asking whether an id is taken and taking it.
test('an id whose tombstone comes in between is not given again', async () => {
  const late = firestoreLifecycleStore(buriedBetween(store.system), store.system)
  const again = await create(late, 'op_2')
  expect(again).toMatchObject({ ok: false, code: 'tenant.id_taken' })
  expect(await late.findTenant(contextOf(ACME))).toBeUndefined()
})

// With its claim taken nobody looks again: what made it nothing to do must still hold.
test('an event that changes nothing rests on documents that have not changed either', async () => {
  const own = plain()
  await create(own, 'op_1')
  const seen: number[] = []
  const racing = firestoreLifecycleStore(
    racedStore(() =>
      own.change(contextOf(ACME), undefined, 'op_1', ({ tenant }) =>
        ok({ value: 0, tenant: { ...tenant, specRevision: tenant.specRevision + 1 } }),
      ),
    ),
    store.system,
  )
  const claim = requestClaim('somebody', 'look', 'key', 'd')
  await racing.change(contextOf(ACME), claim, 'op_1', ({ tenant }) => {
    seen.push(tenant.specRevision)
    return ok({ value: 1 })
  })
  expect(seen).toEqual([1, 2])
})

/** The tenants' store in which something happens once, between a decision and its commit. */
function racedStore(between: () => Promise<unknown>): TenantFirestore {
  let happened = false
  return {
    ...store.tenants,
    optimistic: (ctx, claim, decide) =>
      store.tenants.optimistic(ctx, claim, async (db) => {
        const decision = await decide(db)
        if (!happened) {
          happened = true
          await between()
        }
        return decision
      }),
  }
}

const buriedBetween = (system: SystemFirestore): TenantFirestore =>
  racedStore(() => system.commit([system.create('tombstones', ACME, {})], 'purge'))

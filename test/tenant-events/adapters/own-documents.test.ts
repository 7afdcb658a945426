import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import type { Group } from '#shared/catalogue/functions.ts'
import { closeDatabase, type Database, openDatabase } from '#shared/firestore/database.ts'
import { createOutbox } from '#shared/firestore/outbox.ts'
import { systemFirestore } from '#shared/firestore/system.ts'
import { type TenantFirestore, tenantFirestore } from '#shared/firestore/tenant-store.ts'
import { systemIds, type TenantId } from '#shared/ids.ts'
import { silentLogger } from '#shared/log.ts'
import { firestoreQuarantine } from '#shared/pubsub/quarantine.ts'
import { ok } from '#shared/result.ts'
import { firestoreOwnDocuments } from '../../../functions/tenant-events/adapters/own-documents.ts'
import { manualClockAt } from '../messages.ts'
import { ACME, contextOf } from '../world.ts'

const GLOBEX = 'globex' as TenantId
const clock = manualClockAt('2026-11-23T09:00:00Z')
let engine: FirestoreEngine
let database: Database

beforeAll(async () => {
  engine = await startFirestoreEngine({ now: clock.now })
  database = openDatabase({ project: 'demo-test', databaseId: '(default)', emulatorHost: engine.host })
})
afterAll(async () => {
  await closeDatabase(database)
  await engine.close()
})
beforeEach(() => engine.reset())

function tenantsOf(group: Group): TenantFirestore {
  const system = systemFirestore(database, group)
  const publisher = { publish: async () => 'id' }
  const outbox = createOutbox({ group, system, publisher, clock, log: silentLogger })
  return tenantFirestore({ database, group, clock, ids: systemIds, outbox })
}

const ORIGIN = { messageId: 'm', traceId: 't', orderingKey: '' }

const documents = () =>
  firestoreOwnDocuments({
    ...{ database, clock, ids: systemIds },
    tenants: tenantsOf('lifecycle'),
    system: systemFirestore(database, 'lifecycle'),
  })

/** Writes documents as their group would. */
async function write(group: Group, tenantId: TenantId, ...paths: readonly string[]): Promise<void> {
  const done = await tenantsOf(group).optimistic(contextOf(tenantId), undefined, async (db) =>
    ok({
      value: undefined,
      writes: paths.map((path) => db.create(path.split('/'), { any: 'thing' })),
      audit: [{ action: 'written', target: 'x' }],
    }),
  )
  expect(done.ok).toBe(true)
}

test('counts what anybody keeps below a tenant, also what lies below documents that are gone', async () => {
  await write('auth', ACME, 'auth_users/u1', 'auth_users/u2')
  await write('billing', ACME, 'billing_neverListed/x', 'billing_invoices/gone/lines/l1')
  await write('lifecycle', ACME, 'lifecycle_operations/op_1')
  await write('auth', GLOBEX, 'auth_users/u3')

  expect(await documents().countLeft(contextOf(ACME), 'op_1')).toEqual({
    auth_users: 2,
    billing_neverListed: 1,
    'billing_invoices/lines': 1,
  })
  expect(await documents().countLeft(contextOf(ACME), 'op_2')).toMatchObject({ lifecycle_operations: 1 })
})

test('erases what nobody could prove to be the tenant’s and names it, and nothing of who is proven', async () => {
  const system = systemFirestore(database, 'lifecycle')
  const purged = { has: async (tenantId: TenantId) => tenantId === 'gone-long-ago' }
  const quarantine = firestoreQuarantine('lifecycle', system, systemIds, purged)
  const put = (id: string, text: string, but: object = {}) =>
    quarantine.put({
      ...{ id, code: 'event.malformed', detail: '', subscription: 's', messageId: id, atMs: 1 },
      payload: Buffer.from(text),
      ...but,
    })
  const attributes = (tenantid: string) => ({ origin: { ...ORIGIN, attributes: { tenantid } } })
  await put('cut-off', '{"tenantid":"acme","data":{"mail":"ada@acme.exam')
  await put('by-subject', '{"subject":"tenants/acme","tenantid":"globex"}')
  await put('by-attribute', 'broken', attributes('acme'))
  await put('long', `{"tenantId": "acme", "x": "${'x'.repeat(600 * 1024)}"`)
  await put('of-another', '{"subject":"tenants/globex","data":{"tenantId":"acme"}}', { tenantId: 'globex' })
  await put('of-nobody', '{"tenantid":"acme-two"}')
  await put('late', '{"tenantid":"gone-long-ago","mail":"ada@gone.example"}')

  const counted: number[] = []
  for (;;) {
    const erased = await documents().eraseSome(contextOf(ACME), 'op_1')
    if (Object.keys(erased).length === 0) break
    counted.push(erased['lifecycle_quarantine'] ?? 0)
  }

  const left = await system.list('lifecycle_quarantine', { limit: 20 }, (raw) => ok(raw))
  expect(left.map(({ id }) => id)).toEqual(['of-another', 'of-nobody'])
  expect(counted).toEqual([5])
})

test('erases lifecycle’s own, some at a time, but for the operation that needs it, and no neighbour’s', async () => {
  const many = Array.from({ length: 130 }, (_, index) => `lifecycle_operations/op_${index}`)
  await write('lifecycle', ACME, ...many)
  await write('lifecycle', GLOBEX, 'lifecycle_operations/op_5')
  const system = systemFirestore(database, 'lifecycle')
  const timers = [ACME, GLOBEX].map((tenantId) => system.create('timers', `t_${tenantId}`, { tenantId }))
  await system.commit(timers, 'timers')

  const erased: Record<string, number>[] = []
  for (;;) {
    const some = await documents().eraseSome(contextOf(ACME), 'op_7')
    if (Object.keys(some).length === 0) break
    erased.push({ ...some })
  }

  expect(erased).toEqual([{ timers: 1 }, { lifecycle_operations: 100 }, { lifecycle_operations: 29 }])
  expect(engine.dump('tenants/acme').map(({ path }) => path)).toEqual([
    'tenants/acme/lifecycle_operations/op_7',
  ])
  expect(engine.dump('tenants/globex')).toHaveLength(1)
  expect(engine.dump('timers').map(({ path }) => path)).toEqual(['timers/t_globex'])
})

test('the root of the audit changes with each entry, and is that of this tenant alone', async () => {
  await write('lifecycle', ACME, 'lifecycle_operations/op_1')
  const before = await documents().auditRoot(contextOf(ACME))
  await write('lifecycle', GLOBEX, 'lifecycle_operations/op_1')
  expect(await documents().auditRoot(contextOf(ACME))).toEqual(before)

  await write('lifecycle', ACME, 'lifecycle_operations/op_2')

  const after = await documents().auditRoot(contextOf(ACME))
  expect([before.segments, after.segments]).toEqual([1, 2])
  expect(after.root).not.toBe(before.root)
})

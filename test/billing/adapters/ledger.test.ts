import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { manualClock } from '#shared/clock.ts'
import { closeDatabase, type Database, openDatabase } from '#shared/firestore/database.ts'
import { tenantFirestore } from '#shared/firestore/tenant-store.ts'
import { systemIds, type TenantId } from '#shared/ids.ts'
import { TenantContext } from '#shared/tenancy/context.ts'
import { prove } from '#shared/tenancy/proofs.ts'
import { firestoreLedger } from '../../../functions/billing/adapters/ledger.ts'
import { batchIdOf, makeBatches } from '../../../functions/billing/domain/usage-batch.ts'
import { parseUsageEvent, type UsageEvent } from '../../../functions/billing/domain/usage-event.ts'
import type { Ledger } from '../../../functions/billing/ports.ts'
import { firestoreEngines } from '../../support/engines.ts'
import { aUsageEvent, NOW } from '../support/world.ts'

const DAY: { fromMs: number; toMs: number } = {
  fromMs: Date.parse('2026-11-23T00:00:00Z'),
  toMs: Date.parse('2026-11-24T00:00:00Z'),
}

describe.each(firestoreEngines())('the ledger on the $name engine', (engine) => {
  let database: Database
  let ledger: Ledger
  const run = systemIds.bytes(4).toString('hex')
  const tenant = (name: string) => `t${run}-${name}` as TenantId
  const contextOf = (tenantId: TenantId) =>
    new TenantContext(prove.event({ tenantId, eventId: 'e', type: 'test' }))

  beforeAll(async () => {
    database = openDatabase({
      project: 'demo-test',
      databaseId: '(default)',
      emulatorHost: await engine.host(),
    })
    const outbox = { dispatch: async () => {}, sweep: async () => ({ published: 0, failed: 0 }) }
    const clock = manualClock(NOW)
    ledger = firestoreLedger(tenantFirestore({ database, group: 'billing', clock, ids: systemIds, outbox }))
  })
  afterAll(async () => {
    await closeDatabase(database)
    await engine.close()
  })

  const batchesOf = (tenantId: TenantId, ...events: Parameters<typeof aUsageEvent>[0][]) => {
    const parsed = events.map((fields): UsageEvent => {
      const rules = { tenantId, nowMs: NOW, maxAgeMs: 35 * 86_400_000, producer: 'collector' } as const
      const event = parseUsageEvent(aUsageEvent({ ...fields, tenant: tenantId }), rules)
      if (!event.ok) throw new Error(event.detail)
      return event.value
    })
    return makeBatches(parsed, { batchId: batchIdOf(parsed), tenantId, mixed: false, producer: 'collector' })
  }

  test('a batch is stored once, and says so when it comes again', async () => {
    const id = tenant('once')
    const [batch] = batchesOf(id, { id: 'a' }, { id: 'b' })
    if (batch === undefined) throw new Error('no batch')
    expect(await ledger.append(contextOf(id), batch, NOW)).toBe('stored')
    expect(await ledger.append(contextOf(id), batch, NOW)).toBe('duplicate')
    const read = await ledger.read(contextOf(id), DAY)
    expect(read.ok && read.value.map((event) => event.id).sort()).toEqual(['a', 'b'])
    expect(read.ok && read.value.map((event) => event.digest)).toEqual(
      batch.events.map((event) => event.digest),
    )
  })

  test('more batches than one page are all read, in a day and across days', async () => {
    const id = tenant('pages')
    const all = Array.from({ length: 110 }, (_, index) =>
      batchesOf(
        id,
        { id: `e${index}`, time: '2026-11-23T01:00:00Z' },
        // A batch that touches two days is read once.
        { id: `y${index}`, time: '2026-11-22T01:00:00Z' },
      ),
    ).flat()
    for (let at = 0; at < all.length; at += 10) {
      await Promise.all(all.slice(at, at + 10).map((batch) => ledger.append(contextOf(id), batch, NOW)))
    }
    const read = await ledger.read(contextOf(id), { fromMs: DAY.fromMs - 86_400_000, toMs: DAY.toMs })
    expect(read.ok && read.value.length).toBe(220)
  })

  test('neither a neighbour nor another day is read', async () => {
    const [mine, theirs] = [tenant('mine'), tenant('theirs')]
    for (const batch of batchesOf(theirs, { id: 'a' })) await ledger.append(contextOf(theirs), batch, NOW)
    for (const batch of batchesOf(mine, { id: 'b', time: '2026-11-22T23:59:59.999Z' })) {
      await ledger.append(contextOf(mine), batch, NOW)
    }
    const read = await ledger.read(contextOf(mine), DAY)
    expect(read).toEqual({ ok: true, value: [] })
  })
})

import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { dayKeysOf } from '../domain/calendar.ts'
import { finish } from '../domain/steps.ts'
import type { CountedEvent } from '../domain/usage-event.ts'
import type { Ledger, LedgerBatch, Reading } from '../ports.ts'
import { type DecodedBatches, decodedBatches } from './decoded-batches.ts'
import { aloneReading } from './shared-reads.ts'
import {
  BATCHES,
  batchWrites,
  documentName,
  parseBatch,
  type StoredBatch,
  unpacking,
} from './stored-batches.ts'

export { LIVE_SHARDS } from './stored-batches.ts'

/** Batches read by one query. */
const PAGE = 50
/** Days, or hours, read at the same time. */
const PARALLEL = 8
/** What a query weighs in events: a long range is heavy even where there is little to read. */
const QUERY_WEIGHT = 50

/** The ledger in Firestore: one document per batch, named by what is in it (billing.md §4, §5). */
export function firestoreLedger(
  tenants: TenantFirestore,
  decoded: DecodedBatches = decodedBatches(),
): Ledger {
  return {
    append: async (ctx, batch, receivedAtMs) => {
      const committed = await tenants.optimistic(ctx, undefined, async (db) =>
        ok({ value: undefined, writes: batchWrites(db, batch, receivedAtMs) }),
      )
      return committed.ok && committed.value.duplicate ? 'duplicate' : 'stored'
    },
    recorded: async (ctx, batch) => {
      const path = [BATCHES, documentName(batch)]
      const stored = await tenants.withTenant(ctx, (db) => db.find(path, parseBatch))
      if (stored === undefined) throw new Error(`batch ${batch.batchId} is not there`)
      return new Set(finish(unpacking(stored.value)).map((event) => event.key))
    },
    read: async (ctx, period, reading = aloneReading) => {
      const pass = newPass(tenants, decoded, ctx, reading)
      const read = await readAll(pass, 'days', dayKeysOf(period))
      return read.ok ? ok(pass.batches.flatMap(({ events }) => events)) : read
    },
    hours: (ctx, hours, reading = aloneReading) =>
      readAll(newPass(tenants, decoded, ctx, reading), 'hours', hours),
    days: (ctx, days, reading = aloneReading) =>
      readAll(newPass(tenants, decoded, ctx, reading), 'days', days),
  }
}

function newPass(
  tenants: TenantFirestore,
  decoded: DecodedBatches,
  ctx: TenantContext,
  reading: Reading,
): Pass {
  return { tenants, decoded, ctx, reading, seen: new Map(), batches: [], events: 0, refused: false }
}

/** The batches of each key of the field, some keys at a time; a batch of several is decoded once. */
async function readAll(
  pass: Pass,
  field: 'days' | 'hours',
  keys: readonly string[],
): Promise<Result<Map<string, LedgerBatch[]>>> {
  const found = new Map<string, LedgerBatch[]>()
  for (let at = 0; at < keys.length; at += PARALLEL) {
    if (!admitted(pass, keys.length * QUERY_WEIGHT)) return tooMany()
    await Promise.all(
      keys.slice(at, at + PARALLEL).map(async (key) => found.set(key, await readKey(pass, field, key))),
    )
    if (pass.events > pass.reading.mostEvents) {
      const most = `more than ${pass.reading.mostEvents} events`
      return refuse('usage.range_invalid', most, 'Ask for a shorter range.')
    }
  }
  return admitted(pass) ? ok(found) : tooMany()
}

function tooMany(): ReturnType<typeof refuse> {
  const hint = 'Too many large reads at once. Wait for some to be answered, or ask for shorter ranges.'
  return refuse('rate.limited', 'heavy reads of the tenant', hint)
}

/** One read of the ledger, over several days or hours. */
type Pass = {
  readonly tenants: TenantFirestore
  readonly decoded: DecodedBatches
  readonly ctx: TenantContext
  readonly reading: Reading
  readonly seen: Map<string, LedgerBatch>
  readonly batches: LedgerBatch[]
  events: number
  /** Once it was not admitted, days are missing: room that comes free later does not bring them back. */
  refused: boolean
}

function admitted(pass: Pass, besides = 0): boolean {
  pass.refused ||= !pass.reading.admit(pass.events + besides)
  return !pass.refused
}

async function readKey(pass: Pass, field: 'days' | 'hours', key: string): Promise<LedgerBatch[]> {
  const batches: LedgerBatch[] = []
  let after: string | undefined
  while (pass.events <= pass.reading.mostEvents && admitted(pass)) {
    pass.reading.check()
    const page = await pass.tenants.withTenant(pass.ctx, (db) =>
      db.list(
        [BATCHES],
        {
          where: [[field, 'array-contains', key]],
          orderBy: [['__name__', 'asc']],
          limit: PAGE,
          ...(after === undefined ? {} : { startAfter: [after] }),
        },
        parseBatch,
      ),
    )
    for (const { id, value } of page) batches.push(await batchOf(pass, id, value))
    after = page.at(-1)?.id
    if (page.length < PAGE) break
  }
  return batches
}

async function batchOf(pass: Pass, name: string, stored: StoredBatch): Promise<LedgerBatch> {
  const seen = pass.seen.get(name)
  if (seen !== undefined) return seen
  // Room is taken before anything is awaited: another key may hold the same batch.
  pass.events += stored.n
  const { batchId, receivedAtMs } = stored
  const batch = { name, batchId, receivedAtMs, events: [] as readonly CountedEvent[] }
  pass.seen.set(name, batch)
  pass.batches.push(batch)
  const decode = () => pass.reading.work(unpacking(stored))
  batch.events = await pass.decoded.of(pass.ctx.tenantId, name, stored.n, decode)
  return batch
}

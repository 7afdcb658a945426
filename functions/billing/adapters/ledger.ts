import { gunzipSync, gzipSync } from 'node:zlib'
import { z } from 'zod'
import type { ScopedDb, Write } from '#shared/firestore/scoped.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { atLeast, increment } from '#shared/firestore/values.ts'
import { canonicalJson, parser } from '#shared/json.ts'
import { ok, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { dayKeysOf } from '../domain/calendar.ts'
import { type LiveDay, type LiveMeter, liveDays, shardOf } from '../domain/live.ts'
import type { UsageBatch } from '../domain/usage-batch.ts'
import { restoreUsageEvent, type UsageEvent } from '../domain/usage-event.ts'
import type { Ledger } from '../ports.ts'

/** Counters a tenant's day is spread over: one document takes about one write a second for long. */
export const LIVE_SHARDS = 4
/** Batches read by one query. */
const PAGE = 50
/** Days read at the same time. */
const PARALLEL_DAYS = 8
/** Events folded for one answer. */
const MOST_EVENTS = 250_000
/** A batch holds 256 KiB of events at most; more than this is no batch of ours. */
const MOST_BATCH_BYTES = 4 * 1024 * 1024
const SCHEMA = 1

type StoredBatch = { readonly batchId: string; readonly n: number; readonly payload: Uint8Array }

const parseBatch = parser<StoredBatch>(
  z.object({
    batchId: z.string(),
    n: z.number().int(),
    schema: z.literal(SCHEMA),
    payload: z.instanceof(Uint8Array),
  }),
)

/** The ledger in Firestore: one document per batch, named by what is in it (billing.md §4, §5). */
export function firestoreLedger(tenants: TenantFirestore): Ledger {
  return {
    append: async (ctx, batch, receivedAtMs) => {
      const committed = await tenants.optimistic(ctx, undefined, async (db) =>
        ok({ value: undefined, writes: batchWrites(db, batch, receivedAtMs) }),
      )
      return committed.ok && committed.value.duplicate ? 'duplicate' : 'stored'
    },
    read: async (ctx, period) => {
      const days = dayKeysOf(period)
      const seen = new Set<string>()
      const events: UsageEvent[] = []
      for (let at = 0; at < days.length; at += PARALLEL_DAYS) {
        const pages = days
          .slice(at, at + PARALLEL_DAYS)
          .map((day) => readDay(tenants, ctx, day, seen, events))
        await Promise.all(pages)
        if (events.length > MOST_EVENTS) {
          return refuse('usage.range_invalid', `more than ${MOST_EVENTS} events`, 'Ask for a shorter range.')
        }
      }
      return ok(events)
    },
  }
}

/** A batch id begins with any base64url character, a document's name with a letter or digit. */
function documentName(batchId: string): string {
  return `h${batchId}`
}

function batchWrites<S>(db: ScopedDb<S>, batch: UsageBatch, receivedAtMs: number): Write<S>[] {
  const shard = shardOf(batch.batchId, LIVE_SHARDS)
  const stored = db.create(
    ['billing_usageBatches', documentName(batch.batchId)],
    {
      batchId: batch.batchId,
      receivedAtMs,
      firstMs: batch.firstMs,
      lastMs: batch.lastMs,
      hours: batch.hours,
      days: batch.days,
      n: batch.events.length,
      root: batch.root,
      schema: SCHEMA,
      payload: gzipSync(canonicalJson(batch.events.map((event) => event.raw))),
    },
    { once: true },
  )
  const live = liveDays(batch).map((day) =>
    db.merge(['billing_live', `${day.day}_${shard}`], liveFields(day)),
  )
  return [stored, ...live]
}

/** `n` of an hour counts batches: a roll-up that read as many knows that it has them all. */
function liveFields(day: LiveDay): Record<string, unknown> {
  const hours = Object.entries(day.hours).map(([hour, meters]) => [
    hour,
    {
      n: increment(1),
      ...Object.fromEntries(Object.entries(meters).map(([meter, live]) => [meter, liveMeterFields(live)])),
    },
  ])
  return { dirty: true, h: Object.fromEntries(hours) }
}

function liveMeterFields(live: LiveMeter): Record<string, unknown> {
  return {
    events: increment(live.events),
    ...(live.sum === undefined ? {} : { sum: increment(live.sum) }),
    ...(live.max === undefined ? {} : { max: atLeast(live.max) }),
    ...(live.inexact === undefined ? {} : { inexact: true }),
  }
}

async function readDay(
  tenants: TenantFirestore,
  ctx: TenantContext,
  day: string,
  seen: Set<string>,
  events: UsageEvent[],
): Promise<void> {
  let after: string | undefined
  while (events.length <= MOST_EVENTS) {
    const page = await tenants.withTenant(ctx, (db) =>
      db.list(
        ['billing_usageBatches'],
        {
          where: [['days', 'array-contains', day]],
          orderBy: [['__name__', 'asc']],
          limit: PAGE,
          ...(after === undefined ? {} : { startAfter: [after] }),
        },
        parseBatch,
      ),
    )
    for (const doc of page) {
      if (seen.has(doc.id)) continue
      seen.add(doc.id)
      events.push(...unpack(doc.value))
    }
    after = page.at(-1)?.id
    if (page.length < PAGE) return
  }
}

function unpack(batch: StoredBatch): UsageEvent[] {
  const json: unknown = JSON.parse(
    gunzipSync(batch.payload, { maxOutputLength: MOST_BATCH_BYTES }).toString('utf8'),
  )
  if (!Array.isArray(json) || json.length !== batch.n) throw new Error(`batch ${batch.batchId} is not whole`)
  return json.map(restoreUsageEvent)
}

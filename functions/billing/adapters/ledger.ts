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
import { finish, type Steps } from '../domain/steps.ts'
import type { UsageBatch } from '../domain/usage-batch.ts'
import { type CountedEvent, PRODUCERS, type Producer, restoreUsageEvent } from '../domain/usage-event.ts'
import type { Ledger, Reading } from '../ports.ts'
import { type DecodedBatches, decodedBatches } from './decoded-batches.ts'
import { aloneReading } from './shared-reads.ts'

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
/** What a day's queries weigh in events: a long range is heavy even where there is little to read. */
const DAY_WEIGHT = 50
/** Events decoded between two yields, and what each costs in microseconds. */
const STRIDE = 50
const EVENT_COST = 20
const SCHEMA = 1

type StoredBatch = {
  readonly batchId: string
  readonly producer: Producer
  readonly n: number
  readonly payload: Uint8Array
}

const parseBatch = parser<StoredBatch>(
  z.object({
    batchId: z.string(),
    // Nobody said who sent what was stored before this was: it gets the least trust.
    producer: z.enum(PRODUCERS).default('tenant'),
    n: z.number().int(),
    schema: z.literal(SCHEMA),
    payload: z.instanceof(Uint8Array),
  }),
)

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
      const path = ['billing_usageBatches', documentName(batch)]
      const stored = await tenants.withTenant(ctx, (db) => db.find(path, parseBatch))
      if (stored === undefined) throw new Error(`batch ${batch.batchId} is not there`)
      return new Set(finish(unpacking(stored.value)).map((event) => event.key))
    },
    read: async (ctx, period, reading = aloneReading) => {
      const days = dayKeysOf(period)
      const pass: Pass = {
        tenants,
        decoded,
        ctx,
        reading,
        seen: new Set(),
        batches: [],
        events: 0,
        refused: false,
      }
      for (let at = 0; at < days.length; at += PARALLEL_DAYS) {
        if (!admitted(pass, days.length * DAY_WEIGHT)) return tooMany()
        await Promise.all(days.slice(at, at + PARALLEL_DAYS).map((day) => readDay(pass, day)))
        if (pass.events > MOST_EVENTS) {
          return refuse('usage.range_invalid', `more than ${MOST_EVENTS} events`, 'Ask for a shorter range.')
        }
      }
      return admitted(pass) ? ok(pass.batches.flat()) : tooMany()
    },
  }
}

function tooMany(): ReturnType<typeof refuse> {
  const hint = 'Too many large reads at once. Wait for some to be answered, or ask for shorter ranges.'
  return refuse('rate.limited', 'heavy reads of the tenant', hint)
}

/**
 * A batch id begins with any base64url character, a document's name with a letter or digit. Who said it
 * is in the name: a tenant that sends a collector's batch first must not make it its own.
 */
function documentName(batch: Pick<UsageBatch, 'batchId' | 'producer'>): string {
  return `${batch.producer === 'collector' ? 'h' : 't'}${batch.batchId}`
}

function batchWrites<S>(db: ScopedDb<S>, batch: UsageBatch, receivedAtMs: number): Write<S>[] {
  const shard = shardOf(batch.batchId, LIVE_SHARDS)
  const stored = db.create(
    ['billing_usageBatches', documentName(batch)],
    {
      batchId: batch.batchId,
      producer: batch.producer,
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

/** One read of the ledger, over several days. */
type Pass = {
  readonly tenants: TenantFirestore
  readonly decoded: DecodedBatches
  readonly ctx: TenantContext
  readonly reading: Reading
  readonly seen: Set<string>
  readonly batches: (readonly CountedEvent[])[]
  events: number
  /** Once it was not admitted, days are missing: room that comes free later does not bring them back. */
  refused: boolean
}

function admitted(pass: Pass, besides = 0): boolean {
  pass.refused ||= !pass.reading.admit(pass.events + besides)
  return !pass.refused
}

async function readDay(pass: Pass, day: string): Promise<void> {
  let after: string | undefined
  while (pass.events <= MOST_EVENTS && admitted(pass)) {
    pass.reading.check()
    const page = await pass.tenants.withTenant(pass.ctx, (db) =>
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
    for (const { id, value: batch } of page) {
      if (pass.seen.has(id)) continue
      pass.seen.add(id)
      pass.events += batch.n
      const decode = () => pass.reading.work(unpacking(batch))
      pass.batches.push(await pass.decoded.of(pass.ctx.tenantId, id, batch.n, decode))
    }
    after = page.at(-1)?.id
    if (page.length < PAGE) return
  }
}

/** A batch's events, but for what only the ledger needs of them. */
function* unpacking(batch: StoredBatch): Steps<readonly CountedEvent[]> {
  const json: unknown = JSON.parse(
    gunzipSync(batch.payload, { maxOutputLength: MOST_BATCH_BYTES }).toString('utf8'),
  )
  if (!Array.isArray(json) || json.length !== batch.n) throw new Error(`batch ${batch.batchId} is not whole`)
  const events: CountedEvent[] = []
  for (const [index, stored] of json.entries()) {
    const { raw: _raw, ...counted } = restoreUsageEvent(stored, batch.producer)
    events.push(counted)
    if (index % STRIDE === 0) yield Math.min(STRIDE, json.length) * EVENT_COST
  }
  return events
}

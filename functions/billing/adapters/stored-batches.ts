import { gunzipSync, gzipSync } from 'node:zlib'
import { z } from 'zod'
import type { ScopedDb, Write } from '#shared/firestore/scoped.ts'
import { atLeast, increment } from '#shared/firestore/values.ts'
import { canonicalJson, parser } from '#shared/json.ts'
import { type LiveDay, type LiveMeter, liveDays, shardOf } from '../domain/live.ts'
import type { Steps } from '../domain/steps.ts'
import type { UsageBatch } from '../domain/usage-batch.ts'
import { type CountedEvent, PRODUCERS, type Producer, restoreUsageEvent } from '../domain/usage-event.ts'

/** Counters a tenant's day is spread over: one document takes about one write a second for long. */
export const LIVE_SHARDS = 4
export const BATCHES = 'billing_usageBatches'
export const LIVE = 'billing_live'
/** A batch holds 256 KiB of events at most; more than this is no batch of ours. */
const MOST_BATCH_BYTES = 4 * 1024 * 1024
/** Events decoded between two yields, and what each costs in microseconds. */
const STRIDE = 50
const EVENT_COST = 20
const SCHEMA = 1

export type StoredBatch = {
  readonly batchId: string
  readonly producer: Producer
  readonly receivedAtMs: number
  readonly n: number
  readonly payload: Uint8Array
}

export const parseBatch = parser<StoredBatch>(
  z.object({
    batchId: z.string(),
    // Nobody said who sent what was stored before this was: it gets the least trust.
    producer: z.enum(PRODUCERS).default('tenant'),
    receivedAtMs: z.number().default(0),
    n: z.number().int(),
    schema: z.literal(SCHEMA),
    payload: z.instanceof(Uint8Array),
  }),
)

/**
 * A batch id begins with any base64url character, a document's name with a letter or digit. Who said it
 * is in the name: a tenant that sends a collector's batch first must not make it its own.
 */
export function documentName(batch: Pick<UsageBatch, 'batchId' | 'producer'>): string {
  return `${batch.producer === 'collector' ? 'h' : 't'}${batch.batchId}`
}

/** What a batch leaves: its document, created once, and what it adds to the live counters. */
export function batchWrites<S>(db: ScopedDb<S>, batch: UsageBatch, receivedAtMs: number): Write<S>[] {
  const stored = db.create(
    [BATCHES, documentName(batch)],
    {
      batchId: batch.batchId,
      producer: batch.producer,
      firstMs: batch.firstMs,
      lastMs: batch.lastMs,
      hours: batch.hours,
      days: batch.days,
      root: batch.root,
      ...payloadFields(
        batch.events.map((event) => event.raw),
        receivedAtMs,
      ),
    },
    { once: true },
  )
  return [stored, ...liveWrites(db, batch.batchId, liveDays(batch))]
}

/** The part of a stored batch that every kind of one has. */
export function payloadFields(raws: readonly unknown[], receivedAtMs: number): Record<string, unknown> {
  return { receivedAtMs, n: raws.length, schema: SCHEMA, payload: gzipSync(canonicalJson(raws)) }
}

/** Adds to a day's counters without reading them; must stand beside a `once` document in its commit. */
export function liveWrites<S>(db: ScopedDb<S>, batchId: string, days: readonly LiveDay[]): Write<S>[] {
  const shard = shardOf(batchId, LIVE_SHARDS)
  return days.map((day) => db.merge([LIVE, `${day.day}_${shard}`], liveFields(day)))
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

/** The JSON that a batch holds. Throws when it is not whole. */
export function unpack(batch: Pick<StoredBatch, 'batchId' | 'n' | 'payload'>): readonly unknown[] {
  const json: unknown = JSON.parse(
    gunzipSync(batch.payload, { maxOutputLength: MOST_BATCH_BYTES }).toString('utf8'),
  )
  if (!Array.isArray(json) || json.length !== batch.n) throw new Error(`batch ${batch.batchId} is not whole`)
  return json
}

/** A batch's events, but for what only the ledger needs of them. */
export function* unpacking(batch: StoredBatch): Steps<readonly CountedEvent[]> {
  const json = unpack(batch)
  const events: CountedEvent[] = []
  for (const [index, stored] of json.entries()) {
    const { raw: _raw, ...counted } = restoreUsageEvent(stored, batch.producer)
    events.push(counted)
    if (index % STRIDE === 0) yield Math.min(STRIDE, json.length) * EVENT_COST
  }
  return events
}

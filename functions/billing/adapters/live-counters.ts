import { z } from 'zod'
import { METERS, type MeterId } from '#shared/catalogue/meters.ts'
import type { Doc, ScopedDb } from '#shared/firestore/scoped.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { parser } from '#shared/json.ts'
import { ok } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { LiveCounters, LiveHour, LiveTotal } from '../ports.ts'
import { LIVE, LIVE_SHARDS } from './stored-batches.ts'

/** Documents read by one query. */
const PAGE = 400
const DAY_MS = 24 * 3_600_000

const whole = z.union([z.bigint(), z.int().transform(BigInt)])
const meterSchema = z.object({
  events: z.number().default(0),
  sum: whole.optional(),
  max: whole.optional(),
  inexact: z.boolean().default(false),
})
const hourSchema = z.object({ n: z.number().default(0) }).catchall(z.union([meterSchema, z.unknown()]))
const parseDay = parser(z.object({ h: z.record(z.string(), hourSchema).default({}) }))

type StoredDay = { readonly h: Readonly<Record<string, StoredHour>> }
type Shard = { readonly id: string; readonly value: StoredDay }
type StoredHour = { readonly n: number } & Readonly<Record<string, unknown>>

/** The live counters in Firestore: some documents a day, each with its hours. */
export function firestoreLiveCounters(tenants: TenantFirestore): LiveCounters {
  return {
    hours: async (ctx, first, last) => hoursOf(await shardsOf(tenants, ctx, first, last)),
    dirtyDays: async (ctx) => {
      const dirty = await tenants.withTenant(ctx, (db) =>
        db.list([LIVE], { where: [['dirty', '==', true]], limit: PAGE }, (raw) => ok(raw)),
      )
      return [...new Set(dirty.map(({ id }) => dayOf(id)))].sort()
    },
    clear: async (ctx, day, batches) => {
      await tenants.optimistic(ctx, undefined, async (db) => {
        const shards = await listShards(db, day, day)
        const same = [...hoursOf(shards)].every(([hour, { batches: n }]) => n === (batches.get(hour) ?? 0))
        // Each only as it was read: what comes in between leaves the mark.
        const writes = shards.map((shard) => db.update([LIVE, shard.id], shard, { dirty: false }))
        return ok({ value: undefined, writes: same ? writes : [] })
      })
    },
  }
}

function shardsOf(
  tenants: TenantFirestore,
  ctx: TenantContext,
  first: string,
  last: string,
): Promise<readonly Shard[]> {
  return tenants.withTenant<readonly Shard[]>(ctx, (db) => listShards(db, first, last))
}

async function listShards<S>(
  db: ScopedDb<S>,
  first: string,
  last: string,
): Promise<readonly Doc<S, StoredDay>[]> {
  const shards: Doc<S, StoredDay>[] = []
  let after = first
  for (;;) {
    // No more than can be there: what lies behind the last day would be read for nothing.
    const limit = Math.min(PAGE, Math.max(daysBetween(after.slice(0, 8), last), 1) * LIVE_SHARDS)
    const page = await db.list(
      [LIVE],
      { orderBy: [['__name__', 'asc']], startAfter: [after], limit },
      parseDay,
    )
    const within = page.filter(({ id }) => dayOf(id) <= last)
    shards.push(...within)
    const end = page.at(-1)?.id
    if (end === undefined || page.length < limit || within.length < page.length) return shards
    after = end
  }
}

function hoursOf(shards: readonly Shard[]): Map<string, LiveHour> {
  const hours = new Map<string, LiveHour>()
  for (const { id, value } of shards) {
    for (const [hour, stored] of Object.entries(value.h)) {
      const name = `${dayOf(id)}${hour}`
      const known = hours.get(name)
      hours.set(name, {
        batches: (known?.batches ?? 0) + stored.n,
        meters: addMeters(known?.meters ?? {}, stored),
      })
    }
  }
  return hours
}

function addMeters(known: LiveHour['meters'], stored: StoredHour): LiveHour['meters'] {
  const added: Partial<Record<MeterId, LiveTotal>> = { ...known }
  for (const [meter, raw] of Object.entries(stored)) {
    const parsed = Object.hasOwn(METERS, meter) ? meterSchema.safeParse(raw) : undefined
    if (parsed?.success !== true) continue
    const { events, sum, max, inexact } = parsed.data
    const before = added[meter as MeterId]
    added[meter as MeterId] = {
      events: (before?.events ?? 0) + events,
      sum: sum === undefined ? before?.sum : (before?.sum ?? 0n) + sum,
      max: max === undefined || (before?.max !== undefined && before.max > max) ? before?.max : max,
      inexact: (before?.inexact ?? false) || inexact,
    }
  }
  return added
}

function dayOf(id: string): string {
  return id.slice(0, 8)
}

function daysBetween(first: string, last: string): number {
  const ms = (day: string): number => Date.parse(`${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6, 8)}`)
  return Math.round((ms(last) - ms(first)) / DAY_MS) + 1
}

import type { Doc, ScopedDb, Write } from '#shared/firestore/scoped.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { removed } from '#shared/firestore/values.ts'
import { canonicalJson, digestOf } from '#shared/json.ts'
import { ok } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { addRepeats, type Repeats } from '../domain/repeats.ts'
import { addTallies, type Tally } from '../domain/tally.ts'
import type { DayRollup, HourFold, HourRollup, RollupStore, UsageConflict } from '../ports.ts'
import {
  HOUR_FIELDS,
  parseConflict,
  parseDay,
  parseHour,
  parseKeyedHour,
  readTallies,
  tallyFields,
} from './rollup-documents.ts'

const HOURS = 'billing_rollups'
const DAYS = 'billing_rollupDays'
const CONFLICTS = 'billing_usageConflicts'
const HOURS_OF_DAY = 24
const PAGE = 100
/** A document takes 1 MiB; tallies beyond this are left out, and such an hour is folded whenever it is asked for. */
const MOST_TALLY_BYTES = 800_000
/** Conflicts kept of one folding: their number is in the roll-up, whatever it is. */
const MOST_CONFLICTS = 500

/** Roll-ups in Firestore: one document for an hour, one for a day. */
export function firestoreRollups(tenants: TenantFirestore): RollupStore {
  return {
    foldHour: (ctx, hour, fold) => foldHour(tenants, ctx, hour, fold),
    foldDay: (ctx, day) => foldDay(tenants, ctx, day),
    hours: (ctx, day) => tenants.withTenant(ctx, (db) => hoursOf(db, day)),
    keys: async (ctx, day) => {
      const select = { where: ofDay(day), limit: HOURS_OF_DAY, fields: ['batchCount', 'keys'] }
      const found = await tenants.withTenant(ctx, (db) => db.list([HOURS], select, parseKeyedHour))
      return new Map(found.map(({ id, value }) => [id, value]))
    },
    days: async (ctx, first, last) => {
      const days = new Map<string, DayRollup>()
      for (let startAfter = before(first); ; ) {
        const page = await tenants.withTenant(ctx, (db) =>
          db.list(
            [DAYS],
            { orderBy: [['__name__', 'asc']], startAfter: [startAfter], limit: PAGE },
            parseDay,
          ),
        )
        for (const { id, value } of page) if (id <= last) days.set(id, readTallies(value))
        const end = page.at(-1)?.id
        if (end === undefined || page.length < PAGE || end > last) return days
        startAfter = end
      }
    },
    conflicts: async (ctx, { fromMs, toMs, limit, after }) => {
      const found = await tenants.withTenant(ctx, (db) =>
        db.list(
          [CONFLICTS],
          {
            where: [
              ['timeMs', '>=', fromMs],
              ['timeMs', '<', toMs],
            ],
            orderBy: [
              ['timeMs', 'asc'],
              ['__name__', 'asc'],
            ],
            limit,
            ...(after === undefined ? {} : { startAfter: [after.timeMs, after.key] }),
          },
          parseConflict,
        ),
      )
      return found.map(({ value }) => value)
    },
    keepConflicts: async (ctx, conflicts) => {
      for (const conflict of conflicts) {
        const path = [CONFLICTS, conflict.key]
        await tenants.optimistic(ctx, undefined, async (db) => {
          const known = await db.find(path, parseConflict)
          const write = known === undefined ? db.create(path, conflict) : db.update(path, known, conflict)
          return ok({ value: undefined, writes: [write] })
        })
      }
    },
  }
}

async function foldHour(
  tenants: TenantFirestore,
  ctx: TenantContext,
  hour: string,
  fold: () => Promise<HourFold>,
): Promise<boolean> {
  const path = [HOURS, hour]
  const committed = await tenants.optimistic(ctx, undefined, async (db) => {
    // Before the ledger is read: whoever stores a newer folding meanwhile wins, and this one folds again.
    const current = await db.find(path, parseHour)
    const { conflicts, tallies, ...folded } = await fold()
    const stored = fits(tallies)
    const digest = digestOf({ root: folded.root, tallies: stored ?? [], events: folded.events })
    const known = current?.value
    if (known === undefined && folded.batchCount === 0) return ok({ value: false, writes: [] })
    // A listing that ran beside an insert may miss one; what has been counted stays counted.
    if (known !== undefined && folded.batchCount < known.batchCount) return ok({ value: false, writes: [] })
    if (known !== undefined && isSame(known, folded, digest)) return ok({ value: false, writes: [] })
    const rev = (known?.rev ?? 0) + (known?.digest === digest ? 0 : 1)
    const fields = {
      ...{ hour, day: hour.slice(0, 8), ...folded, rev, digest },
      dupes: total(folded.repeats, 'copies'),
      conflicts: total(folded.repeats, 'conflicts'),
      tallies: stored,
    }
    return ok({
      value: true,
      writes: [put(db, path, current, fields), ...conflicts.slice(0, MOST_CONFLICTS).map(conflictWrite(db))],
    })
  })
  return committed.ok && !committed.value.duplicate && committed.value.value
}

async function foldDay(tenants: TenantFirestore, ctx: TenantContext, day: string): Promise<boolean> {
  const path = [DAYS, day]
  const committed = await tenants.optimistic(ctx, undefined, async (db) => {
    const current = await db.find(path, parseDay)
    const hours = [...(await hoursOf(db, day)).values()]
    if (hours.length === 0) return ok({ value: false, writes: [] })
    const repeats = addRepeats(hours.map((hour) => hour.repeats))
    const parts = hours.flatMap(({ tallies }) => (tallies === undefined ? [] : [tallies]))
    const stored = parts.length < hours.length ? undefined : fits(addTallies(parts))
    const counted = hours.map(({ hour, batchCount, rev, newestMs }) => {
      const known = { batchCount, rev, ...(newestMs === undefined ? {} : { newestMs }) }
      return [hour.slice(8), known] as const
    })
    const fields = { day, hours: Object.fromEntries(counted), repeats, tallies: stored }
    const digest = digestOf(fields)
    if (current?.value.digest === digest) return ok({ value: false, writes: [] })
    const rev = (current?.value.rev ?? 0) + 1
    return ok({ value: true, writes: [put(db, path, current, { ...fields, rev, digest })] })
  })
  return committed.ok && !committed.value.duplicate && committed.value.value
}

async function hoursOf<S>(db: ScopedDb<S>, day: string): Promise<Map<string, HourRollup>> {
  const options = { where: ofDay(day), limit: HOURS_OF_DAY, fields: HOUR_FIELDS }
  const found = await db.list([HOURS], options, parseHour)
  const sorted = found.toSorted((left, right) => (left.id < right.id ? -1 : 1))
  return new Map(sorted.map(({ id, value }) => [id, readTallies(value)]))
}

function ofDay(day: string) {
  return [['day', '==', day]] as const
}

function put<S>(
  db: ScopedDb<S>,
  path: readonly string[],
  current: Doc<S, unknown> | undefined,
  fields: Record<string, unknown>,
): Write<S> {
  const named = Object.entries(fields)
  if (current === undefined)
    return db.create(path, Object.fromEntries(named.filter(([, value]) => value !== undefined)))
  // An update leaves the fields that it does not name: tallies that no longer fit must not stay.
  return db.update(
    path,
    current,
    Object.fromEntries(named.map(([name, value]) => [name, value ?? removed()])),
  )
}

function isSame(
  known: { readonly batchCount: number; readonly digest: string; readonly repeats: Repeats },
  folded: Pick<HourFold, 'batchCount' | 'repeats'>,
  digest: string,
): boolean {
  return (
    known.batchCount === folded.batchCount &&
    known.digest === digest &&
    canonicalJson(known.repeats) === canonicalJson(folded.repeats)
  )
}

function fits(tallies: readonly Tally[]): ReturnType<typeof tallyFields>[] | undefined {
  const stored = tallies.map(tallyFields)
  return Buffer.byteLength(JSON.stringify(stored)) > MOST_TALLY_BYTES ? undefined : stored
}

function conflictWrite<S>(db: ScopedDb<S>): (conflict: UsageConflict) => Write<S> {
  return (conflict) => db.merge([CONFLICTS, conflict.key], conflict)
}

function total(repeats: Repeats, what: 'copies' | 'conflicts'): number {
  return Object.values(repeats).reduce((sum, counts) => sum + counts[what], 0)
}

/** Lies before every document of the day, and after those of the day before. */
function before(day: string): string {
  return String(Number(day) - 1)
}

import { z } from 'zod'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { sha256Hex } from '#shared/ids.ts'
import { asRecord, parser } from '#shared/json.ts'
import { ok } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { ReceivedCorrection } from '../domain/correction.ts'
import { restoreCorrection } from '../domain/correction.ts'
import type { LiveDay } from '../domain/live.ts'
import { eventKey } from '../domain/usage-event.ts'
import type { CorrectionStore, Search } from '../ports.ts'
import { BATCHES, liveWrites, parseBatch, payloadFields, unpack } from './stored-batches.ts'

const SEARCHES = 'billing_corrections'
const CORRECTION = 'correction'
const PAGE = 50
const MOST_SEARCHES = 20

const parseSearch = parser(
  z.object({
    targets: z.array(z.string()),
    left: z.array(z.string()),
    from: z.string().nullable(),
    status: z.string(),
  }),
)

/**
 * Corrections lie among the batches, in no hour of their own; beside each a document says how far its
 * events were looked for.
 */
export function firestoreCorrections(tenants: TenantFirestore): CorrectionStore {
  const createOnce = async (
    ctx: TenantContext,
    name: string,
    fields: Record<string, unknown>,
    days: readonly LiveDay[],
  ): Promise<void> => {
    await tenants.optimistic(ctx, undefined, async (db) =>
      ok({
        value: undefined,
        writes: [db.create([BATCHES, name], fields, { once: true }), ...liveWrites(db, name, days)],
      }),
    )
  }
  return {
    append: async (ctx, batch, receivedAtMs) => {
      const name = `c${batch.batchId}`
      const targets = [...new Set(batch.corrections.map(({ targetKey }) => targetKey))]
      const fields = {
        batchId: batch.batchId,
        producer: 'collector',
        kind: CORRECTION,
        hours: [],
        days: [],
        ...payloadFields(
          batch.corrections.map(({ raw }) => raw),
          receivedAtMs,
        ),
      }
      const committed = await tenants.optimistic(ctx, undefined, async (db) =>
        ok({
          value: undefined,
          writes: [
            db.create([BATCHES, name], fields, { once: true }),
            db.create([SEARCHES, name], { status: 'searching', targets, left: targets, from: null }),
          ],
        }),
      )
      return committed.ok && committed.value.duplicate ? 'duplicate' : 'stored'
    },
    all: async (ctx) => {
      const corrections: ReceivedCorrection[] = []
      for (let after: string | undefined; ; ) {
        const page = await tenants.withTenant(ctx, (db) =>
          db.list(
            [BATCHES],
            {
              where: [['kind', '==', CORRECTION]],
              orderBy: [['__name__', 'asc']],
              limit: PAGE,
              ...(after === undefined ? {} : { startAfter: [after] }),
            },
            parseBatch,
          ),
        )
        for (const { value } of page) {
          const { receivedAtMs } = value
          corrections.push(...unpack(value).map((raw) => ({ ...restoreCorrection(raw), receivedAtMs })))
        }
        after = page.at(-1)?.id
        if (page.length < PAGE) return corrections
      }
    },
    searches: async (ctx) => {
      const where = [['status', '==', 'searching']] as const
      const found = await tenants.withTenant(ctx, (db) =>
        db.list([SEARCHES], { where, limit: MOST_SEARCHES }, parseSearch),
      )
      return found.map(
        ({ id, value }): Search => ({
          name: id,
          targets: new Set(value.targets),
          left: new Set(value.left),
          from: value.from ?? undefined,
        }),
      )
    },
    keepSearch: async (ctx, search, from) => {
      const path = [SEARCHES, search.name]
      await tenants.optimistic(ctx, undefined, async (db) => {
        const doc = await db.find(path, parseSearch)
        // Two at the same time: each looks through all that its own place says.
        if (doc === undefined || doc.value.status !== 'searching') return ok({ value: undefined, writes: [] })
        const status = from === undefined ? 'done' : 'searching'
        const fields = { status, left: [...search.left], from: from ?? null }
        return ok({ value: undefined, writes: [db.update(path, doc, fields)] })
      })
    },
    touch: (ctx, name, hours, nowMs) =>
      createOnce(ctx, `x${sha256Hex(name)}`, emptyBatch(hours, nowMs), touchedDays(hours)),
    copyTo: async (ctx, { batch, key }, hour, nowMs) => {
      const stored = await tenants.withTenant(ctx, (db) => db.find([BATCHES, batch], parseBatch))
      if (stored === undefined) throw new Error(`batch ${batch} is not there`)
      const raw = unpack(stored.value).find((event) => keyOf(event) === key)
      if (raw === undefined) throw new Error(`batch ${batch} holds no event ${key}`)
      const name = `x${sha256Hex(`${key} ${hour}`)}`
      const { producer } = stored.value
      const fields = { ...emptyBatch([hour], nowMs), ...payloadFields([raw], nowMs), producer }
      await createOnce(ctx, name, fields, touchedDays([hour]))
    },
  }
}

/** A batch that holds nothing: an hour that it touches has one batch more than was rolled up. */
function emptyBatch(hours: readonly string[], nowMs: number): Record<string, unknown> {
  const days = [...new Set(hours.map((hour) => hour.slice(0, 8)))]
  return { batchId: 'touch', producer: 'collector', kind: 'touch', hours, days, ...payloadFields([], nowMs) }
}

function touchedDays(hours: readonly string[]): LiveDay[] {
  const days = Map.groupBy(hours, (hour) => hour.slice(0, 8))
  return [...days].map(([day, ofDay]) => ({
    day,
    hours: Object.fromEntries(ofDay.map((hour) => [hour.slice(8), {}])),
  }))
}

function keyOf(raw: unknown): string {
  const event = asRecord(raw)
  return eventKey(String(event?.['source']), String(event?.['id']))
}

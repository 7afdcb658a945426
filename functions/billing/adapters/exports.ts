import { z } from 'zod'
import { workRequested } from '#shared/contracts/events/work-requested.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import type { TenantId } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { Trace } from '#shared/trace.ts'
import { EXPORT_FORMATS, EXPORT_KINDS, type Export } from '../domain/export/export.ts'
import type { Exports } from '../ports/exports.ts'

const EXPORTS = 'billing_exports'
const SOURCE = '//energent.ai/billing'

const json = <T>(schema: z.ZodType<T>) => z.string().transform((text) => schema.parse(JSON.parse(text)))
const part = z.object({ object: z.string(), sha256: z.string(), bytes: z.number(), rows: z.number() })

const parseExport = parser<Export>(
  z
    .object({
      exportId: z.string(),
      kind: z.enum(EXPORT_KINDS),
      format: z.enum(EXPORT_FORMATS),
      status: z.enum(['pending', 'running', 'done']),
      fromMs: z.number(),
      toMs: z.number(),
      requestedAtMs: z.number(),
      parts: json(z.array(part)),
      cursor: z.string().nullable(),
      totals: json(z.record(z.string(), z.string())),
      manifest: z.string().nullable(),
    })
    .transform(({ fromMs, toMs, cursor, manifest, ...job }) => ({
      ...job,
      period: { fromMs, toMs },
      cursor: cursor ?? undefined,
      manifest: manifest ?? undefined,
    })),
)

/** Exports in Firestore, a document each. */
export function firestoreExports(tenants: TenantFirestore): Exports {
  return {
    request: async (ctx, claim, job, trace) => {
      const committed = await tenants.optimistic(ctx, claim, async (db) =>
        ok({
          value: { exportId: job.exportId },
          writes: [db.create([EXPORTS, job.exportId], fieldsOf(job))],
          events: [unit(ctx.tenantId, job, { nowMs: job.requestedAtMs, trace })],
          audit: [{ action: 'export.requested', target: job.exportId }],
        }),
      )
      if (!committed.ok) return committed
      const { value } = committed
      const kept = value.duplicate ? (value.answer as { exportId?: string } | undefined) : value.value
      return kept?.exportId === undefined ? refuse('resource.not_found', 'no kept export') : ok(kept.exportId)
    },
    find: async (ctx, exportId) =>
      (await tenants.withTenant(ctx, (db) => db.find([EXPORTS, exportId], parseExport)))?.value,
    advance: async (ctx, before, after, next) => {
      const committed: Result<unknown> = await tenants.optimistic(ctx, undefined, async (db) => {
        const doc = await db.find([EXPORTS, before.exportId], parseExport)
        const isBehind = doc?.value.parts.length === before.parts.length && doc.value.status !== 'done'
        if (doc === undefined || !isBehind) return refuse('resource.not_found', 'further already')
        return ok({
          value: undefined,
          writes: [db.update([EXPORTS, before.exportId], doc, fieldsOf(after))],
          events: next === undefined ? [] : [unit(ctx.tenantId, after, next)],
        })
      })
      return committed.ok
    },
  }
}

/** The unit that goes on from where the job is; the same place is the same event. */
function unit(tenantId: TenantId, job: Export, { nowMs, trace }: { nowMs: number; trace: Trace }) {
  // No ordering key: a unit that fails must not hold up the next.
  const { partitionkey: _none, ...event } = newEvent({
    id: `export.${job.exportId}.${job.parts.length}`,
    source: SOURCE,
    type: workRequested.type,
    tenantId,
    nowMs,
    data: { tenantId, kind: 'export' as const, key: job.exportId },
    trace,
  })
  return { topic: 'billing-work' as const, event }
}

function fieldsOf({ period, parts, totals, cursor, manifest, ...job }: Export): Record<string, unknown> {
  return {
    ...job,
    ...period,
    parts: JSON.stringify(parts),
    totals: JSON.stringify(totals),
    cursor: cursor ?? null,
    manifest: manifest ?? null,
  }
}

import { gunzipSync, gzipSync } from 'node:zlib'
import { z } from 'zod'
import { workRequested } from '#shared/contracts/events/work-requested.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { canonicalJson, parser } from '#shared/json.ts'
import { ok } from '#shared/result.ts'
import { USAGE_JOB_KINDS } from '../domain/usage-job.ts'
import type { UsageJobs } from '../ports/usage-jobs.ts'

const JOBS = 'billing_usageJobs'
/** A request is 256 KiB at most, and canonical JSON writes no character longer than six bytes. */
const MOST_BYTES = 2 * 1024 * 1024
const SOURCE = '//energent.ai/billing'

const parseJob = parser(
  z.object({
    kind: z.enum(USAGE_JOB_KINDS),
    reason: z.string(),
    requestedAtMs: z.number(),
    status: z.enum(['pending', 'done']),
    payload: z.instanceof(Uint8Array),
  }),
)

/** Jobs in Firestore, each with the events it is about. */
export function firestoreUsageJobs(tenants: TenantFirestore): UsageJobs {
  const find: UsageJobs['find'] = async (ctx, jobId) => {
    const found = await tenants.withTenant(ctx, (db) => db.find([JOBS, jobId], parseJob))
    if (found === undefined) return undefined
    const { payload, ...job } = found.value
    const events: unknown = JSON.parse(gunzipSync(payload, { maxOutputLength: MOST_BYTES }).toString('utf8'))
    return { ...job, jobId, events: events as readonly unknown[] }
  }
  return {
    find,
    request: async (ctx, job, trace) => {
      const { jobId, kind, reason, requestedAtMs, status, events } = job
      const { tenantId } = ctx
      // No ordering key: a unit that fails must not hold up the next.
      const { partitionkey: _none, ...event } = newEvent({
        id: `${kind}.${jobId}`,
        source: SOURCE,
        type: workRequested.type,
        tenantId,
        nowMs: requestedAtMs,
        data: { tenantId, kind: 'backfill' as const, key: jobId },
        trace,
      })
      const payload = gzipSync(canonicalJson(events))
      const fields = { kind, reason, requestedAtMs, status, n: events.length, payload }
      const committed = await tenants.optimistic(ctx, undefined, async (db) =>
        ok({
          value: undefined,
          writes: [db.create([JOBS, jobId], fields, { once: true })],
          events: [{ topic: 'billing-work' as const, event }],
          audit: [{ action: `usage.${kind}`, target: jobId }],
        }),
      )
      if (!committed.ok) return committed
      return ok(committed.value.duplicate ? ((await find(ctx, jobId)) ?? job) : job)
    },
    finish: async (ctx, jobId) => {
      await tenants.optimistic(ctx, undefined, async (db) => {
        const found = await db.find([JOBS, jobId], parseJob)
        const isPending = found?.value.status === 'pending'
        return ok({
          value: undefined,
          writes: isPending ? [db.update([JOBS, jobId], found, { status: 'done' })] : [],
        })
      })
    },
  }
}

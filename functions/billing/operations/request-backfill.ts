import { z } from 'zod'
import { parseTenantId, RESERVED_TENANT_IDS, type TenantId } from '#shared/ids.ts'
import { asRecord, checkJson, parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import { deduplicate } from '../domain/deduplicate.ts'
import { admitUsage } from '../domain/tenant-projection.ts'
import { parseUsageEvent, type UsageEvent } from '../domain/usage-event.ts'
import { backfillFloorMs, usageJobId } from '../domain/usage-job.ts'
import type { BillingDeps } from '../ports.ts'
import { parseUsageJson } from './parse-usage-json.ts'
import type { Rejection } from './record-usage.ts'

const MOST_EVENTS = 500
const SUBJECT = /^tenants\/(.*)$/s

export type Backfill = {
  readonly tenantId: TenantId
  readonly reason: string
  readonly events: readonly unknown[]
}

export type RequestedBackfill = {
  readonly accepted: number
  readonly rejected: readonly Rejection[]
  /** Null when nothing was taken. */
  readonly jobId: string | null
  readonly status?: 'pending' | 'done'
}

const parseBody = parser(
  z.strictObject({
    tenantId: z.string().optional(),
    reason: z
      .string()
      .min(1)
      .max(500)
      .regex(/^[^\p{Cc}]*$/u),
    events: z.array(z.unknown()).min(1).max(MOST_EVENTS),
  }),
)

/** The body of a backfill. Whose usage it is stands in its first event, or in `tenantId`. */
export function parseBackfill(bytes: Uint8Array): Result<Backfill> {
  const parsed = parseUsageJson(bytes, (root) => {
    const events = asRecord(root)?.['events']
    return Array.isArray(events) ? events : []
  })
  const json = parsed.ok ? checkJson(parsed.value) : parsed
  if (!json.ok) return json
  const body = parseBody(json.value)
  if (!body.ok) return body
  const { events, reason } = body.value
  const subject = asRecord(events[0])?.['subject']
  const named = body.value.tenantId ?? (typeof subject === 'string' ? SUBJECT.exec(subject)?.[1] : undefined)
  if (named === undefined) {
    const hint = 'Name the tenant: by tenantId, or by the subject of the events.'
    return refuse('request.malformed', 'no tenant', hint)
  }
  const tenantId = parseTenantId(named)
  return tenantId.ok ? ok({ tenantId: tenantId.value, reason, events }) : tenantId
}

/**
 * Takes usage of one tenant that lies up to thirteen months back, on an operator's word: each event is
 * checked alone, and those that are good are durable as one job when this returns. The same request again
 * is the same job.
 *
 * An event in a period that is closed, and whose plan refuses what comes late, refuses them all: whoever
 * hands in half a correction should not have to find out which half it was.
 */
export async function requestBackfill(
  deps: Pick<BillingDeps, 'tenants' | 'usageJobs' | 'periodLocks'>,
  request: {
    readonly ctx: TenantContext
    readonly backfill: Omit<Backfill, 'tenantId'>
    readonly nowMs: number
    readonly trace: Trace
  },
): Promise<Result<RequestedBackfill>> {
  const { ctx, nowMs, trace } = request
  const { reason, events } = request.backfill
  const known = await checkTenant(deps, ctx)
  if (!known.ok) return known
  const { good, rejected } = judge(events, ctx.tenantId, nowMs)
  const accepted = events.length - rejected.length
  if (accepted === 0) return ok({ accepted, rejected, jobId: null })
  const instants = [...new Set(good.map(({ timeMs }) => timeMs))]
  const [locked] = await deps.periodLocks.locked(ctx, instants)
  if (locked !== undefined) {
    const hint = `The period of ${new Date(locked).toISOString()} is closed, and the plan refuses late usage.`
    return refuse('usage.period_locked', 'period locked', hint)
  }
  const raws = good.map(({ raw }) => raw)
  const jobId = usageJobId('backfill', ctx.tenantId, reason, raws)
  const job = {
    jobId,
    kind: 'backfill',
    reason,
    requestedAtMs: nowMs,
    status: 'pending',
    events: raws,
  } as const
  const requested = await deps.usageJobs.request(ctx, job, trace)
  return requested.ok ? ok({ accepted, rejected, jobId, status: requested.value.status }) : requested
}

/** Only usage of a tenant that there is can be handed in: nothing waits for one to appear. */
export async function checkTenant(
  deps: Pick<BillingDeps, 'tenants'>,
  ctx: TenantContext,
): Promise<Result<void>> {
  const known = RESERVED_TENANT_IDS.includes(ctx.tenantId) ? undefined : await deps.tenants.find(ctx)
  if (known === undefined) return refuse('resource.not_found', 'no such tenant')
  if (admitUsage(known) === 'apply') return ok(undefined)
  return refuse('tenant.state_conflict', `tenant is ${known.state}`)
}

function judge(
  raws: readonly unknown[],
  tenantId: string,
  nowMs: number,
): { readonly good: readonly UsageEvent[]; readonly rejected: readonly Rejection[] } {
  // Operators speak for the platform: they are believed what collectors are.
  const rules = { tenantId, nowMs, maxAgeMs: nowMs - backfillFloorMs(nowMs), producer: 'collector' as const }
  const rejected: Rejection[] = []
  const parsed: { index: number; event: UsageEvent }[] = []
  raws.forEach((raw, index) => {
    const event = parseUsageEvent(raw, rules)
    if (event.ok) parsed.push({ index, event: event.value })
    else rejected.push({ index, code: event.code, detail: event.hint ?? 'is not accepted' })
  })
  const { events } = deduplicate(parsed.map(({ event }) => event))
  const kept = new Set(events.map(({ key, digest }) => key + digest))
  for (const { index, event } of parsed) {
    if (kept.has(event.key + event.digest)) continue
    rejected.push({ index, code: 'usage.conflict', detail: 'id: another event of this request has it too' })
  }
  return { good: events, rejected: rejected.sort((left, right) => left.index - right.index) }
}

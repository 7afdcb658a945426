import { z } from 'zod'
import { parseTenantId, type TenantId } from '#shared/ids.ts'
import { parseJson, parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import { dayKey } from '../domain/calendar.ts'
import { checkCorrection } from '../domain/correction.ts'
import { DAY_MS } from '../domain/spans.ts'
import { eventKey } from '../domain/usage-event.ts'
import { backfillFloorMs, usageJobId, voidEventOf } from '../domain/usage-job.ts'
import type { BillingDeps, Reading } from '../ports.ts'
import { hoursOfKeys } from './hours-of-keys.ts'
import { checkTenant } from './request-backfill.ts'

const MOST_EVENTS = 500
/** Events looked at for one answer: ten seconds' work. */
const MOST_LOOKED_AT = 500_000

export type Voiding = {
  readonly tenantId: TenantId
  readonly reason: string
  /** Whether all of them must be there. */
  readonly strict: boolean
  readonly events: readonly { readonly source: string; readonly id: string }[]
}

const parseBody = parser(
  z.strictObject({
    tenantId: z.string(),
    reason: z
      .string()
      .min(1)
      .max(500)
      .regex(/^[^\p{Cc}]*$/u),
    strict: z.boolean().optional(),
    events: z
      .array(
        z.strictObject({
          source: z
            .string()
            .regex(/^[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]{1,200}$/, 'must be a URI reference'),
          id: z.string().regex(/^[A-Za-z0-9._:~-]{1,100}$/, 'is no event id'),
        }),
      )
      .min(1)
      .max(MOST_EVENTS),
  }),
)

const parseQuery = parser(z.object({ strict: z.enum(['true', 'false']).optional() }))

/** What is to be voided. `strict` may stand in the query or the body. */
export function parseVoid(
  bytes: Uint8Array,
  queryParameters: Readonly<Record<string, string>>,
): Result<Voiding> {
  const query = parseQuery(queryParameters)
  if (!query.ok) return query
  const json = parseJson(bytes, 8)
  const body = json.ok ? parseBody(json.value) : json
  if (!body.ok) return body
  const tenantId = parseTenantId(body.value.tenantId)
  if (!tenantId.ok) return tenantId
  const strict = query.value.strict === undefined ? body.value.strict === true : query.value.strict === 'true'
  return ok({ ...body.value, tenantId: tenantId.value, strict })
}

type FindDeps = Pick<BillingDeps, 'ledger' | 'live' | 'rollups'>

/**
 * Takes back events of a tenant, on an operator's word: durable as one job when this returns. A void of
 * what is not there waits for it, unless `strict` asks for everything to be there; of what was voided
 * before it changes nothing.
 */
export async function requestVoid(
  deps: FindDeps & Pick<BillingDeps, 'reads' | 'tenants' | 'usageJobs'>,
  request: {
    readonly ctx: TenantContext
    readonly voiding: Omit<Voiding, 'tenantId'>
    readonly nowMs: number
    readonly trace: Trace
    readonly signal: AbortSignal
  },
): Promise<Result<{ readonly jobId: string; readonly events: number; readonly status: 'pending' | 'done' }>> {
  const { ctx, nowMs, trace, voiding } = request
  const known = await checkTenant(deps, ctx)
  if (!known.ok) return known
  const { reason } = voiding
  const targets = new Map(voiding.events.map((target) => [eventKey(target.source, target.id), target]))
  if (voiding.strict) {
    const missing = await deps.reads.share(
      ctx,
      `void ${[...targets.keys()].sort().join(' ')}`,
      (reading) => findMissing(deps, ctx, new Set(targets.keys()), nowMs, reading),
      request.signal,
    )
    if (!missing.ok) return missing
    if (missing.value > 0) {
      const hint = `${missing.value} of the events are not there.`
      return refuse('resource.not_found', 'strict void of unknown events', hint)
    }
  }
  const events = [...targets.values()].map((target) => voidEventOf(target, ctx.tenantId, reason, nowMs))
  const fault = events
    .map((event) => checkCorrection(event as never, { tenantId: ctx.tenantId, producer: 'collector' }))
    .find((checked) => !checked.ok)
  if (fault !== undefined && !fault.ok) return fault
  const jobId = usageJobId('void', ctx.tenantId, reason, [...targets.values()])
  const job = { jobId, kind: 'void', reason, requestedAtMs: nowMs, status: 'pending', events } as const
  const requested = await deps.usageJobs.request(ctx, job, trace)
  return requested.ok ? ok({ jobId, events: events.length, status: requested.value.status }) : requested
}

/**
 * How many of the keys stand nowhere in the ledger, as far back as usage may lie: only in hours that an
 * index does not rule out. Refuses with `usage.range_invalid` where too much is not rolled up yet.
 */
async function findMissing(
  deps: FindDeps,
  ctx: TenantContext,
  missing: Set<string>,
  nowMs: number,
  reading: Reading,
): Promise<Result<number>> {
  const hours = await deps.live.hours(ctx, dayKey(backfillFloorMs(nowMs)), dayKey(nowMs + DAY_MS))
  const { likely, unknown } = await hoursOfKeys(deps, ctx, [...missing], hours, reading)
  let looked = 0
  for (const hour of [...likely, ...unknown]) {
    if (missing.size === 0) break
    if (looked > MOST_LOOKED_AT) {
      const hint = 'Too much usage of the tenant is not rolled up yet. Try again later, or without strict.'
      return refuse('usage.range_invalid', `more than ${MOST_LOOKED_AT} events to look through`, hint)
    }
    const read = await deps.ledger.hours(ctx, [hour], reading)
    if (!read.ok) return read
    for (const { events } of read.value.get(hour) ?? []) {
      looked += events.length
      for (const { key } of events) missing.delete(key)
    }
  }
  return ok(missing.size)
}

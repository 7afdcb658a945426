import type { HandlersOf } from '#shared/http/edge.ts'
import type { TenantHandler, TenantRequest } from '#shared/http/types.ts'
import type { TenantId } from '#shared/ids.ts'
import { ok, type Refusal, type Result, refuse } from '#shared/result.ts'
import { TenantContext } from '#shared/tenancy/context.ts'
import { openAsOperator } from '#shared/tenancy/operator.ts'
import { parseBackfill, requestBackfill } from '../operations/request-backfill.ts'
import { parseVoid, requestVoid } from '../operations/request-void.ts'
import type { BillingDeps } from '../ports.ts'
import { allRejected } from './all-rejected.ts'

/**
 * Usage that is handed in late and usage that is taken back. Whoever pays for usage must not be able to
 * do either: both take an operator of the platform.
 */
export function usageJobHandlers(
  deps: BillingDeps,
): Pick<HandlersOf<'billing-api'>, 'backfillUsage' | 'voidUsage' | 'getUsageJob'> {
  return {
    backfillUsage: (request) => onBackfill(deps, request),
    voidUsage: (request) => onVoid(deps, request),
    getUsageJob: async ({ ctx, params }) => {
      const { jobId } = params
      const job = JOB_ID.test(jobId ?? '') ? await deps.usageJobs.find(ctx, jobId ?? '') : undefined
      return job === undefined
        ? refuse('resource.not_found', 'no such job')
        : ok({ status: 200, json: viewOf(job) })
    },
  }
}

const JOB_ID = /^h[\w-]{43}$/

type Job = NonNullable<Awaited<ReturnType<BillingDeps['usageJobs']['find']>>>

function viewOf({ jobId, kind, reason, status, requestedAtMs, events }: Job) {
  return {
    jobId,
    kind,
    reason,
    status,
    requestedAt: new Date(requestedAtMs).toISOString(),
    events: events.length,
  }
}

async function onBackfill(deps: BillingDeps, request: TenantRequest): ReturnType<TenantHandler> {
  const { nowMs, trace } = request
  const backfill = parseBackfill(request.body)
  if (!backfill.ok) return backfill
  const { tenantId, ...asked } = backfill.value
  const ctx = open(request, tenantId, `backfill: ${asked.reason}`)
  if (!ctx.ok) return ctx
  const requested = await requestBackfill(deps, { ctx: ctx.value, backfill: asked, nowMs, trace })
  if (!requested.ok) return requested
  const { jobId, rejected } = requested.value
  if (jobId === null) return ok(allRejected(rejected, request.requestId))
  return ok({ status: 202, headers: { location: locationOf(tenantId, jobId) }, json: requested.value })
}

async function onVoid(deps: BillingDeps, request: TenantRequest): ReturnType<TenantHandler> {
  const { nowMs, trace, signal } = request
  const voiding = parseVoid(request.body, request.query)
  if (!voiding.ok) return voiding
  const { tenantId, ...asked } = voiding.value
  const ctx = open(request, tenantId, `void: ${asked.reason}`)
  if (!ctx.ok) return ctx
  const requested = await requestVoid(deps, { ctx: ctx.value, voiding: asked, nowMs, trace, signal })
  if (!requested.ok) return requested
  const location = locationOf(tenantId, requested.value.jobId)
  return ok({ status: 202, headers: { location }, json: requested.value })
}

function locationOf(tenantId: string, jobId: string): string {
  return `/v1/tenants/${tenantId}/usage/jobs/${jobId}`
}

function open(request: TenantRequest, tenantId: TenantId, reason: string): Result<TenantContext> {
  const opened: TenantContext | Refusal = openAsOperator(
    request.token,
    tenantId,
    'platform:billing',
    reason,
    request.nowMs,
  )
  return TenantContext.is(opened) ? ok(opened) : opened
}

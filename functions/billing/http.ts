import type { HandlersOf } from '#shared/http/edge.ts'
import { healthHandler, metricsHandler, sweepHandler } from '#shared/http/standard.ts'
import type { ApiReply, TenantHandler } from '#shared/http/types.ts'
import { publishCheck } from '#shared/observability/dependency-checks.ts'
import { REFUSALS } from '#shared/refusals.ts'
import { ok, type Result } from '#shared/result.ts'
import type { Platform } from '#shared/wiring.ts'
import { getUsage } from './operations/get-usage.ts'
import { previewInvoice } from './operations/preview-invoice.ts'
import { type RecordedUsage, recordUsage } from './operations/record-usage.ts'
import type { BillingDeps } from './ports.ts'

/** What `billingApiHandler` answers. */
export function billingApi(platform: Platform, deps: BillingDeps): HandlersOf<'billing-api'> {
  return {
    recordUsage: recordUsageHandler(deps),
    getUsage: async (request) => replyWith(await getUsage(deps, request)),
    getUpcomingInvoice: async (request) => replyWith(await previewInvoice(deps, request)),
    getBillingHealth: healthHandler(
      {
        firestore: () => platform.system.ping(),
        pubsub: publishCheck(platform.publisher, 'billing-events'),
      },
      platform,
    ),
    getBillingMetrics: metricsHandler(platform.metrics),
    runBillingSweep: sweepHandler(platform.outbox),
  }
}

function recordUsageHandler(deps: BillingDeps): TenantHandler {
  return async (request) => {
    const { ctx, body, contentType, nowMs, trace } = request
    const recorded = await recordUsage(deps, { tenantId: ctx.tenantId, body, contentType, nowMs, trace })
    if (!recorded.ok) return recorded
    if (recorded.value.accepted === 0) return ok(allRejected(recorded.value, request.requestId))
    return ok({ status: 202, json: recorded.value })
  }
}

/** A problem that says of each event what is wrong with it. */
function allRejected(recorded: RecordedUsage, requestId: string): ApiReply {
  const { title } = REFUSALS['event.malformed']
  return {
    status: 400,
    headers: { 'content-type': 'application/problem+json' },
    json: {
      type: 'urn:energent:error:event.malformed',
      title,
      status: 400,
      code: 'event.malformed',
      detail: 'No event was accepted.',
      requestId,
      accepted: 0,
      rejected: recorded.rejected,
    },
  }
}

function replyWith(result: Result<unknown>): Result<ApiReply> {
  return result.ok ? ok({ status: 200, json: result.value }) : result
}

import type { HandlersOf } from '#shared/http/edge.ts'
import type { ApiReply, TenantHandler } from '#shared/http/types.ts'
import { REFUSALS } from '#shared/refusals.ts'
import { ok } from '#shared/result.ts'
import { getUsage } from '../operations/get-usage.ts'
import { type RecordedUsage, recordUsage } from '../operations/record-usage.ts'
import type { BillingDeps } from '../ports.ts'
import { answerWith } from './answer.ts'

/** The routes of usage: what comes in, and what it came to. */
export function usageHandlers(
  deps: BillingDeps,
): Pick<HandlersOf<'billing-api'>, 'recordUsage' | 'getUsage'> {
  return {
    recordUsage: recordUsageHandler(deps),
    getUsage: async (request) => answerWith(await getUsage(deps, request)),
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

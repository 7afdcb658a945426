import type { HandlersOf } from '#shared/http/edge.ts'
import type { TenantHandler } from '#shared/http/types.ts'
import { ok } from '#shared/result.ts'
import { getUsage } from '../operations/get-usage.ts'
import { recordUsage } from '../operations/record-usage.ts'
import type { BillingDeps } from '../ports.ts'
import { allRejected } from './all-rejected.ts'
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
    if (recorded.value.accepted === 0) return ok(allRejected(recorded.value.rejected, request.requestId))
    return ok({ status: 202, json: recorded.value })
  }
}

import type { HandlersOf } from '#shared/http/edge.ts'
import { claimOf } from '#shared/http/idempotency.ts'
import { ok, refuse } from '#shared/result.ts'
import { getExport, parseExportRequest, requestExport } from '../operations/request-export.ts'
import type { BillingDeps } from '../ports.ts'
import { answerWith } from './answer.ts'

/** The routes of exports. */
export function exportHandlers(
  deps: BillingDeps,
): Pick<HandlersOf<'billing-api'>, 'createExport' | 'getExport'> {
  return {
    createExport: async (request) => {
      const { ctx, requestId, nowMs, trace } = request
      if ((await deps.tenants.find(ctx)) === undefined) return refuse('resource.not_found', 'no such tenant')
      const wanted = parseExportRequest(deps, request.body, nowMs)
      if (!wanted.ok) return wanted
      const { kind, format, period } = wanted.value
      const claim = claimOf(request, { kind, format, ...period })
      if (!claim.ok) return claim
      const asked = { ctx, wanted: wanted.value, claim: claim.value, requestId, nowMs, trace }
      const requested = await requestExport(deps, asked)
      if (!requested.ok) return requested
      const location = `/v1/tenants/${ctx.tenantId}/exports/${String(requested.value['exportId'])}`
      return ok({ status: 202, headers: { location }, json: requested.value })
    },
    getExport: async ({ ctx, params }) => answerWith(await getExport(deps, ctx, params['exportId'] ?? '')),
  }
}

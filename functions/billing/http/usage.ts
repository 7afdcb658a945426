import type { HandlersOf } from '#shared/http/edge.ts'
import type { Paging } from '#shared/http/paging.ts'
import type { TenantHandler } from '#shared/http/types.ts'
import { ok, type Result } from '#shared/result.ts'
import type { Platform } from '#shared/wiring.ts'
import { getUsage } from '../operations/get-usage.ts'
import { listUsageConflicts } from '../operations/list-usage-conflicts.ts'
import { type ListRequest, listUsageEvents } from '../operations/list-usage-events.ts'
import { recordUsage } from '../operations/record-usage.ts'
import type { BillingDeps } from '../ports.ts'
import { allRejected } from './all-rejected.ts'
import { answerWith } from './answer.ts'
import { billingPages } from './pages.ts'

/** The routes of usage: what comes in, and what it came to. */
export function usageHandlers(
  platform: Platform,
  deps: BillingDeps,
): Pick<HandlersOf<'billing-api'>, 'recordUsage' | 'getUsage' | 'listUsageEvents' | 'listUsageConflicts'> {
  const pages = billingPages(platform)
  return {
    recordUsage: recordUsageHandler(deps),
    getUsage: async (request) => answerWith(await getUsage(deps, request)),
    listUsageEvents: listHandler(pages, (request) => listUsageEvents(deps, request)),
    listUsageConflicts: listHandler(pages, (request) => listUsageConflicts(deps, request)),
  }
}

type Page = { readonly next: string | undefined }

function listHandler<P extends Page>(
  pages: Paging,
  list: (request: ListRequest) => Promise<Result<P>>,
): TenantHandler {
  return async (request) => {
    const page = pages.read(request)
    if (!page.ok) return page
    const listed = await list({ ...request, page: page.value })
    if (!listed.ok) return listed
    const { next, ...rest } = listed.value
    return ok({ status: 200, json: { ...rest, nextPageToken: pages.next(request, next) } })
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

import { z } from 'zod'
import type { HandlersOf } from '#shared/http/edge.ts'
import type { Paging } from '#shared/http/paging.ts'
import type { TenantHandler } from '#shared/http/types.ts'
import { parser } from '#shared/json.ts'
import { ok } from '#shared/result.ts'
import type { ApiDeps } from '../deps.ts'
import {
  readCertificate,
  readEvidenceKeys,
  readOperations,
  readTimeline,
} from '../operations/read-history.ts'
import { readOperation } from '../operations/read-tenant.ts'
import { audienceOf } from './audience.ts'

type Routes = 'listOperations' | 'getOperation' | 'getTimeline' | 'getDeletionCertificate' | 'getEvidenceKeys'

/** What has happened to a tenant, and what is happening. */
export function historyHandlers(deps: ApiDeps, pages: Paging): Pick<HandlersOf<'tenants-api'>, Routes> {
  return {
    listOperations: paged(pages, readOperations, deps),
    getOperation: async (request) => {
      const { ctx, params } = request
      const operation = await readOperation(deps, ctx, params['operationId'], audienceOf(request))
      return operation.ok ? ok({ status: 200, json: operation.value }) : operation
    },
    getTimeline: paged(pages, readTimeline, deps),
    getDeletionCertificate: async ({ ctx }) => {
      const certificate = await readCertificate(deps, ctx)
      return certificate.ok ? ok({ status: 200, json: certificate.value }) : certificate
    },
    getEvidenceKeys: async () => {
      const headers = { 'cache-control': 'public, max-age=3600' }
      return ok({ status: 200, headers, json: { keys: await readEvidenceKeys(deps) } })
    },
  }
}

const parseQuery = parser(
  z.strictObject({ pageSize: z.string().optional(), pageToken: z.string().optional() }),
  'request.malformed',
  'query',
)

function paged(
  pages: Paging,
  read: typeof readOperations | typeof readTimeline,
  deps: ApiDeps,
): TenantHandler {
  return async (request) => {
    const query = parseQuery(request.query)
    if (!query.ok) return query
    const asked = pages.read(request)
    if (!asked.ok) return asked
    const page = await read(deps, { ctx: request.ctx, audience: audienceOf(request), ...asked.value })
    if (!page.ok) return page
    const { items, next } = page.value
    const headers = { 'cache-control': 'no-store' }
    return ok({ status: 200, headers, json: { items, nextPageToken: pages.next(request, next) } })
  }
}

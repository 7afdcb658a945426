import type { HandlersOf } from '#shared/http/edge.ts'
import { claimOf } from '#shared/http/idempotency.ts'
import type { Paging } from '#shared/http/paging.ts'
import type { TenantRequest } from '#shared/http/types.ts'
import { hashedId } from '#shared/ids.ts'
import { parseJson } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { formatInstant } from '../domain/calendar.ts'
import { inBurnOrder } from '../domain/grant.ts'
import { parseInstant } from '../domain/usage-query.ts'
import { newGrant, parseWantedGrant, viewOfGrant } from '../domain/wanted-grant.ts'
import type { BillingDeps } from '../ports.ts'

type Handlers = Pick<HandlersOf<'billing-api'>, 'createGrant' | 'listGrants' | 'voidGrant'>

/** The routes of prepaid credit. */
export function grantHandlers(deps: BillingDeps, pages: Paging): Handlers {
  return {
    createGrant: async (request) => {
      const body = parseJson(request.body, 6)
      if (!body.ok) return body
      const wanted = parseWantedGrant(body.value)
      if (!wanted.ok) return wanted
      const claim = claimOf(request, wanted.value)
      if (!claim.ok) return claim
      const { ctx, nowMs, requestId } = request
      if ((await deps.tenants.find(ctx)) === undefined) return refuse('resource.not_found', 'no such tenant')
      const grant = newGrant(wanted.value, idOf(ctx.tenantId, claim.value?.id ?? requestId), nowMs)
      if (!grant.ok) return grant
      const added = await deps.grants.add(ctx, claim.value, grant.value)
      if (!added.ok) return added
      const { replayed } = added.value
      const json = viewOfGrant(added.value.grant, nowMs)
      return ok({
        status: replayed ? 200 : 201,
        ...(replayed ? { headers: { 'idempotency-replayed': 'true' } } : {}),
        json,
      })
    },
    listGrants: async (request) => {
      const page = pages.read(request)
      if (!page.ok) return page
      const atMs = instantOf(request)
      if (!atMs.ok) return atMs
      if ((await deps.tenants.find(request.ctx)) === undefined) {
        return refuse('resource.not_found', 'no such tenant')
      }
      const { grants } = await deps.grants.read(request.ctx)
      const ordered = inBurnOrder(grants)
      // A grant that came meanwhile may stand before the place: the place is the grant's, not a number.
      const { after, pageSize } = page.value
      const from = after === undefined ? 0 : ordered.findIndex(({ grantId }) => grantId === after) + 1
      const items = ordered.slice(from, from + pageSize)
      const last = from + pageSize < ordered.length ? items.at(-1)?.grantId : undefined
      return ok({
        status: 200,
        json: {
          asOf: formatInstant(atMs.value),
          items: items.map((grant) => viewOfGrant(grant, atMs.value)),
          nextPageToken: pages.next(request, last),
        },
      })
    },
    voidGrant: async (request) => {
      const { ctx, nowMs, params } = request
      const grantId = params['grantId'] ?? ''
      const claim = claimOf(request, { grantId })
      if (!claim.ok) return claim
      const voided = await deps.grants.void(ctx, claim.value, grantId, nowMs)
      return voided.ok ? ok({ status: 200, json: viewOfGrant(voided.value, nowMs) }) : voided
    },
  }
}

/** The instant that balances are asked for. */
function instantOf(request: TenantRequest): Result<number> {
  const text = request.query['at']
  const atMs = text === undefined ? request.nowMs : parseInstant(text)
  return atMs === undefined ? refuse('request.malformed', 'at', 'at: must be an RFC 3339 instant') : ok(atMs)
}

function idOf(tenantId: string, request: string): string {
  return `grt_${hashedId('grant', tenantId, request).slice(1, 28)}`
}

import { z } from 'zod'
import { TIERS } from '#shared/catalogue/tiers.ts'
import { TENANT_STATES } from '#shared/contracts/events/tenant-fact.ts'
import type { HandlersOf } from '#shared/http/edge.ts'
import { checkIfMatch, isNotModified, revisionTag } from '#shared/http/etag.ts'
import { claimOf } from '#shared/http/idempotency.ts'
import type { Paging } from '#shared/http/paging.ts'
import type { TenantHandler } from '#shared/http/types.ts'
import { parser } from '#shared/json.ts'
import { ok } from '#shared/result.ts'
import { TenantContext } from '#shared/tenancy/context.ts'
import { openAsOperator } from '#shared/tenancy/operator.ts'
import type { ApiDeps } from '../deps.ts'
import { changeTenant } from '../operations/change-tenant.ts'
import { createTenant } from '../operations/create-tenant.ts'
import { listTenants } from '../operations/list-tenants.ts'
import { readTenant } from '../operations/read-tenant.ts'
import { audienceOf } from './audience.ts'
import { BODIES, parseCreate, readBody } from './bodies.ts'

type Routes = 'createTenant' | 'listTenants' | 'getTenant' | 'changeTenant'

/** Tenants themselves: made, listed, looked at and named. */
export function tenantHandlers(deps: ApiDeps, pages: Paging): Pick<HandlersOf<'tenants-api'>, Routes> {
  return {
    createTenant: onCreate(deps),
    listTenants: onList(deps, pages),
    getTenant: onGet(deps),
    changeTenant: onChange(deps),
  }
}

function onCreate(deps: ApiDeps): TenantHandler {
  return async (request) => {
    const { nowMs, token, trace } = request
    const body = parseCreate(request.body)
    if (!body.ok) return body
    const claim = claimOf(request, body.value)
    if (!claim.ok) return claim
    const reason = `create tenant ${body.value.tenantId}`
    const ctx = openAsOperator(token, body.value.tenantId, 'platform:tenants', reason, nowMs)
    if (!TenantContext.is(ctx)) return ctx
    const created = await createTenant(deps, { ctx, body: body.value, claim: claim.value, nowMs, trace })
    if (!created.ok) return created
    const { operationId, tenant } = created.value
    const location = `/v1/tenants/${tenant.tenantId}/operations/${operationId}`
    return ok({ status: 202, headers: { location }, json: created.value })
  }
}

const parseQuery = parser(
  z.strictObject({
    state: z.enum(TENANT_STATES).optional(),
    tier: z.enum(TIERS).optional(),
    pageSize: z.string().optional(),
    pageToken: z.string().optional(),
  }),
  'request.malformed',
  'query',
)

function onList(deps: ApiDeps, pages: Paging): TenantHandler {
  return async (request) => {
    const query = parseQuery(request.query)
    if (!query.ok) return query
    const { state, tier } = query.value
    const page = pages.read(request)
    if (!page.ok) return page
    const filter = { ...(state === undefined ? {} : { state }), ...(tier === undefined ? {} : { tier }) }
    const { items, next } = await listTenants(deps, { filter, ...page.value })
    return ok({ status: 200, json: { items, nextPageToken: pages.next(request, next) } })
  }
}

function onGet(deps: ApiDeps): TenantHandler {
  return async (request) => {
    const tenant = await readTenant(deps, request.ctx, audienceOf(request))
    if (!tenant.ok) return tenant
    const { revision, operation } = tenant.value
    const headers = { etag: revisionTag(revision) }
    // While an operation runs its step changes within a revision, and whoever asks wants to see it.
    if (operation === null && isNotModified(request, headers.etag)) return ok({ status: 304, headers })
    return ok({ status: 200, headers, json: tenant.value })
  }
}

function onChange(deps: ApiDeps): TenantHandler {
  return async (request) => {
    const body = readBody(request.body, BODIES.rename)
    if (!body.ok) return body
    const claim = claimOf(request, body.value)
    if (!claim.ok) return claim
    const changed = await changeTenant(deps, {
      ctx: request.ctx,
      displayName: body.value.displayName,
      claim: claim.value,
      hasSeen: (revision) => checkIfMatch(request, revisionTag(revision)),
    })
    if (!changed.ok) return changed
    const headers = { etag: revisionTag(changed.value.revision) }
    return ok({ status: 200, headers, json: changed.value })
  }
}

import { z } from 'zod'
import type { HandlersOf } from '#shared/http/edge.ts'
import { checkIfMatch, revisionTag } from '#shared/http/etag.ts'
import { claimOf } from '#shared/http/idempotency.ts'
import type { ApiReply, TenantHandler, TenantRequest } from '#shared/http/types.ts'
import { parseJson, parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { AuthDeps } from '../deps.ts'
import { type ConnectionView, parseConnectionId, viewOfConnection } from '../domain/connection.ts'
import { parseConnectionChange, parseNewConnection } from '../domain/new-connection.ts'
import { viewOfDomain } from '../domain/proven-domain.ts'
import { changeConnection, createConnection, deleteConnection } from '../operations/manage-connections.ts'
import { claimDomain, verifyDomain } from '../operations/prove-domain.ts'

type Handlers = Pick<
  HandlersOf<'auth'>,
  | 'createConnection'
  | 'listConnections'
  | 'getConnection'
  | 'changeConnection'
  | 'deleteConnection'
  | 'createDomain'
  | 'listDomains'
  | 'verifyDomain'
>

export function connectionHandlers(deps: AuthDeps): Handlers {
  return {
    createConnection: createHandler(deps),
    listConnections: async ({ ctx }) => {
      const all = await deps.connections.list(ctx)
      if (all.length === 0 && !(await deps.auditTenants.isKnown(ctx))) return noTenant()
      const items = all.map((connection) => viewOfConnection(connection, ctx.tenantId, deps.issuer))
      return ok({ status: 200, json: { items, nextPageToken: null } })
    },
    getConnection: async ({ ctx, params }) => {
      const id = parseConnectionId(params['connectionId'])
      if (!id.ok) return id
      const found = await deps.connections.find(ctx, id.value)
      if (found === undefined) return refuse('resource.not_found', 'no such connection')
      return ok(connectionReply(200, viewOfConnection(found, ctx.tenantId, deps.issuer)))
    },
    changeConnection: changeHandler(deps),
    deleteConnection: async (request) => {
      const id = parseConnectionId(request.params['connectionId'])
      if (!id.ok) return id
      const deleted = await deleteConnection(deps, { ...callOf(request), connectionId: id.value })
      return deleted.ok ? ok({ status: 204 }) : deleted
    },
    createDomain: async (request) => {
      const body = parsed(request, parseDomainBody)
      if (!body.ok) return body
      const claimed = await claimDomain(deps, request.ctx, body.value.domain, request.nowMs)
      return claimed.ok ? ok({ status: 201, json: viewOfDomain(claimed.value) }) : claimed
    },
    listDomains: async ({ ctx }) => {
      const items = (await deps.domains.list(ctx)).map(viewOfDomain)
      if (items.length === 0 && !(await deps.auditTenants.isKnown(ctx))) return noTenant()
      return ok({ status: 200, json: { items, nextPageToken: null } })
    },
    verifyDomain: async ({ ctx, params, nowMs }) => {
      const verified = await verifyDomain(deps, ctx, params['domainId'] ?? '', nowMs)
      return verified.ok ? ok({ status: 200, json: viewOfDomain(verified.value) }) : verified
    },
  }
}

/** An operator may name any tenant: an empty list would say that there is one. */
function noTenant() {
  return refuse('resource.not_found', 'auth knows no such tenant')
}

const parseDomainBody = parser(z.strictObject({ domain: z.string().max(253) }))

function createHandler(deps: AuthDeps): TenantHandler {
  return async (request) => {
    const settings = parsed(request, parseNewConnection)
    if (!settings.ok) return settings
    // The secret is no part of it: nothing that is stored may be computed from one alone.
    const { clientSecret, ...content } = settings.value
    const claim = claimOf(request, { tenantId: request.ctx.tenantId, ...JSON.parse(JSON.stringify(content)) })
    if (!claim.ok) return claim
    const command = { ...callOf(request), settings: settings.value, claim: claim.value }
    const created = await createConnection(deps, command)
    if (!created.ok) return created
    const { view, replayed } = created.value
    if (replayed) return ok({ ...connectionReply(200, view), headers: { 'idempotency-replayed': 'true' } })
    const reply = connectionReply(201, view)
    const location = `/v1/tenants/${request.ctx.tenantId}/connections/${view.connectionId}`
    return ok({ ...reply, headers: { ...reply.headers, location } })
  }
}

function changeHandler(deps: AuthDeps): TenantHandler {
  return async (request) => {
    const id = parseConnectionId(request.params['connectionId'])
    if (!id.ok) return id
    const settings = parsed(request, parseConnectionChange)
    if (!settings.ok) return settings
    const changed = await changeConnection(deps, {
      ...callOf(request),
      connectionId: id.value,
      settings: settings.value,
      check: (revision) => checkIfMatch(request, revisionTag(revision)),
    })
    return changed.ok ? ok(connectionReply(200, changed.value)) : changed
  }
}

function callOf({ ctx, token, nowMs, trace }: TenantRequest) {
  const { tenant, scopes, roles } = token.claims
  return { ctx, giver: { tenantId: tenant, scopes, roles }, nowMs, trace }
}

function parsed<T>(request: TenantRequest, parse: (raw: unknown) => Result<T>): Result<T> {
  const body = parseJson(request.body, 8)
  return body.ok ? parse(body.value) : body
}

function connectionReply(status: number, view: ConnectionView): ApiReply {
  return { status, headers: { etag: revisionTag(view.revision) }, json: view }
}

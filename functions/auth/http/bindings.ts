import type { HandlersOf } from '#shared/http/edge.ts'
import { claimOf } from '#shared/http/idempotency.ts'
import type { TenantHandler, TenantRequest } from '#shared/http/types.ts'
import { isDocumentId } from '#shared/ids.ts'
import { parseJson } from '#shared/json.ts'
import { ok, refuse } from '#shared/result.ts'
import type { AuthDeps } from '../deps.ts'
import { parseNewBinding, viewOfBinding } from '../domain/new-binding.ts'
import { createBinding, deleteBinding } from '../operations/keep-bindings.ts'
import { authPages } from './pages.ts'

type BindingHandlers = Pick<HandlersOf<'auth'>, 'listBindings' | 'createBinding' | 'deleteBinding'>

export function bindingHandlers(deps: AuthDeps): BindingHandlers {
  return {
    listBindings: listHandler(deps),
    createBinding: (request) => onCreate(deps, request),
    deleteBinding: async ({ ctx, nowMs, params }) => {
      const { bindingId } = params
      if (!isDocumentId(bindingId)) return refuse('resource.not_found', 'not a binding id')
      const deleted = await deleteBinding(deps, { ctx, bindingId, nowMs })
      return deleted.ok ? ok({ status: 204 }) : deleted
    },
  }
}

function listHandler(deps: AuthDeps): TenantHandler {
  const pages = authPages(deps.platform)
  return async (request) => {
    const page = pages.read(request)
    if (!page.ok) return page
    const { after = '', pageSize } = page.value
    // A tenant has a hundred at most: read together, and paged for the sake of the one form of lists.
    const all = await deps.bindings.list(request.ctx)
    if (all === undefined) return refuse('resource.not_found', 'auth knows no such tenant')
    const left = all.filter(({ id }) => id > after).sort((one, other) => (one.id < other.id ? -1 : 1))
    const items = left.slice(0, pageSize)
    const last = left.length > pageSize ? items.at(-1)?.id : undefined
    const views = items.map((binding) => viewOfBinding(request.ctx.tenantId, binding))
    return ok({ status: 200, json: { items: views, nextPageToken: pages.next(request, last) } })
  }
}

async function onCreate(deps: AuthDeps, request: TenantRequest): ReturnType<TenantHandler> {
  const body = parseJson(request.body, 8)
  if (!body.ok) return body
  const wanted = parseNewBinding(body.value)
  if (!wanted.ok) return wanted
  const claim = claimOf(request, { tenantId: request.ctx.tenantId, ...wanted.value })
  if (!claim.ok) return claim
  const { tenant, scopes } = request.token.claims
  const created = await createBinding(deps, {
    ctx: request.ctx,
    giver: { tenantId: tenant, scopes },
    wanted: wanted.value,
    claim: claim.value,
    nowMs: request.nowMs,
  })
  if (!created.ok) return created
  const { binding, replayed } = created.value
  return replayed
    ? ok({ status: 200, headers: { 'idempotency-replayed': 'true' }, json: binding })
    : ok({ status: 201, json: binding })
}

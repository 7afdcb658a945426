import { z } from 'zod'
import type { HandlersOf } from '#shared/http/edge.ts'
import { claimOf } from '#shared/http/idempotency.ts'
import type { TenantHandler, TenantRequest } from '#shared/http/types.ts'
import { parseJson, parser } from '#shared/json.ts'
import { ok, refuse } from '#shared/result.ts'
import type { AuthDeps } from '../deps.ts'
import { isApiKeyId, parseApiKey, parseNewApiKey, viewOfApiKey } from '../domain/api-key.ts'
import { authenticateApiKey } from '../operations/authenticate-api-key.ts'
import { createApiKey, deleteApiKey } from '../operations/keep-api-keys.ts'
import { authPages } from './pages.ts'

type ApiKeyHandlers = Pick<
  HandlersOf<'auth'>,
  'createApiKey' | 'listApiKeys' | 'deleteApiKey' | 'verifyApiKey'
>

export function apiKeyHandlers(deps: AuthDeps): ApiKeyHandlers {
  return {
    createApiKey: (request) => onCreate(deps, request),
    listApiKeys: listHandler(deps),
    deleteApiKey: async ({ ctx, params, nowMs, trace }) => {
      const { keyId } = params
      if (!isApiKeyId(keyId)) return refuse('resource.not_found', 'not a key id')
      const deleted = await deleteApiKey(deps, { ctx, keyId, nowMs, trace })
      return deleted.ok ? ok({ status: 204 }) : deleted
    },
    verifyApiKey: (request) => onVerify(deps, request),
  }
}

async function onCreate(deps: AuthDeps, request: TenantRequest): ReturnType<TenantHandler> {
  const body = parseJson(request.body, 4)
  if (!body.ok) return body
  const wanted = parseNewApiKey(body.value, request.nowMs)
  if (!wanted.ok) return wanted
  const claim = claimOf(request, { tenantId: request.ctx.tenantId, ...wanted.value })
  if (!claim.ok) return claim
  const { tenant, scopes, subject } = request.token.claims
  const created = await createApiKey(deps, {
    ctx: request.ctx,
    giver: { tenantId: tenant, scopes, subject },
    wanted: wanted.value,
    claim: claim.value,
    nowMs: request.nowMs,
    trace: request.trace,
  })
  if (!created.ok) return created
  const { view, key } = created.value
  return key === undefined
    ? ok({ status: 200, headers: { 'idempotency-replayed': 'true' }, json: view })
    : ok({ status: 201, json: { ...view, key } })
}

function listHandler(deps: AuthDeps): TenantHandler {
  const pages = authPages(deps.platform)
  return async (request) => {
    const page = pages.read(request)
    if (!page.ok) return page
    const { pageSize, after } = page.value
    const found = await deps.apiKeys.list(request.ctx, pageSize + 1, after)
    if (found === undefined) return refuse('resource.not_found', 'auth knows no such tenant')
    const items = found.slice(0, pageSize)
    const last = found.length > pageSize ? items.at(-1)?.keyId : undefined
    return ok({
      status: 200,
      json: { items: items.map(viewOfApiKey), nextPageToken: pages.next(request, last) },
    })
  }
}

const parseVerification = parser(z.strictObject({ key: z.string().max(256) }))

/** Whether a key is good, for a workload of the tenant whose it is; another's is no key. */
async function onVerify(deps: AuthDeps, request: TenantRequest): ReturnType<TenantHandler> {
  const body = parseJson(request.body, 4)
  const asked = body.ok ? parseVerification(body.value) : body
  if (!asked.ok) return asked
  const presented = parseApiKey(asked.value.key)
  const own = presented.ok && presented.value.tenantId === request.ctx.tenantId
  const proven = own ? await authenticateApiKey(deps, asked.value.key, undefined, request.nowMs) : undefined
  if (proven?.ok === false && proven.code === 'rate.limited') return proven
  if (proven?.ok !== true) return ok({ status: 200, json: { valid: false } })
  const { key, state, scopes } = proven.value
  const { keyId, tenantId, name, expiresAt } = viewOfApiKey(key)
  return ok({
    status: 200,
    json: { valid: true, keyId, name, tenant: tenantId, tier: state.tier, scopes, expiresAt },
  })
}

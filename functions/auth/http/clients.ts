import { z } from 'zod'
import type { HandlersOf } from '#shared/http/edge.ts'
import { checkIfMatch, isNotModified, revisionTag } from '#shared/http/etag.ts'
import { claimOf } from '#shared/http/idempotency.ts'
import type { TenantHandler, TenantRequest } from '#shared/http/types.ts'
import { parseJson, parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { AuthDeps } from '../deps.ts'
import { parseClientChange } from '../domain/change-client.ts'
import { parseClientId } from '../domain/client-id.ts'
import { type ClientView, parseNewClient, viewOf } from '../domain/new-client.ts'
import { createClient } from '../operations/create-client.ts'
import {
  deleteClient,
  deleteClientSecret,
  type KeepCommand,
  rotateClientSecret,
  updateClient,
} from '../operations/keep-clients.ts'
import { authPages } from './pages.ts'

type ClientHandlers = Pick<
  HandlersOf<'auth'>,
  | 'createClient'
  | 'listClients'
  | 'getClient'
  | 'updateClient'
  | 'deleteClient'
  | 'rotateClientSecret'
  | 'deleteClientSecret'
>

export function clientHandlers(deps: AuthDeps): ClientHandlers {
  return {
    createClient: (request) => onCreate(deps, request),
    listClients: listHandler(deps),
    getClient: (request) => onGet(deps, request),
    updateClient: (request) => onUpdate(deps, request),
    deleteClient: async (request) => {
      const command = keepCommand(request)
      if (!command.ok) return command
      const deleted = await deleteClient(deps, command.value)
      return deleted.ok ? ok({ status: 204 }) : deleted
    },
    rotateClientSecret: (request) => onRotate(deps, request),
    deleteClientSecret: async (request) => {
      const command = keepCommand(request)
      if (!command.ok) return command
      const left = await deleteClientSecret(deps, command.value, request.params['secretId'] ?? '')
      return left.ok ? ok({ status: 204 }) : left
    },
  }
}

async function onCreate(deps: AuthDeps, request: TenantRequest): ReturnType<TenantHandler> {
  const body = parseJson(request.body, 8)
  if (!body.ok) return body
  const wanted = parseNewClient(body.value)
  if (!wanted.ok) return wanted
  const claim = claimOf(request, { tenantId: request.ctx.tenantId, ...wanted.value })
  if (!claim.ok) return claim
  const created = await createClient(deps, {
    ctx: request.ctx,
    giver: callerOf(request),
    wanted: wanted.value,
    claim: claim.value,
    nowMs: request.nowMs,
    trace: request.trace,
  })
  if (!created.ok) return created
  const { client, clientSecret, replayed } = created.value
  // Seen before: 200 instead of 201 says that nothing was made, and why there is no secret.
  if (replayed) return ok({ status: 200, headers: { 'idempotency-replayed': 'true' }, json: client })
  return ok({ status: 201, headers: tagged(client), json: { ...client, clientSecret } })
}

function listHandler(deps: AuthDeps): TenantHandler {
  const pages = authPages(deps.platform)
  return async (request) => {
    const page = pages.read(request)
    if (!page.ok) return page
    const { pageSize, after } = page.value
    const found = await deps.clientRegister.list(request.ctx, pageSize + 1, after)
    if (found === undefined) return refuse('resource.not_found', 'auth knows no such tenant')
    const items = found.slice(0, pageSize)
    const last = found.length > pageSize ? items.at(-1)?.clientId : undefined
    return ok({ status: 200, json: { items: items.map(viewOf), nextPageToken: pages.next(request, last) } })
  }
}

async function onGet(deps: AuthDeps, request: TenantRequest): ReturnType<TenantHandler> {
  const id = parseClientId(request.params['clientId'])
  const client = id.ok ? await deps.clientRegister.find(request.ctx, id.value.clientId) : undefined
  if (client === undefined) return refuse('resource.not_found', 'no such client')
  const etag = revisionTag(client.revision)
  if (isNotModified(request, etag)) return ok({ status: 304, headers: { etag } })
  return ok({ status: 200, headers: { etag }, json: viewOf(client) })
}

async function onUpdate(deps: AuthDeps, request: TenantRequest): ReturnType<TenantHandler> {
  const command = keepCommand(request)
  if (!command.ok) return command
  const body = parseJson(request.body, 8)
  if (!body.ok) return body
  const change = parseClientChange(body.value)
  if (!change.ok) return change
  const updated = await updateClient(deps, command.value, change.value)
  return updated.ok ? ok({ status: 200, headers: tagged(updated.value), json: updated.value }) : updated
}

const parseRotation = parser(
  z.strictObject({
    overlapSeconds: z
      .number()
      .int()
      .min(0)
      .max(7 * 86_400)
      .default(86_400),
  }),
)

async function onRotate(deps: AuthDeps, request: TenantRequest): ReturnType<TenantHandler> {
  const command = keepCommand(request)
  if (!command.ok) return command
  const body = request.body.length === 0 ? ok({}) : parseJson(request.body, 8)
  const rotation = body.ok ? parseRotation(body.value) : body
  if (!rotation.ok) return rotation
  const claim = claimOf(request, { clientId: command.value.clientId, ...rotation.value })
  if (!claim.ok) return claim
  const asked = { ...command.value, claim: claim.value }
  const rotated = await rotateClientSecret(deps, asked, rotation.value.overlapSeconds)
  if (!rotated.ok) return rotated
  const { client, clientSecret } = rotated.value
  return clientSecret === undefined
    ? ok({ status: 200, headers: { 'idempotency-replayed': 'true' }, json: client })
    : ok({ status: 201, headers: tagged(client), json: { ...client, clientSecret } })
}

/** What every change of one client starts with. A path that names no client names nothing that exists. */
function keepCommand(request: TenantRequest): Result<KeepCommand> {
  const id = parseClientId(request.params['clientId'])
  if (!id.ok) return refuse('resource.not_found', 'not a client id')
  return ok({
    ctx: request.ctx,
    clientId: id.value.clientId,
    keeper: callerOf(request),
    isExpected: (revision) => checkIfMatch(request, revisionTag(revision)),
    nowMs: request.nowMs,
    trace: request.trace,
  })
}

function callerOf({ token: { claims } }: TenantRequest) {
  const { tenant, scopes, roles, subject, clientId } = claims
  return { tenantId: tenant, scopes, roles, subject, clientId }
}

function tagged({ revision }: ClientView): { etag: string } {
  return { etag: revisionTag(revision) }
}

import type { HandlersOf } from '#shared/http/edge.ts'
import { claimOf } from '#shared/http/idempotency.ts'
import type { TenantHandler } from '#shared/http/types.ts'
import { parseJson } from '#shared/json.ts'
import { ok } from '#shared/result.ts'
import type { AuthDeps } from '../deps.ts'
import { parseNewClient } from '../domain/new-client.ts'
import { createClient } from '../operations/create-client.ts'

export function clientHandlers(deps: AuthDeps): Pick<HandlersOf<'auth'>, 'createClient'> {
  return { createClient: createHandler(deps) }
}

function createHandler(deps: AuthDeps): TenantHandler {
  return async (request) => {
    const body = parseJson(request.body, 8)
    if (!body.ok) return body
    const wanted = parseNewClient(body.value)
    if (!wanted.ok) return wanted
    const claim = claimOf(request, { tenantId: request.ctx.tenantId, ...wanted.value })
    if (!claim.ok) return claim
    const { claims } = request.token
    const created = await createClient(deps, {
      ctx: request.ctx,
      giver: {
        tenantId: claims.tenant,
        scopes: claims.scopes,
        subject: claims.subject,
        clientId: claims.clientId,
      },
      wanted: wanted.value,
      claim: claim.value,
      nowMs: request.nowMs,
      trace: request.trace,
    })
    if (!created.ok) return created
    const { client, clientSecret } = created.value
    // Seen before: 200 instead of 201 says that nothing was made, and why there is no secret.
    return clientSecret === undefined
      ? ok({ status: 200, headers: { 'idempotency-replayed': 'true' }, json: client })
      : ok({ status: 201, json: { ...client, clientSecret } })
  }
}

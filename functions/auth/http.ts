import type { OperationId } from '#shared/catalogue/routes.ts'
import type { HandlersOf } from '#shared/http/edge.ts'
import { type EntityTag, isNotModified } from '#shared/http/etag.ts'
import { claimOf } from '#shared/http/idempotency.ts'
import { healthHandler, metricsHandler, sweepHandler } from '#shared/http/standard.ts'
import type { ApiReply, PublicHandler, TenantHandler } from '#shared/http/types.ts'
import { sha256Hex } from '#shared/ids.ts'
import { parseJson } from '#shared/json.ts'
import { publishCheck, secretCheck } from '#shared/observability/dependency-checks.ts'
import { ok, type Refusal, refuse } from '#shared/result.ts'
import type { AuthDeps } from './deps.ts'
import { ACCESS_KEYS_SECRET } from './domain/access-key.ts'
import { parseForm } from './domain/form.ts'
import { authorizationServerMetadata, openidConfiguration } from './domain/metadata.ts'
import { parseNewClient } from './domain/new-client.ts'
import { parseTokenRequest } from './domain/token-request.ts'
import { oauthErrorReply, tokenReply } from './oauth-reply.ts'
import { createClient } from './operations/create-client.ts'
import { issueToken } from './operations/issue-token.ts'

const PUBLIC_FIVE_MINUTES = 'public, max-age=300'
/** Credentials and grants never travel in a URL, where every log keeps them (RFC 9700 §4.2). */
const BODY_ONLY = [
  'grant_type',
  'client_id',
  'client_secret',
  'client_assertion',
  'scope',
  'resource',
  'audience',
]

export function authHandlers(deps: AuthDeps): HandlersOf<'auth'> {
  const { platform, keyring, issuer } = deps
  return {
    getAuthorizationServerMetadata: cachedJson(async () => authorizationServerMetadata(issuer)),
    getOpenidConfiguration: cachedJson(async () => openidConfiguration(issuer)),
    getJwks: cachedJson((nowMs) => jwks(deps, nowMs)),
    createToken: tokenHandler(deps),
    createClient: clientHandler(deps),
    getHealth: healthHandler(
      {
        firestore: () => platform.system.ping(),
        keyring: () => keyring.signer(platform.clock.now()),
        pubsub: publishCheck(platform.publisher, 'auth-facts'),
        secrets: secretCheck(platform.secrets, ACCESS_KEYS_SECRET),
      },
      platform,
    ),
    getMetrics: metricsHandler(platform.metrics),
    runAuthSweep: sweepHandler(platform.outbox),
  }
}

/**
 * How this function words refusals of OAuth's own endpoints; undefined leaves problem+json. A call
 * that did not come through the gateway is no OAuth matter.
 */
export function authRefusalReply(operationId: OperationId, refusal: Refusal): ApiReply | undefined {
  return operationId === 'createToken' && refusal.code !== 'caller.untrusted'
    ? oauthErrorReply(refusal)
    : undefined
}

async function jwks(deps: AuthDeps, nowMs: number): Promise<unknown> {
  const keys = await deps.keyring.publicKeys(nowMs)
  return { keys: keys.map(({ kid, jwk }) => ({ ...jwk, kid, use: 'sig', alg: 'ES256' })) }
}

/** A public document with an ETag over its bytes: whoever has it already gets 304. */
function cachedJson(make: (nowMs: number) => Promise<unknown>): PublicHandler {
  return async (request) => {
    const text = JSON.stringify(await make(request.nowMs))
    const etag: EntityTag = `"${sha256Hex(text).slice(0, 32)}"`
    const headers = { 'cache-control': PUBLIC_FIVE_MINUTES, etag }
    if (isNotModified(request, etag)) return ok({ status: 304, headers })
    return ok({ status: 200, headers: { ...headers, 'content-type': 'application/json' }, text })
  }
}

function tokenHandler(deps: AuthDeps): PublicHandler {
  return async (request) => {
    if (BODY_ONLY.some((name) => request.query[name] !== undefined)) {
      return refuse('request.malformed', 'query', 'Send the parameters in the body, not in the URL.')
    }
    const form = parseForm(request.body)
    if (!form.ok) return form
    const asked = parseTokenRequest(form.value, request.authorization, deps.issuer)
    if (!asked.ok) return asked
    const issued = await issueToken(deps, asked.value, request.nowMs)
    if (!issued.ok) return issued
    return ok({ ...tokenReply(issued.value), logged: { grant: asked.value.grant } })
  }
}

function clientHandler(deps: AuthDeps): TenantHandler {
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

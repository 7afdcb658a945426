import { sealAudit } from '#shared/audit/seal-audit.ts'
import type { OperationId } from '#shared/catalogue/routes.ts'
import type { HandlersOf } from '#shared/http/edge.ts'
import { type EntityTag, isNotModified } from '#shared/http/etag.ts'
import type { TokenScheme } from '#shared/http/problem.ts'
import { healthHandler, metricsHandler, sweepHandler } from '#shared/http/standard.ts'
import type { ApiReply, PublicHandler } from '#shared/http/types.ts'
import { sha256Hex } from '#shared/ids.ts'
import { errorFields } from '#shared/log.ts'
import { publishCheck, secretCheck } from '#shared/observability/dependency-checks.ts'
import { ok, type Refusal } from '#shared/result.ts'
import { PURPOSE_OF_FACTS } from '#shared/tokens/verify-access-token.ts'
import type { AuthDeps } from './deps.ts'
import { ACCESS_KEYS_SECRET } from './domain/access-key.ts'
import { authorizationServerMetadata, openidConfiguration } from './domain/metadata.ts'
import { apiKeyHandlers } from './http/api-keys.ts'
import { auditHandlers } from './http/audit.ts'
import { authPolicyHandlers } from './http/auth-policy.ts'
import { bindingHandlers } from './http/bindings.ts'
import { clientHandlers } from './http/clients.ts'
import { connectionHandlers } from './http/connections.ts'
import { introspectionHandlers } from './http/introspection.ts'
import { peopleHandlers } from './http/people.ts'
import { revocationHandlers } from './http/revocations.ts'
import { roleHandlers } from './http/roles.ts'
import { scimHandlers } from './http/scim.ts'
import { sessionHandlers } from './http/sessions.ts'
import { signOnHandlers } from './http/sign-on.ts'
import { tokenHandlers } from './http/token.ts'
import { oauthErrorReply } from './oauth-reply.ts'
import { scimErrorReply } from './scim-reply.ts'
import { pageReply } from './sign-in-reply.ts'

const OAUTH_OPERATIONS: readonly OperationId[] = [
  'createToken',
  'introspectToken',
  'revokeToken',
  'endProviderSession',
]
/** What a person in a browser asks for. */
const PAGES: readonly OperationId[] = ['authorize', 'completeSignIn']
const PUBLIC_FIVE_MINUTES = 'public, max-age=300'

export function authHandlers(deps: AuthDeps): HandlersOf<'auth'> {
  const { platform, keyring, issuer } = deps
  return {
    getAuthorizationServerMetadata: cachedJson(async () => authorizationServerMetadata(issuer)),
    getOpenidConfiguration: cachedJson(async () => openidConfiguration(issuer)),
    getJwks: cachedJson((nowMs) => jwks(deps, nowMs)),
    ...tokenHandlers(deps),
    ...clientHandlers(deps),
    ...bindingHandlers(deps),
    ...apiKeyHandlers(deps),
    ...introspectionHandlers(deps),
    ...sessionHandlers(deps),
    ...revocationHandlers(deps),
    ...auditHandlers(deps),
    ...signOnHandlers(deps),
    ...connectionHandlers(deps),
    ...authPolicyHandlers(deps),
    ...peopleHandlers(deps),
    ...roleHandlers(deps),
    ...scimHandlers(deps),
    getHealth: healthHandler(
      {
        firestore: () => platform.system.ping(),
        keyring: () => keyring.signer(platform.clock.now()),
        ...(deps.checkKms === undefined ? {} : { kms: deps.checkKms }),
        pubsub: publishCheck(platform.publisher, 'auth-facts'),
        secrets: secretCheck(platform.secrets, ACCESS_KEYS_SECRET),
      },
      platform,
    ),
    getMetrics: metricsHandler(platform.metrics),
    runAuthSweep: sweepHandler(platform.outbox, (signal) => sweep(deps, platform.clock.now(), signal)),
  }
}

/** What is due every minute beside the outbox. What fails of it holds up nothing else. */
async function sweep(
  deps: AuthDeps,
  nowMs: number,
  signal: AbortSignal,
): Promise<Readonly<Record<string, number>>> {
  const { log } = deps.platform
  const parts = await Promise.allSettled([
    sweepKeys(deps, nowMs),
    sealAudit(deps, { nowMs, log, signal }).then((sealedSegments) => ({ sealedSegments })),
  ])
  const failed = parts.filter((part) => part.status === 'rejected')
  for (const { reason } of failed) log.warn('part of the sweep failed', errorFields(reason))
  const done = parts.flatMap((part) => (part.status === 'fulfilled' ? [part.value] : []))
  return Object.assign({ failedParts: failed.length }, ...done)
}

/** Keys that are over, and failed log-ins not told yet. */
async function sweepKeys(deps: AuthDeps, nowMs: number): Promise<Readonly<Record<string, number>>> {
  const { access, events } = deps.keyRings
  const keyVersions = (await access.upkeep.tidy(nowMs)) + (await events.upkeep.tidy(nowMs))
  return { keyVersions, failedLogins: await deps.failedLogins.flush(nowMs) }
}

/**
 * How this function words refusals of OAuth's own endpoints; undefined leaves problem+json. A call
 * that did not come through the gateway is no OAuth matter.
 */
export function authRefusalReply(
  operationId: OperationId,
  refusal: Refusal,
  scheme?: TokenScheme,
): ApiReply | undefined {
  if (refusal.code === 'caller.untrusted') return undefined
  if (PAGES.includes(operationId)) return pageReply(refusal)
  if (operationId.startsWith('scim')) return scimErrorReply(refusal)
  return OAUTH_OPERATIONS.includes(operationId) ? oauthErrorReply(refusal, scheme) : undefined
}

async function jwks(deps: AuthDeps, nowMs: number): Promise<unknown> {
  const [accessKeys, eventKeys] = await Promise.all([
    deps.keyring.publicKeys(nowMs),
    // Whoever verifies tokens must not wait for the keys of those who verify events.
    deps.eventKeyring.publicKeys(nowMs).catch(() => []),
  ])
  const published = (keys: typeof accessKeys, purpose: string) =>
    keys.map(({ kid, jwk }) => ({ ...jwk, kid, use: 'sig', alg: 'ES256', purpose }))
  return { keys: [...published(accessKeys, 'tokens'), ...published(eventKeys, PURPOSE_OF_FACTS)] }
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

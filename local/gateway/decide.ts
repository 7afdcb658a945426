import { type HeaderList, headerValues, withHeader, withoutHeaders } from '#local/proxy/header-list.ts'
import type { SoundRequest } from '#local/proxy/sound-request.ts'
import { type ApiKeys, checkConsumer } from './consumer.ts'
import { JWT_AUDIENCE, JWT_MISSING } from './jwt.ts'
import { checkJwt, type JwtContext } from './jwt-check.ts'
import type { LocalReply } from './local-reply.ts'
import type { QuotaCheck } from './quota.ts'
import { refusePath, rewriteTarget } from './rewrite.ts'
import type { Router } from './router.ts'
import type { GatewaySpec, Operation } from './spec.ts'

/** To be sent on, or answered here. `operation` is what the request matched, if anything. */
type Decision =
  | { readonly operation: Operation; readonly target: string; readonly headers: HeaderList }
  | { readonly operation: Operation | undefined; readonly reply: LocalReply }

export type DecideContext = {
  readonly spec: GatewaySpec
  readonly route: Router
  readonly jwt: JwtContext
  readonly apiKeys: ApiKeys
  readonly quota: QuotaCheck
  /** The gateway's own ID token for a backend's audience; nothing when there is none to be had. */
  readonly tokens: (audience: string) => Promise<string | undefined>
}

const USERINFO = 'X-Apigateway-Api-Userinfo'

/**
 * Takes a request through ESPv2's filters in their order (filter_generator.go): route, JWT, API key,
 * quota, backend token, path. The first refusal is the answer.
 */
export async function decide(context: DecideContext, request: SoundRequest): Promise<Decision> {
  const match = context.route(request.method, request.path)
  if (match.kind !== 'found') return { operation: undefined, reply: refuseRoute(request, match) }
  const { operation } = match
  const refuse = (status: number, message: string, headers: Record<string, string> = {}): Decision => ({
    operation,
    reply: { status, message, headers },
  })
  let headers = request.headers
  if (operation.jwtProviders.length > 0) {
    const jwt = await checkJwt(context.jwt, operation.jwtProviders, headers, request.query)
    if ('refused' in jwt) {
      return refuse(jwt.refused === JWT_AUDIENCE ? 403 : 401, jwt.refused, challenge(request, jwt.refused))
    }
    headers = [...withoutHeaders(headers, [USERINFO]), ...jwt.payloads.map((one) => [USERINFO, one] as const)]
  }
  const caller = checkConsumer(
    operation.apiKey,
    context.apiKeys,
    context.spec.serviceName,
    headers,
    request.query,
  )
  if ('status' in caller) return refuse(caller.status, caller.message)
  if (caller.consumer !== undefined) {
    headers = withHeader(headers, 'X-Apigateway-Api-Consumer-Type', 'PROJECT')
    headers = withHeader(headers, 'X-Apigateway-Api-Consumer-Number', caller.consumer)
    const exhausted = context.quota(operation, caller.consumer)
    if (exhausted !== undefined) return refuse(429, exhausted)
  }
  const { audience } = operation.backend
  if (audience !== undefined) {
    const token = await context.tokens(audience)
    if (token === undefined) return refuse(500, `Token not found for audience: ${audience}`)
    headers = withBackendToken(headers, token)
  }
  const fault = refusePath(request.path, request.query)
  if (fault !== undefined) return refuse(400, fault)
  return { operation, target: rewriteTarget(operation, request.path, request.query), headers }
}

// Envoy answers undeclared routes at the end of its filters, so the path filter speaks before them.
function refuseRoute(
  request: SoundRequest,
  match: Exclude<ReturnType<Router>, { kind: 'found' }>,
): LocalReply {
  const fault = refusePath(request.path, request.query)
  if (fault !== undefined) return { status: 400, message: fault }
  if (match.kind === 'unknown')
    return { status: 404, message: 'The current request is not defined by this API.' }
  const message = `The current request is matched to the defined url template "${match.template}" but its http method is not allowed`
  return { status: 405, message }
}

// Envoy cuts the path of the realm here.
const MAX_REALM_PATH = 256

function challenge(request: SoundRequest, reason: string): Record<string, string> {
  const path = `${request.path}${request.query}`.slice(0, MAX_REALM_PATH)
  const realm = `http://${request.host}${path}`.replace(/["\\]|[^\x20-\x7e]/g, encodeURIComponent)
  const error = reason === JWT_MISSING ? '' : ', error="invalid_token"'
  return { 'WWW-Authenticate': `Bearer realm="${realm}"${error}` }
}

// What a client put into X-Forwarded-Authorization never reaches a backend (backend_auth/filter.cc).
function withBackendToken(headers: HeaderList, token: string): HeaderList {
  const [original] = headerValues(headers, 'authorization')
  const cleaned = withoutHeaders(headers, ['authorization', 'x-forwarded-authorization'])
  const moved = original === undefined ? cleaned : withHeader(cleaned, 'X-Forwarded-Authorization', original)
  return withHeader(moved, 'Authorization', `Bearer ${token}`)
}

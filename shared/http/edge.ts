import type { ServerResponse } from 'node:http'
import findMyWay, { type HTTPMethod } from 'find-my-way'
import type { FunctionId } from '../catalogue/functions.ts'
import { type OperationId, type OperationsOf, ROUTES, type Route } from '../catalogue/routes.ts'
import { DeadlineExceeded, DependencyFailed, withDeadline } from '../deadline.ts'
import { isDocumentId } from '../ids.ts'
import { recordRequest } from '../observability/records.ts'
import { ok, type Refusal, type Result, refuse } from '../result.ts'
import { callerHeader } from '../tokens/verify-caller.ts'
import { readTrace, type Trace } from '../trace.ts'
import type { Platform } from '../wiring.ts'
import { authorize } from './authorize.ts'
import { problemReply } from './problem.ts'
import { clientAddress, type FrameworkRequest, readBody, readQuery, singleHeader } from './read-request.ts'
import { sendReply } from './send-reply.ts'
import type { ApiReply, ApiRequest, PublicHandler, TenantHandler } from './types.ts'

/** One handler for each operation of a function, of the kind its route calls for. */
export type HandlersOf<F extends FunctionId> = {
  readonly [Id in OperationsOf<F>]: (typeof ROUTES)[Id]['security'] extends 'token'
    ? TenantHandler
    : PublicHandler
}

export type HttpEdgeOptions = {
  /** How an operation words its refusals, where not as problem+json: OAuth endpoints. */
  readonly refusalReply?: (operationId: OperationId, refusal: Refusal) => ApiReply | undefined
  /** How long an answer may take, in milliseconds of real time. */
  readonly deadlineMs?: number
}

/** The gateway waits 15 s: answering before it gives up keeps our own words. */
const REQUEST_DEADLINE_MS = 14_000

/** Headers that decide something: sent twice, nobody can know which one counts. */
const SINGLE_HEADERS = [
  'authorization',
  'content-type',
  'dpop',
  'idempotency-key',
  'if-match',
  'if-none-match',
  'x-apigateway-api-userinfo',
  'x-forwarded-authorization',
]

/** What is known of a request so far, for its log line and its answer. */
type Seen = {
  readonly requestId: string
  matched?: Matched
  tenantId?: string
  refusal?: Refusal
  error?: unknown
  allow?: string
}

type Matched = { readonly operationId: OperationId; readonly params: Record<string, string> }

/**
 * The edge of an HTTP function: from a request of functions-framework to an answer.
 *
 * Nobody but the gateway's or the scheduler's account gets past it, every route is checked against
 * the one table, bodies are bounded, and nothing thrown inside leaves it. It writes one log line and
 * one set of metrics per request.
 */
export function httpEdge<F extends FunctionId>(
  platform: Platform,
  functionId: F,
  handlers: HandlersOf<F>,
  options: HttpEdgeOptions = {},
): (request: FrameworkRequest, response: ServerResponse) => Promise<void> {
  const match = routerOf(functionId)
  return async (request, response) => {
    const startedMs = performance.now()
    const trace = traceOf(platform, request)
    // Not the trace: many requests can belong to one, and a support case is about one request.
    const requestId = platform.ids.bytes(16).toString('hex')
    const seen: Seen = { requestId }
    let reply: ApiReply
    try {
      const limitMs = options.deadlineMs ?? REQUEST_DEADLINE_MS
      const work = answer(platform, match, handlers as never, request, trace, seen)
      const answered = await withDeadline('request', limitMs, work)
      reply = answered.ok ? answered.value : refusalReply(options, seen, answered, requestId)
      sendReply(response, reply, requestId)
    } catch (error) {
      seen.error = error
      reply = refusalReply(options, seen, asRefusal(error), requestId)
      sendReply(response, reply, requestId)
    }
    recordRequest(platform.log.with({}, trace), {
      method: request.method,
      operationId: seen.matched?.operationId,
      requestId,
      status: reply.status,
      durationMs: performance.now() - startedMs,
      tenantId: seen.tenantId,
      refusal: seen.refusal,
      error: seen.error,
      besides: reply.logged,
    })
  }
}

async function answer(
  platform: Platform,
  match: Router,
  handlers: Readonly<Record<OperationId, TenantHandler & PublicHandler>>,
  request: FrameworkRequest,
  trace: Trace,
  seen: Seen,
): Promise<Result<ApiReply>> {
  const [path = '/', search = ''] = (request.originalUrl ?? request.url ?? '/').split('?', 2)
  const matched = match(request.method ?? 'GET', path, seen)
  if (!matched.ok) return matched
  seen.matched = matched.value
  const { operationId, params } = matched.value
  const route: Route = ROUTES[operationId]
  const caller = await checkCaller(platform, request, route)
  if (!caller.ok) return caller
  const repeated = SINGLE_HEADERS.map((name) => singleHeader(request, name)).find((header) => !header.ok)
  if (repeated !== undefined && !repeated.ok) return repeated
  const query = readQuery(search)
  if (!query.ok) return query
  const read = await readBody(request, route)
  if (!read.ok) return read
  const credentials = credentialsOf(platform, request)
  if (!credentials.ok) return credentials
  const nowMs = platform.clock.now()
  const base: ApiRequest = {
    operationId,
    params,
    query: query.value,
    header: (name) => {
      const value = singleHeader(request, name)
      return value.ok ? value.value : undefined
    },
    authorization: credentials.value,
    ...read.value,
    requestId: seen.requestId,
    trace,
    nowMs,
    clientAddress: clientAddress(request, platform.config.PROXY_HOPS),
    log: platform.log.with({ requestId: seen.requestId, operation: operationId }, trace),
  }
  const handler = handlers[operationId]
  if (route.security !== 'token') return handler(base as never)
  const token = await verifiedToken(platform, request, credentials.value)
  if (!token.ok) return token
  const ctx = authorize(route, token.value, params['tenantId'], nowMs)
  if (!ctx.ok) return ctx
  seen.tenantId = ctx.value.tenantId
  return handler({ ...base, token: token.value, ctx: ctx.value })
}

type Router = (method: string, path: string, seen: Seen) => Result<Matched>

function routerOf(functionId: FunctionId): Router {
  const router = findMyWay({ caseSensitive: true, ignoreTrailingSlash: true, maxParamLength: 256 })
  const methods = new Set<HTTPMethod>()
  for (const [operationId, route] of Object.entries(ROUTES) as [OperationId, Route][]) {
    if (route.function !== functionId) continue
    router.on(route.method, route.path.replace(/\{(\w+)\}/g, ':$1'), () => undefined, operationId)
    methods.add(route.method)
  }
  return (method, path, seen) => {
    const found = router.find(method as HTTPMethod, path)
    if (found === null) {
      const allowed = [...methods].filter((other) => router.find(other, path) !== null)
      if (allowed.length === 0) return refuse('request.not_found', 'no such route')
      seen.allow = allowed.sort().join(', ')
      return refuse('request.method_not_allowed', method)
    }
    const params = found.params as Record<string, string>
    const operationId = found.store as OperationId
    // What cannot be an id names nothing that exists.
    if (!Object.values(params).every(isDocumentId)) {
      seen.matched = { operationId, params: {} }
      return refuse('resource.not_found', 'a path parameter is not an id')
    }
    return ok({ operationId, params })
  }
}

async function checkCaller(
  platform: Platform,
  request: FrameworkRequest,
  route: Route,
): Promise<Result<string>> {
  const { config } = platform
  const email = await platform.verifyCaller(callerHeader(request))
  if (!email.ok || config.CALLER_CHECK === 'direct') return email
  const expected = route.security === 'scheduler' ? config.SCHEDULER_ACCOUNT : config.GATEWAY_ACCOUNT
  return email.value === expected ? email : refuse('caller.untrusted', 'the caller is another account')
}

/** The user's own credentials: moved by the gateway, or in place when nothing stands before us. */
function credentialsOf(platform: Platform, request: FrameworkRequest): Result<string | undefined> {
  return singleHeader(
    request,
    platform.config.CALLER_CHECK === 'direct' ? 'authorization' : 'x-forwarded-authorization',
  )
}

async function verifiedToken(platform: Platform, request: FrameworkRequest, credentials: string | undefined) {
  const token = /^Bearer ([^\s]+)$/i.exec(credentials ?? '')?.[1]
  if (token === undefined)
    return refuse('token.invalid', 'no bearer token', 'Send Authorization: Bearer <token>.')
  if (platform.config.CALLER_CHECK === 'direct') return platform.verifyToken(token, undefined)
  const userInfo = singleHeader(request, 'x-apigateway-api-userinfo')
  if (!userInfo.ok) return userInfo
  if (userInfo.value === undefined) return refuse('token.invalid', 'the gateway sent no userinfo')
  return platform.verifyToken(token, userInfo.value)
}

function refusalReply(options: HttpEdgeOptions, seen: Seen, refusal: Refusal, requestId: string): ApiReply {
  seen.refusal = refusal
  const own =
    seen.matched === undefined ? undefined : options.refusalReply?.(seen.matched.operationId, refusal)
  const reply = own ?? problemReply(refusal, requestId)
  return seen.allow === undefined ? reply : { ...reply, headers: { ...reply.headers, allow: seen.allow } }
}

/** gRPC: deadline exceeded, resource exhausted, aborted, unavailable. */
const PASSING_CODES: readonly unknown[] = [4, 8, 10, 14]

/** What was thrown, as the caller may know it: come back later, or our fault. */
function asRefusal(error: unknown): Refusal {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const passing =
    error instanceof DeadlineExceeded ||
    error instanceof DependencyFailed ||
    (error instanceof Error && error.name === 'Contention') ||
    PASSING_CODES.includes(code)
  return passing ? refuse('service.unavailable', String(error)) : refuse('internal.error', String(error))
}

function traceOf(platform: Platform, request: FrameworkRequest): Trace {
  const header = (name: string): string | undefined => {
    const value = request.headers[name]
    return typeof value === 'string' ? value : undefined
  }
  return readTrace(platform.ids, header('traceparent'), header('x-cloud-trace-context'))
}

import type { ServerResponse } from 'node:http'
import type { FunctionId } from '../catalogue/functions.ts'
import { type OperationId, type OperationsOf, ROUTES, type Route } from '../catalogue/routes.ts'
import { TIER_LIMITS } from '../catalogue/tiers.ts'
import { DeadlineExceeded, DependencyFailed, withDeadline } from '../deadline.ts'
import { recordRequest } from '../observability/records.ts'
import { ok, type Refusal, type Result, refuse } from '../result.ts'
import { callerHeader } from '../tokens/verify-caller.ts'
import { readTrace, type Trace } from '../trace.ts'
import type { Platform } from '../wiring.ts'
import { sentToken, verifyHolder } from './access-token.ts'
import { authorize } from './authorize.ts'
import { corsHeaders, preflightReply } from './cors.ts'
import { checkFreshSignIn } from './fresh-sign-in.ts'
import { problemReply, type TokenScheme } from './problem.ts'
import { clientAddress, type FrameworkRequest, readBody, readQuery, singleHeader } from './read-request.ts'
import { type Router, routerOf, type Seen } from './router.ts'
import { sendReply } from './send-reply.ts'
import { type TokenBuckets, tokenBuckets } from './token-bucket.ts'
import type { ApiReply, ApiRequest, PublicHandler, TenantHandler } from './types.ts'

/** One handler for each operation of a function, of the kind its route calls for. */
export type HandlersOf<F extends FunctionId> = {
  readonly [Id in OperationsOf<F>]: (typeof ROUTES)[Id]['security'] extends 'token'
    ? TenantHandler
    : PublicHandler
}

export type HttpEdgeOptions = {
  /** How an operation words its refusals, where not as problem+json: OAuth endpoints. */
  readonly refusalReply?: (
    operationId: OperationId,
    refusal: Refusal,
    scheme?: TokenScheme,
  ) => ApiReply | undefined
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

/** What the requests of one function share. */
type Edge = {
  readonly platform: Platform
  readonly match: Router
  readonly handlers: Readonly<Record<OperationId, TenantHandler & PublicHandler>>
  readonly rates: TokenBuckets
}

/**
 * The edge of an HTTP function: from a request of functions-framework to an answer.
 *
 * Nobody but the gateway's or the scheduler's account gets past it, every route is checked against
 * the one table, bodies are bounded, no tenant gets more than the rate of its tier, no answer takes
 * longer than the deadline, and nothing thrown inside leaves it. It writes one log line per request.
 */
export function httpEdge<F extends FunctionId>(
  platform: Platform,
  functionId: F,
  handlers: HandlersOf<F>,
  options: HttpEdgeOptions = {},
): (request: FrameworkRequest, response: ServerResponse) => Promise<void> {
  const edge: Edge = {
    platform,
    match: routerOf(functionId),
    handlers: handlers as never,
    rates: tokenBuckets(),
  }
  return async (request, response) => {
    const startedMs = performance.now()
    const trace = traceOf(platform, request)
    // Not the trace: many requests can belong to one, and a support case is about one request.
    const requestId = platform.ids.bytes(16).toString('hex')
    const seen: Seen = { requestId }
    const cors = corsHeaders(platform.config.CORS_ORIGINS, request.headers.origin)
    const send = (reply: ApiReply): void =>
      sendReply(response, { ...reply, headers: { ...cors, ...reply.headers } }, requestId)
    const deadline = new AbortController()
    let reply: ApiReply
    try {
      const work = answer(edge, request, { trace, seen, startedMs, signal: deadline.signal })
      const longMs = longDeadlineOf(seen)
      // Who waits long for a caller must hear that the caller is gone.
      if (longMs !== undefined) response.once('close', () => deadline.abort())
      const limitMs = longMs ?? options.deadlineMs ?? REQUEST_DEADLINE_MS
      const answered = await withDeadline('request', limitMs, work)
      reply = answered.ok ? answered.value : refusalReply(options, seen, answered, requestId)
      send(reply)
    } catch (error) {
      // Whatever still works for this request may stop: nobody hears of it any more.
      if (error instanceof DeadlineExceeded) deadline.abort(error)
      seen.error = error
      reply = refusalReply(options, seen, asRefusal(error), requestId)
      send(reply)
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

/** The deadline of a route that waits for news; the match is the first thing that is known of a request. */
function longDeadlineOf(seen: Seen): number | undefined {
  const route: Route | undefined = seen.matched === undefined ? undefined : ROUTES[seen.matched.operationId]
  return route?.deadlineMs
}

type Taken = {
  readonly trace: Trace
  readonly seen: Seen
  readonly startedMs: number
  readonly signal: AbortSignal
}

async function answer(edge: Edge, request: FrameworkRequest, taken: Taken): Promise<Result<ApiReply>> {
  const { platform } = edge
  const [path = '/', search = ''] = (request.originalUrl ?? request.url ?? '/').split('?', 2)
  const matched = edge.match(request.method ?? 'GET', path, taken.seen)
  if (!matched.ok) return matched
  if (matched.value.kind === 'preflight') {
    const gateway = await checkCaller(platform, request, 'public')
    if (!gateway.ok) return gateway
    return ok(preflightReply(platform.config.CORS_ORIGINS, request.headers.origin, matched.value.methods))
  }
  const { operationId, params } = matched.value
  taken.seen.matched = { operationId, params }
  const route: Route = ROUTES[operationId]
  const caller = await checkCaller(platform, request, route.security)
  if (!caller.ok) return caller
  const repeated = SINGLE_HEADERS.map((name) => singleHeader(request, name)).find((header) => !header.ok)
  if (repeated !== undefined && !repeated.ok) return repeated
  const query = readQuery(search)
  if (!query.ok) return query
  const credentials = credentialsOf(platform, request)
  if (!credentials.ok) return credentials
  const sent = sentToken(credentials.value)
  if (sent !== undefined) taken.seen.scheme = sent.scheme
  const base: Unread = {
    operationId,
    path,
    params,
    query: query.value,
    header: (name) => {
      const value = singleHeader(request, name)
      return value.ok ? value.value : undefined
    },
    authorization: credentials.value,
    requestId: taken.seen.requestId,
    trace: taken.trace,
    nowMs: platform.clock.now(),
    signal: taken.signal,
    clientAddress: clientAddress(request, platform.config.PROXY_HOPS),
    log: platform.log.with({ requestId: taken.seen.requestId, operation: operationId }, taken.trace),
  }
  return route.security === 'token'
    ? answerTenant(edge, request, route, base, taken)
    : answerPublic(edge, request, route, base)
}

type Unread = Omit<ApiRequest, 'body' | 'contentType'>

async function answerPublic(
  edge: Edge,
  request: FrameworkRequest,
  route: Route,
  base: Unread,
): Promise<Result<ApiReply>> {
  const read = await readBody(request, route)
  return read.ok ? edge.handlers[base.operationId]({ ...base, ...read.value } as never) : read
}

/** Who may not, and who asks too often, is told so before the body is read. */
async function answerTenant(
  edge: Edge,
  request: FrameworkRequest,
  route: Route,
  base: Unread,
  { seen, startedMs }: Taken,
): Promise<Result<ApiReply>> {
  const holder = await verifiedHolder(edge.platform, request, base)
  if (!holder.ok) return holder
  const { token } = holder.value
  const ctx = authorize(route, token, base.params['tenantId'], base.nowMs, base.params['userId'])
  if (!ctx.ok) return ctx
  const fresh = checkFreshSignIn(base.operationId, token, base.nowMs)
  if (!fresh.ok) return fresh
  seen.tenantId = ctx.value.tenantId
  // An operator's calls count as the operators', whosever tenant they are about. Real time on purpose.
  const { tenant, tier } = token.claims
  if (!edge.rates.take(tenant, TIER_LIMITS[tier].apiRequestsPerSecond, startedMs)) {
    return refuse('rate.limited', `${tier} rate`, 'More requests than the tier allows in a second.')
  }
  const used = holder.value.useProof()
  if (!used.ok) return used
  const read = await readBody(request, route)
  if (!read.ok) return read
  return edge.handlers[base.operationId]({ ...base, ...read.value, token, ctx: ctx.value })
}

async function checkCaller(
  platform: Platform,
  request: FrameworkRequest,
  security: Route['security'],
): Promise<Result<string>> {
  const { config } = platform
  const email = await platform.verifyCaller(callerHeader(request))
  if (!email.ok || config.CALLER_CHECK === 'direct') return email
  const expected = security === 'scheduler' ? config.SCHEDULER_ACCOUNT : config.GATEWAY_ACCOUNT
  return email.value === expected ? email : refuse('caller.untrusted', 'the caller is another account')
}

/** The user's own credentials: moved by the gateway, or in place when nothing stands before us. */
function credentialsOf(platform: Platform, request: FrameworkRequest): Result<string | undefined> {
  return singleHeader(
    request,
    platform.config.CALLER_CHECK === 'direct' ? 'authorization' : 'x-forwarded-authorization',
  )
}

/** The token of a route that needs one: where the gateway has verified it, its copy must be there too. */
async function verifiedHolder(platform: Platform, request: FrameworkRequest, base: Unread) {
  if (platform.config.CALLER_CHECK === 'direct') return verifyHolder(platform, base, undefined)
  const userInfo = singleHeader(request, 'x-apigateway-api-userinfo')
  if (!userInfo.ok) return userInfo
  if (sentToken(base.authorization) !== undefined && userInfo.value === undefined) {
    return refuse('token.invalid', 'the gateway sent no userinfo')
  }
  return verifyHolder(platform, base, userInfo.value)
}

function refusalReply(options: HttpEdgeOptions, seen: Seen, refusal: Refusal, requestId: string): ApiReply {
  seen.refusal = refusal
  const own =
    seen.matched === undefined
      ? undefined
      : options.refusalReply?.(seen.matched.operationId, refusal, seen.scheme)
  const reply = own ?? problemReply(refusal, requestId, seen.scheme)
  return seen.allow === undefined ? reply : { ...reply, headers: { ...reply.headers, allow: seen.allow } }
}

/** gRPC: unknown, deadline exceeded, resource exhausted, aborted, internal, unavailable: come again. */
const PASSING_CODES: readonly unknown[] = [2, 4, 8, 10, 13, 14]

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

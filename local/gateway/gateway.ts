import { Agent, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import { performance } from 'node:perf_hooks'
import { keepIdTokens, type MintIdToken } from '#local/id-tokens.ts'
import { discardRest } from '#local/proxy/discard-rest.ts'
import type { Target } from '#local/proxy/exchange.ts'
import { forward } from '#local/proxy/forward.ts'
import { withForwarded } from '#local/proxy/forwarded.ts'
import { findHeader, headerList, withHeader } from '#local/proxy/header-list.ts'
import { listen } from '#local/proxy/listen.ts'
import { withTrace } from '#local/proxy/trace.ts'
import { cleanRequest } from './clean-request.ts'
import type { ApiKeys } from './consumer.ts'
import { type DecideContext, decide } from './decide.ts'
import { createJwksCache, type FetchText, type JwksCache } from './jwks-cache.ts'
import { loadSpec } from './load-spec.ts'
import { type LocalReply, replyBody, sendLocalReply } from './local-reply.ts'
import { replyTo } from './outcome-reply.ts'
import { createQuota } from './quota.ts'
import { createRouter } from './router.ts'
import type { GatewaySpec, Operation } from './spec.ts'

export type GatewayOptions = {
  /** 0, the default, takes any free port. */
  readonly port?: number
  /** The text of `api-spec.yaml`. */
  readonly spec: string
  /** Values of the specification's `${…}`; as a function it is given the gateway's own URL. */
  readonly variables: Readonly<Record<string, string>> | ((url: string) => Readonly<Record<string, string>>)
  readonly mintIdToken: MintIdToken
  /** The e-mail of the service account whose ID token the backends get. */
  readonly gatewayAccount: string
  /** Milliseconds since the epoch: token times, JWKS age and quota minutes are read from it. */
  readonly now: () => number
  /** The origin to connect to instead of a backend address's own; audience, path and `Host` stay. */
  readonly resolveBackend?: (address: string) => string | undefined
  readonly apiKeys?: ApiKeys
  /** Lets the first request over a quota through, as ESPv2 did; strict otherwise. */
  readonly lenientQuota?: boolean
  /** Replaces the HTTP fetch of key sets. */
  readonly fetchJwks?: FetchText
  /** Hears of every answered request, after its answer ended. Its failures are swallowed. */
  readonly onRequest?: (record: RequestRecord) => void
}

/** One request as the console shows it. Durations are real milliseconds; no query, no credentials. */
export type RequestRecord = {
  readonly at: number
  readonly method: string
  readonly path: string
  readonly template: string | undefined
  readonly operationId: string | undefined
  /** 0 when the client left before there was an answer. */
  readonly status: number
  /** The text of an answer that the gateway gave itself. */
  readonly message: string | undefined
  readonly durationMs: number
  /** Until the backend's first byte; nothing when no backend answered. */
  readonly upstreamMs: number | undefined
  readonly traceId: string
}

export type Gateway = { readonly url: string; readonly spec: GatewaySpec; close(): Promise<void> }

const MAX_HEADER_BYTES = 60 * 1024
const MAX_BODY_BYTES = 32 * 1024 * 1024
// Below the 5 s after which a Node backend drops an idle connection, so that none is used as it closes.
const IDLE_MS = 4_000

/**
 * Starts an API Gateway that serves `api-spec.yaml` as Google's would (ESPv2 2.55 on Envoy 1.30).
 * Rejects with a `SpecError` when the specification would be refused; nothing listens then.
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const agents = {
    http: new Agent({ keepAlive: true, timeout: IDLE_MS }),
    https: new TlsAgent({ keepAlive: true, timeout: IDLE_MS }),
  }
  let serve:
    | ((request: IncomingMessage, response: ServerResponse, expected: boolean) => Promise<void>)
    | undefined
  const listener = await listen({
    port: options.port ?? 0,
    maxHeaderBytes: MAX_HEADER_BYTES,
    refuse: (status) => ({
      contentType: 'application/json',
      body: replyBody(status, STATUS_CODES[status] ?? ''),
    }),
    handler: async (request, response, expected) => serve?.(request, response, expected),
  })
  const close = async () => {
    await listener.close()
    agents.http.destroy()
    agents.https.destroy()
  }
  try {
    const { variables } = options
    const spec = loadSpec(options.spec, typeof variables === 'function' ? variables(listener.url) : variables)
    const context = createContext(options, spec)
    serve = (request, response, expected) => handle({ options, context, agents }, request, response, expected)
    // Keys are fetched ahead of the first token, as Envoy does; a failure is met again at that token.
    for (const provider of spec.jwtProviders) void context.jwt.jwks(provider).keys()
    return { url: listener.url, spec, close }
  } catch (error) {
    await close()
    throw error
  }
}

const NO_KEYS: ApiKeys = new Map()
// A token is renewed this long before it ends, so that none runs out on its way.
const RENEW_BEFORE_SECONDS = 60

function createContext(options: GatewayOptions, spec: GatewaySpec): DecideContext {
  const caches = new Map<string, JwksCache>(
    spec.jwtProviders.map(({ id, jwksUri }) => [
      id,
      createJwksCache(jwksUri, options.now, options.fetchJwks),
    ]),
  )
  const mint = keepIdTokens(options.mintIdToken, options.now, RENEW_BEFORE_SECONDS)
  return {
    spec,
    route: createRouter(spec),
    jwt: {
      now: options.now,
      jwks: ({ id }) => caches.get(id) ?? { keys: async () => undefined },
    },
    apiKeys: options.apiKeys ?? NO_KEYS,
    quota: createQuota(spec, options.now, options.lenientQuota ?? false),
    tokens: (audience) => mint({ email: options.gatewayAccount, audience }).catch(() => undefined),
  }
}

type Serving = {
  readonly options: GatewayOptions
  readonly context: DecideContext
  readonly agents: { readonly http: Agent; readonly https: TlsAgent }
}

async function handle(
  serving: Serving,
  request: IncomingMessage,
  response: ServerResponse,
  expected: boolean,
): Promise<void> {
  const startedAt = performance.now()
  const answer = await answerRequest(serving, request, response, expected).catch((): Answer => {
    return { reply: { status: 500, message: 'Internal Server Error' } }
  })
  if (answer.reply) sendLocalReply(request, response, expected ? closing(answer.reply) : answer.reply)
  else discardRest(request)
  const { options } = serving
  if (!options.onRequest) return
  const record: RequestRecord = {
    at: options.now(),
    method: answer.method ?? request.method ?? '',
    path: answer.path ?? '',
    template: answer.operation?.template.source,
    operationId: answer.operation?.operationId,
    status: answer.reply?.status ?? answer.status ?? 0,
    message: answer.reply?.message,
    durationMs: performance.now() - startedAt,
    upstreamMs: answer.upstreamMs,
    traceId: answer.traceId ?? withTrace(headerList(request.rawHeaders)).traceId,
  }
  try {
    options.onRequest(record)
  } catch {
    // A console that cannot draw must not fail the request it draws.
  }
}

// A client told no instead of "100 Continue" may leave its body out or send it: nobody can tell what the
// next bytes on the connection would be.
function closing(reply: LocalReply): LocalReply {
  return { ...reply, headers: { ...reply.headers, Connection: 'close' } }
}

type Answer = {
  readonly operation?: Operation | undefined
  readonly method?: string
  readonly path?: string
  readonly traceId?: string
  readonly status?: number
  readonly upstreamMs?: number | undefined
  readonly reply?: LocalReply | undefined
}

async function answerRequest(
  { options, context, agents }: Serving,
  request: IncomingMessage,
  response: ServerResponse,
  continueExpected: boolean,
): Promise<Answer> {
  const cleaned = cleanRequest(request)
  if (!cleaned) return { reply: { status: 400, message: 'Bad Request', headers: { Connection: 'close' } } }
  const traced = withTrace(withForwarded(cleaned.headers, clientAddress(request), 'http'))
  const known = { method: cleaned.method, path: cleaned.path, traceId: traced.traceId }
  const decision = await decide(context, { ...cleaned, headers: traced.headers })
  if ('reply' in decision) return { ...known, operation: decision.operation, reply: decision.reply }
  const { operation, headers } = decision
  if (announcedBytes(request) > MAX_BODY_BYTES) {
    return { ...known, operation, reply: { status: 413, message: 'Payload Too Large' } }
  }
  const target = targetOf(operation, options.resolveBackend?.(operation.backend.address))
  const outcome = await forward({
    request,
    response,
    target,
    agent: target.protocol === 'https:' ? agents.https : agents.http,
    method: cleaned.method,
    path: decision.target,
    headers: withHeader(headers, 'Host', operation.backend.host),
    deadlineMs: operation.backend.deadlineMs,
    maxRequestBytes: MAX_BODY_BYTES,
    maxResponseBytes: MAX_BODY_BYTES,
    continueExpected,
    retries: 1,
  })
  const relayed = outcome.kind === 'relayed' ? { status: outcome.status, upstreamMs: outcome.upstreamMs } : {}
  return { ...known, ...relayed, operation, reply: replyTo(outcome) }
}

function targetOf({ backend }: Operation, origin: string | undefined): Target {
  if (origin === undefined) return backend
  const url = new URL(origin)
  const protocol = url.protocol === 'https:' ? 'https:' : 'http:'
  return {
    protocol,
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || (protocol === 'https:' ? 443 : 80)),
  }
}

function announcedBytes(request: IncomingMessage): number {
  return Number(findHeader(headerList(request.rawHeaders), 'content-length') ?? 0)
}

function clientAddress(request: IncomingMessage): string {
  return (request.socket.remoteAddress ?? '127.0.0.1').replace(/^::ffff:/, '')
}

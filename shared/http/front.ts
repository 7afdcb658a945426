import http, {
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'
import { FUNCTIONS, type FunctionSpec } from '../catalogue/functions.ts'
import { systemIds } from '../ids.ts'
import { type Refusal, refuse } from '../result.ts'
import type { Platform } from '../wiring.ts'
import { failBody } from './body-fault.ts'
import { corsHeaders } from './cors.ts'
import { type Drain, drainOnSignal } from './drain.ts'
import { type LoadGate, loadGate } from './load-gate.ts'
import { problemReply } from './problem.ts'
import { recordFront } from './record-front.ts'
import { relieve } from './relief.ts'
import { faultOf, faultOfParser, MOST_HEADER_BYTES } from './request-faults.ts'
import { sendReply } from './send-reply.ts'
import { shedder } from './shed.ts'

export { MOST_BODY_BYTES } from './request-faults.ts'

/** What the front tells of the requests it answers itself, and how much it lets in. */
export type FrontOptions = {
  readonly platform?: Pick<Platform, 'log' | 'config'>
  /** Bounds what the function takes on; by default that of an HTTP function's own `concurrency`. */
  readonly gate?: LoadGate | undefined
}

/** So many places are kept for health checks and the scheduler, of those the platform fills. */
const KEPT_PLACES = 8
/** Far above what a full instance needs for one turn of its loop. */
const MOST_LAG_MS = 500

/** Open whatever the load: who looks after the service must see it, and its own jobs make room. */
const OPEN_PATHS = /^\/(?:health|internal)(?:[/?]|$)/

let current: FrontOptions | undefined

/**
 * Puts our own listener before functions-framework's, for the servers it creates from now on.
 *
 * The framework buffers up to 1 GiB and parses by content type before a handler sees anything: one
 * large body, declared or chunked, would take every request of the instance down, and a malformed
 * body or path would be answered in the framework's words, with a stack. So the framework is told
 * that no request has a body, and the edge reads it itself, once it knows the caller and the route's
 * limit. What cannot be parsed at all, and what is too much, is answered here. Express and the
 * framework offer no hook for this, hence the wrapped `createServer`; it must run before the server
 * is created, which loading the function does.
 */
export function installFront(options: FrontOptions = {}): void {
  const wrapped = current !== undefined
  current = options
  if (wrapped) return
  const createServer = http.createServer.bind(http)
  const fronted = (...args: readonly unknown[]): Server => {
    const listener = args.at(-1)
    if (typeof listener !== 'function') return createServer(...(args as []))
    const given = args.length > 1 ? (args[0] as ServerOptions) : {}
    // Without a Host we answer in our own words; headers are ours to bound, none is dropped unseen.
    const limits = { requireHostHeader: false, maxHeaderSize: MOST_HEADER_BYTES }
    return serve(current ?? {}, listener as RequestListener, (handle) =>
      createServer({ ...given, ...limits }, handle),
    )
  }
  http.createServer = fronted as typeof http.createServer
}

/** The gate of the function that this process runs; none for pushes, which Pub/Sub paces itself. */
function gateOf({ platform, gate }: FrontOptions): LoadGate | undefined {
  if (gate !== undefined || platform === undefined) return gate
  const specs: readonly FunctionSpec[] = Object.values(FUNCTIONS)
  const spec = specs.find(({ entryPoint }) => entryPoint === platform.config.FUNCTION_TARGET)
  if (spec?.trigger !== 'http') return undefined
  return loadGate({ mostUnderWay: spec.concurrency - KEPT_PLACES, mostLagMs: MOST_LAG_MS })
}

function serve(
  options: FrontOptions,
  listener: RequestListener,
  create: (handle: (request: IncomingMessage, response: ServerResponse) => void) => Server,
): Server {
  const gate = gateOf(options)
  let drain: Drain | undefined
  const shed = shedder(options)
  const take = (request: IncomingMessage, response: ServerResponse, proceed: () => void): void => {
    // Before everything else: what is turned away must cost next to nothing.
    const full = gate?.whatIsFull()
    if (full !== undefined && !OPEN_PATHS.test(request.url ?? '')) {
      // Who only waits makes room for the next one.
      relieve()
      shed(request, response, full)
      return
    }
    drain?.enter(response)
    // A connection that breaks while we answer is the caller's affair.
    request.on('error', () => undefined)
    const refusal = faultOf(request)
    if (refusal !== undefined) {
      refuseUnread(options, request, response, refusal)
      return
    }
    if (gate !== undefined) response.once('close', gate.enter())
    // `headersDistinct` still has both: it is made from what was sent.
    delete request.headers['content-length']
    delete request.headers['transfer-encoding']
    proceed()
  }
  const server = create((request, response) =>
    take(request, response, () => listener(request, response as never)),
  )
  server.maxHeadersCount = 0
  // Who asks before sending is told no at once, and goes on only when the request would be looked at.
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) =>
    take(request, response, () => {
      response.writeContinue()
      listener(request, response as never)
    }),
  )
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    drain?.enter(response)
    const refusal = refuse('request.malformed', 'expectation', 'The only Expect accepted is 100-continue.')
    refuseUnread(options, request, response, refusal)
  })
  server.on('connect', (request: IncomingMessage, socket: Socket) =>
    refuseConnection(options, socket, refuse('request.method_not_allowed', 'CONNECT'), request.method),
  )
  server.on('clientError', (error: Error, socket: Socket) =>
    refuseConnection(options, socket, faultOfParser(error), undefined),
  )
  drain = drainOnSignal(server)
  return server
}

function refuseUnread(
  options: FrontOptions,
  request: IncomingMessage,
  response: ServerResponse,
  refusal: Refusal,
): void {
  const { headers, method } = request
  const requestId = systemIds.bytes(16).toString('hex')
  const problem = problemReply(refusal, requestId)
  const cors = corsHeaders(options.platform?.config.CORS_ORIGINS, headers.origin)
  sendReply(response, { ...problem, headers: { ...problem.headers, ...cors } }, requestId)
  recordFront(options.platform, { refusal, requestId, method, status: problem.status, headers })
}

/** Answers on the bare connection: of what the parser refused there is no request to answer to. */
function refuseConnection(
  options: FrontOptions,
  socket: Socket,
  refusal: Refusal,
  method: string | undefined,
): void {
  socket.on('error', () => undefined)
  // The answer that this connection is busy with; nothing but Node itself can tell.
  const busy = (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined
  if (busy?.req.complete === true) {
    // Somebody sent the next request with the last: answers come in the order of their requests.
    busy.once('close', () => refuseConnection(options, socket, refusal, method))
    return
  }
  if (busy !== undefined && !busy.headersSent) {
    failBody(busy.req, refusal)
    return
  }
  // A caller that is gone is no request; one whose answer has begun would take ours for a part of it.
  if (!socket.writable || busy !== undefined) return void socket.destroy()
  const requestId = systemIds.bytes(16).toString('hex')
  const response = new ServerResponse({ method: 'POST', httpVersionMajor: 1, httpVersionMinor: 1 } as never)
  response.shouldKeepAlive = false
  response.assignSocket(socket)
  const problem = problemReply(refusal, requestId)
  sendReply(response, problem, requestId)
  response.once('finish', () => socket.end())
  recordFront(options.platform, { refusal, requestId, method, status: problem.status, headers: {} })
}

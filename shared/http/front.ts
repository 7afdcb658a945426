import http, { type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { systemIds } from '../ids.ts'
import { type Refusal, refuse } from '../result.ts'
import { type Drain, drainOnSignal } from './drain.ts'
import { problemReply } from './problem.ts'
import { sendReply } from './send-reply.ts'

/** The largest body any function takes: Pub/Sub's 10 MB message in base64, and its envelope. */
export const MOST_BODY_BYTES = 14 * 1024 * 1024

/** Paths that functions-framework answers itself, without our headers and without a log line. */
const FRAMEWORK_PATHS = /^\/(?:favicon\.ico|robots\.txt)(?:\/|$)/i

let installed = false

/**
 * Puts our own listener before functions-framework's, for the server it is about to create.
 *
 * The framework buffers up to 1 GiB and parses by content type before a handler sees anything: one
 * large body, declared or chunked, would take every request of the instance down, and a malformed
 * body or path would be answered in the framework's words, with a stack. So the framework is told
 * that no request has a body, and the edge reads it itself, once it knows the caller and the route's
 * limit. Express and the framework offer no hook for this, hence the wrapped `createServer`; it must
 * run before the server is created, which loading the function does.
 */
export function installFront(): void {
  if (installed) return
  installed = true
  const createServer = http.createServer.bind(http)
  const wrapped = (...args: readonly unknown[]): Server => {
    const listener = args.at(-1)
    if (typeof listener !== 'function') return createServer(...(args as []))
    let drain: Drain | undefined
    const front = fronted(listener as RequestListener, (response) => drain?.enter(response))
    const server: Server = createServer(...([...args.slice(0, -1), front] as unknown as []))
    drain = drainOnSignal(server)
    return server
  }
  http.createServer = wrapped as typeof http.createServer
}

function fronted(listener: RequestListener, enter: (response: ServerResponse) => void): RequestListener {
  return (request: IncomingMessage, response) => {
    enter(response as ServerResponse)
    const refusal = faultOf(request)
    if (refusal !== undefined) return refuseUnread(request, response as ServerResponse, refusal)
    // `headersDistinct` still has both: it is made from what was sent.
    delete request.headers['content-length']
    delete request.headers['transfer-encoding']
    listener(request, response as Parameters<RequestListener>[1])
  }
}

function faultOf({ headers, url = '/' }: IncomingMessage): Refusal | undefined {
  if (!(Number(headers['content-length'] ?? 0) <= MOST_BODY_BYTES)) {
    const hint = `At most ${MOST_BODY_BYTES} bytes are accepted.`
    return refuse('request.too_large', 'declared too large', hint)
  }
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    const hint = 'Send the body without Content-Encoding.'
    return refuse('request.unsupported_media_type', 'content-encoding', hint)
  }
  const [path = '/'] = url.split('?', 1)
  if (FRAMEWORK_PATHS.test(path)) return refuse('request.not_found', 'no such route')
  try {
    decodeURIComponent(path)
    return undefined
  } catch {
    return refuse('request.malformed', 'bad escape in path', 'The path is not valid percent-encoded UTF-8.')
  }
}

function refuseUnread(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
  // What is still on its way may be endless: the connection ends with the answer.
  if (request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined) {
    response.shouldKeepAlive = false
  }
  const requestId = systemIds.bytes(16).toString('hex')
  sendReply(response, problemReply(refusal, requestId), requestId)
}

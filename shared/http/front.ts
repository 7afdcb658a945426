import http, { type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { systemIds } from '../ids.ts'
import { type Refusal, refuse } from '../result.ts'
import { problemReply } from './problem.ts'
import { ORIGINAL_CONTENT_TYPE } from './read-request.ts'
import { sendReply } from './send-reply.ts'

/** The largest body any function takes: Pub/Sub's 10 MB message in base64, and its envelope. */
export const MOST_BODY_BYTES = 14 * 1024 * 1024

let installed = false

/**
 * Puts our own listener before functions-framework's, for the server it is about to create.
 *
 * The framework buffers up to 1 GiB and parses by content type before a handler sees anything: one
 * large body would take every request of the instance down, and malformed JSON would be answered in
 * the framework's words, with a stack. So a body that declares too much is refused before it is read,
 * and the content type is moved aside so that the framework only keeps the bytes. Express and the
 * framework offer no hook for this, hence the wrapped `createServer`; it must run before the server
 * is created, which loading the function does.
 */
export function installFront(): void {
  if (installed) return
  installed = true
  const createServer = http.createServer.bind(http)
  const wrapped = (...args: readonly unknown[]): Server => {
    const listener = args.at(-1)
    if (typeof listener !== 'function') return createServer(...(args as []))
    return createServer(...([...args.slice(0, -1), fronted(listener as RequestListener)] as unknown as []))
  }
  http.createServer = wrapped as typeof http.createServer
}

function fronted(listener: RequestListener): RequestListener {
  return (request: IncomingMessage, response) => {
    const { headers } = request
    const declared = Number(headers['content-length'] ?? 0)
    if (!(declared <= MOST_BODY_BYTES)) {
      const hint = `At most ${MOST_BODY_BYTES} bytes are accepted.`
      return refuseUnread(response, refuse('request.too_large', 'declared too large', hint))
    }
    const encoding = headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') {
      const hint = 'Send the body without Content-Encoding.'
      return refuseUnread(response, refuse('request.unsupported_media_type', 'content-encoding', hint))
    }
    delete headers[ORIGINAL_CONTENT_TYPE]
    if (headers['content-type'] !== undefined) headers[ORIGINAL_CONTENT_TYPE] = headers['content-type']
    headers['content-type'] = 'application/octet-stream'
    listener(request, response as Parameters<RequestListener>[1])
  }
}

function refuseUnread(response: ServerResponse, refusal: Refusal): void {
  // What of the body is still on its way must not be read as the next request.
  response.shouldKeepAlive = false
  const requestId = systemIds.bytes(16).toString('hex')
  sendReply(response, problemReply(refusal, requestId), requestId)
}

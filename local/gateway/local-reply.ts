import type { IncomingMessage, ServerResponse } from 'node:http'

/** An answer the gateway gives itself. */
export type LocalReply = {
  readonly status: number
  readonly message: string
  readonly headers?: Readonly<Record<string, string>>
}

/** The body of every answer of the gateway's own (ESPv2, http_connection_manager.go). */
export function replyBody(status: number, message: string): string {
  return JSON.stringify({ code: status, message })
}

/** Sends the reply and lets go of what the client still sends. */
export function sendLocalReply(request: IncomingMessage, response: ServerResponse, reply: LocalReply): void {
  if (!response.headersSent && !response.destroyed) {
    const body = replyBody(reply.status, reply.message)
    response.writeHead(reply.status, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      ...reply.headers,
    })
    response.end(body)
  }
  discardRest(request)
}

// Cutting the connection at once would lose the answer on its way to a client that is still sending;
// reading without end would let it send for ever.
const MAX_DISCARDED_BYTES = 64 * 1024 * 1024

/** Reads and drops what is left of a request's body, up to a bound. */
export function discardRest(request: IncomingMessage): void {
  if (request.complete || request.destroyed) {
    request.resume()
    return
  }
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > MAX_DISCARDED_BYTES) request.destroy()
  })
  request.resume()
}

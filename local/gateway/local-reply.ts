import type { IncomingMessage, ServerResponse } from 'node:http'
import { discardRest } from '#local/proxy/discard-rest.ts'

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

import type { ServerResponse } from 'node:http'
import { declaresMore, endUnread } from './linger.ts'
import type { ApiReply } from './types.ts'

/** Nothing we answer is a page, is cached by default, or says where it came from. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=63072000; includeSubDomains',
  'x-content-type-options': 'nosniff',
}

/** A body up to this size is let run past, and its connection goes on. */
export const LITTLE_BYTES = 64 * 1024

/** Answers without content by definition: not even a length may stand there (RFC 9110 §8.6). */
const BODILESS = new Set([204, 304])

/**
 * Sends an answer with its security headers and request id. A caller that has gone is no error.
 *
 * Throws before anything is sent when the reply cannot be written, as JSON with a bigint cannot.
 */
export function sendReply(response: ServerResponse, reply: ApiReply, requestId: string): void {
  if (response.headersSent || response.destroyed) return
  const body = reply.json === undefined ? (reply.text ?? '') : JSON.stringify(reply.json)
  response.statusCode = reply.status
  response.removeHeader('x-powered-by')
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value)
  if (reply.json !== undefined) response.setHeader('content-type', 'application/json')
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value)
  response.setHeader('x-request-id', requestId)
  if (BODILESS.has(reply.status)) return void response.end()
  response.setHeader('content-length', Buffer.byteLength(body))
  const { req: request } = response
  if (request.complete !== false || !declaresMore(request, LITTLE_BYTES)) return void response.end(body)
  endUnread(request, response, body)
}

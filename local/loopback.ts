import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { bindLoopback, type Loopback } from './bind-loopback.ts'
import { readBody } from './read-body.ts'

/** What an HTTP stand-in answers; `body` is sent as it is. */
export type Answer = {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string | Buffer
}

/** A request as a stand-in sees it: the body read, the URL parsed, header names in lower case. */
export type Call = {
  readonly method: string
  readonly url: URL
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

/** Answered by a handler to drop the connection without an answer. */
export const HANG_UP = Symbol('hang up')

type Handler = (call: Call) => Promise<Answer | typeof HANG_UP>

/** The largest request body a stand-in reads; Kubernetes' own limit is 3 MiB. */
const MAX_BODY_BYTES = 4 * 1024 * 1024

/**
 * Serves `handle` over HTTP on 127.0.0.1 only.
 *
 * A handler that throws is a bug of the stand-in: it answers 500 with the message, so that a test
 * sees it instead of a connection reset.
 */
export function serveLoopback(
  port: number,
  handle: Handler,
  maxBodyBytes = MAX_BODY_BYTES,
): Promise<Loopback> {
  const server = createServer((request, response) => {
    void answer(request, response, handle, maxBodyBytes)
  })
  return bindLoopback(server, port)
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  handle: Handler,
  maxBodyBytes: number,
): Promise<void> {
  try {
    const body = await readBody(request, maxBodyBytes)
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    const result = await handle({ method: request.method ?? 'GET', url, headers: request.headers, body })
    if (result === HANG_UP) {
      request.socket.destroy()
      return
    }
    const length = result.status === 204 ? {} : { 'content-length': Buffer.byteLength(result.body) }
    response.writeHead(result.status, { ...result.headers, ...length })
    response.end(request.method === 'HEAD' ? undefined : result.body)
  } catch (error) {
    if (response.headersSent || response.destroyed) return
    response.writeHead(500, { 'content-type': 'text/plain', connection: 'close' })
    response.end(error instanceof Error ? error.message : String(error))
  }
}

/** A JSON answer; extra headers win. */
export function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) }
}

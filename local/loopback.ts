import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What an HTTP stand-in answers; `body` is sent as it is. */
export type Answer = {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
}

/** A request as a stand-in sees it: the body read, the URL parsed, header names in lower case. */
export type Call = {
  readonly method: string
  readonly url: URL
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

/**
 * How a stand-in is made to fail, once, for the call a fault function was asked about.
 *
 * `refuse` drops the connection before anything happens, `delay` waits `delayMs` and then answers,
 * `error` answers `code` (an HTTP status) without any effect, `lostAnswer` does the work and drops
 * the connection instead of answering.
 */
export type Fault = {
  readonly mode: 'refuse' | 'delay' | 'error' | 'lostAnswer'
  readonly code?: number
  readonly delayMs?: number
}

/** Asked once per call; `undefined` lets the call through. */
export type FaultFor = (operation: string, call: Call) => Fault | undefined

export type Loopback = { readonly url: string; readonly port: number; close(): Promise<void> }

/** Thrown by a handler to drop the connection without an answer. */
export const HANG_UP = Symbol('hang up')

/** The largest request body a stand-in reads; Kubernetes' own limit is 3 MiB. */
const MAX_BODY_BYTES = 4 * 1024 * 1024

/**
 * Serves `handle` over HTTP on 127.0.0.1 only.
 *
 * A handler that throws is a bug of the stand-in: it answers 500 with the message, so that a test
 * sees it instead of a connection reset. `close` also ends idle keep-alive connections.
 */
export async function serveLoopback(
  port: number,
  handle: (call: Call) => Promise<Answer | typeof HANG_UP>,
): Promise<Loopback> {
  const server = createServer((request, response) => {
    void answer(request, response, handle)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const bound = (server.address() as AddressInfo).port
  return {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  handle: (call: Call) => Promise<Answer | typeof HANG_UP>,
): Promise<void> {
  try {
    const body = await readBody(request)
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    const result = await handle({ method: request.method ?? 'GET', url, headers: request.headers, body })
    if (result === HANG_UP) {
      request.socket.destroy()
      return
    }
    response.writeHead(result.status, { ...result.headers, 'content-length': Buffer.byteLength(result.body) })
    response.end(request.method === 'HEAD' ? undefined : result.body)
  } catch (error) {
    if (response.headersSent || response.destroyed) return
    response.writeHead(500, { 'content-type': 'text/plain', connection: 'close' })
    response.end(error instanceof Error ? error.message : String(error))
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size > MAX_BODY_BYTES) throw new Error('the request body is too large')
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}

/** Runs `work` under the fault that applies, if any; `errorAnswer` gives the service's own error shape. */
export async function underFault(
  fault: Fault | undefined,
  work: () => Promise<Answer> | Answer,
  errorAnswer: (status: number) => Answer,
): Promise<Answer | typeof HANG_UP> {
  if (fault === undefined) return work()
  if (fault.mode === 'refuse') return HANG_UP
  if (fault.mode === 'error') return errorAnswer(fault.code ?? 503)
  // Real time on purpose: the delay tries out the caller's own time-outs.
  if (fault.mode === 'delay') await new Promise((resolve) => setTimeout(resolve, fault.delayMs ?? 1000))
  const result = await work()
  return fault.mode === 'lostAnswer' ? HANG_UP : result
}

/** A JSON answer; extra headers win. */
export function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) }
}

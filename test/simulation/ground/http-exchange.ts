import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { FrameworkRequest } from '#shared/http/read-request.ts'

type Handler = (request: FrameworkRequest, response: ServerResponse) => Promise<void>

/** Hands a request to a function's entry point as functions-framework does, and returns the status. */
export async function exchange(handler: Handler, path: string, body: Uint8Array): Promise<number> {
  const request = Object.assign(new EventEmitter(), {
    method: 'POST',
    url: path,
    originalUrl: path,
    headers: { 'content-type': 'application/json' },
    headersDistinct: { 'content-type': ['application/json'] },
    rawBody: Buffer.from(body),
    socket: { remoteAddress: '127.0.0.1' },
    resume: () => {},
  })
  const response = Object.assign(new EventEmitter(), {
    statusCode: 200,
    headersSent: false,
    destroyed: false,
    writableEnded: false,
    setHeader: () => response,
    removeHeader: () => {},
    getHeader: () => undefined,
    end: () => {
      response.headersSent = true
      response.writableEnded = true
      response.emit('finish')
      response.emit('close')
    },
  })
  await handler(request as unknown as FrameworkRequest, response as unknown as ServerResponse)
  if (!response.headersSent) throw new Error('the entry point returned without an answer')
  return response.statusCode
}

import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { bindLoopback, type Loopback } from '../bind-loopback.ts'

type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
  continueExpected: boolean,
) => Promise<void>

type ListenOptions = {
  readonly port: number
  readonly maxHeaderBytes: number
  readonly handler: Handler
  /** The answer to what is no HTTP request or too large a head; the connection is closed after it. */
  readonly refuse: (status: 400 | 408 | 431) => { contentType: string; body: string }
}

/** Listens on the loopback interface as a proxy must: every byte that is no request gets its refusal. */
export function listen(options: ListenOptions): Promise<Loopback> {
  const server = createServer({
    maxHeaderSize: options.maxHeaderBytes,
    // The handler answers a missing Host in the same form as everything else.
    requireHostHeader: false,
    keepAliveTimeout: 65_000,
  })
  const underWay = new WeakMap<object, Set<ServerResponse>>()
  const serve = (continueExpected: boolean) => (request: IncomingMessage, response: ServerResponse) => {
    request.on('error', () => {})
    response.on('error', () => {})
    const answers = underWay.get(request.socket) ?? new Set()
    underWay.set(request.socket, answers.add(response))
    response.on('close', () => answers.delete(response))
    options.handler(request, response, continueExpected).catch(() => response.destroy())
  }
  server.on('request', serve(false))
  server.on('checkContinue', serve(true))
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const answers = [...(underWay.get(socket) ?? [])]
    endConnection(socket, answers, () => refuseConnection(socket, statusOf(error), options))
  })
  server.on('connect', (_request, socket: Socket) => refuseConnection(socket, 400, options))
  return bindLoopback(server, options.port)
}

function statusOf(error: NodeJS.ErrnoException): 400 | 408 | 431 {
  if (error.code === 'HPE_HEADER_OVERFLOW') return 431
  return error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
}

// What went wrong concerns the last request on the connection. Earlier ones get their answers first; one
// whose body broke off is refused in place of its answer, unless that has begun: bytes after a begun
// answer would be read as part of it.
function endConnection(socket: Socket, answers: readonly ServerResponse[], refuse: () => void): void {
  const broken = answers.find((answer) => !answer.req.complete)
  const whole = answers.filter((answer) => answer !== broken)
  if (whole.length > 0) {
    Promise.all(whole.map((answer) => new Promise((resolve) => answer.once('close', resolve)))).then(() => {
      if (broken?.headersSent) socket.destroy()
      else refuse()
    })
  } else if (broken?.headersSent) socket.destroy()
  else refuse()
}

function refuseConnection(socket: Socket, status: 400 | 408 | 431, options: ListenOptions): void {
  socket.on('error', () => {})
  if (!socket.writable) return
  const { contentType, body } = options.refuse(status)
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `Content-Type: ${contentType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}

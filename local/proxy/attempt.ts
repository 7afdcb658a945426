import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { performance } from 'node:perf_hooks'
import type { Deadline } from './deadline.ts'
import type { Exchange, Failure, Outcome } from './exchange.ts'
import {
  announcesBody,
  findHeader,
  flatHeaders,
  type HeaderList,
  headerList,
  headerValues,
  withoutHeaders,
} from './header-list.ts'
import { relay } from './relay.ts'

// What Envoy allows an upstream's header block by default.
const MAX_RESPONSE_HEADER_BYTES = 60 * 1024

/** One try at an exchange. Resolves when the answer is relayed in full, or when nothing can come of it. */
export function attempt(exchange: Exchange, deadline: Deadline): Promise<Outcome> {
  const { request, response } = exchange
  const upstream = openUpstream(exchange)
  if (!upstream) return Promise.resolve({ kind: 'unsendable' })
  const startedAt = performance.now()
  const hasBody = announcesBody(headerList(request.rawHeaders))
  const state = { connected: false, bodyTaken: false, answered: false, settled: false }
  return new Promise((resolve) => {
    const settle = (outcome: Outcome) => {
      if (state.settled) return
      state.settled = true
      response.off('close', onClientClose)
      stopBody()
      deadline.onExpired(() => {})
      // A backend that answered before it had the whole body will not get the rest.
      const whole = outcome.kind === 'relayed' && outcome.truncated === undefined && upstream.writableEnded
      if (!whole) upstream.destroy()
      resolve(outcome)
    }
    const onClientClose = () => settle({ kind: 'clientGone' })
    const stopBody = pumpBody(exchange, upstream, deadline, hasBody, {
      onTaken: () => {
        state.bodyTaken = true
      },
      onTooLarge: () => {
        if (!state.answered) settle({ kind: 'requestTooLarge' })
        else response.destroy()
      },
    })
    response.on('close', onClientClose)
    deadline.onExpired(() => settle({ kind: 'deadline' }))
    onConnected(upstream, exchange.target.protocol, () => {
      state.connected = true
      if (!hasBody || state.settled) return
      if (exchange.continueExpected && !state.bodyTaken) response.writeContinue()
      request.resume()
    })
    upstream.on('error', (error: NodeJS.ErrnoException) => {
      if (!state.answered) settle({ ...failureOf(error, state.connected), bodyTaken: state.bodyTaken })
    })
    upstream.on('response', (answer: IncomingMessage) => {
      state.answered = true
      response.off('close', onClientClose)
      const upstreamMs = performance.now() - startedAt
      void relay(exchange, answer, deadline).then((ended) =>
        settle(
          'kind' in ended
            ? ended
            : { kind: 'relayed', status: answer.statusCode ?? 502, upstreamMs, ...ended },
        ),
      )
    })
  })
}

function onConnected(upstream: ClientRequest, protocol: string, act: () => void): void {
  upstream.on('socket', (socket) => {
    if (socket.connecting) socket.once(protocol === 'https:' ? 'secureConnect' : 'connect', act)
    else act()
  })
}

/** Opens the request, or nothing when a field or the path holds what HTTP/1.1 cannot carry. */
function openUpstream(exchange: Exchange): ClientRequest | undefined {
  const { target, method, path, agent } = exchange
  const open = target.protocol === 'https:' ? httpsRequest : httpRequest
  try {
    return open({
      hostname: target.hostname,
      port: target.port,
      method,
      path,
      agent,
      headers: flatHeaders(framed(exchange, headerList(exchange.request.rawHeaders))),
      setHost: false,
      maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
    })
  } catch {
    return undefined
  }
}

// Exactly one of Content-Length and Transfer-Encoding, and never the client's own encoding list.
function framed(exchange: Exchange, sent: HeaderList): HeaderList {
  const rest = withoutHeaders(exchange.headers, ['transfer-encoding', 'content-length', 'connection'])
  if (headerValues(sent, 'transfer-encoding').length > 0) return [...rest, ['Transfer-Encoding', 'chunked']]
  const length = findHeader(sent, 'content-length')
  if (length !== undefined) return [...rest, ['Content-Length', length]]
  return ['POST', 'PUT', 'PATCH'].includes(exchange.method) ? [...rest, ['Content-Length', '0']] : rest
}

type BodyEvents = { onTaken(): void; onTooLarge(): void }

// The body waits in the client's socket until the backend's connection stands (`request.resume`).
function pumpBody(
  exchange: Exchange,
  upstream: ClientRequest,
  deadline: Deadline,
  hasBody: boolean,
  on: BodyEvents,
): () => void {
  const { request } = exchange
  if (!hasBody) {
    upstream.end()
    return () => {}
  }
  let bytes = 0
  const onData = (chunk: Buffer) => {
    on.onTaken()
    bytes += chunk.length
    if (bytes > exchange.maxRequestBytes) on.onTooLarge()
    else if (!upstream.write(chunk)) request.pause()
  }
  const onDrain = () => request.resume()
  const onEnd = () => {
    deadline.begin()
    upstream.end()
  }
  request.pause()
  request.on('data', onData)
  request.on('end', onEnd)
  upstream.on('drain', onDrain)
  return () => {
    request.off('data', onData)
    request.off('end', onEnd)
    upstream.off('drain', onDrain)
    request.pause()
  }
}

function failureOf(error: NodeJS.ErrnoException, connected: boolean): Failure {
  const code = error.code ?? ''
  const base = { kind: 'failed', bodyTaken: false, retried: false } as const
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return { ...base, reason: 'unresolved' }
  if (code.startsWith('HPE_')) return { ...base, reason: 'protocol' }
  return { ...base, reason: connected ? 'reset' : 'connect' }
}

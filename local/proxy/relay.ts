import type { IncomingMessage } from 'node:http'
import type { Deadline } from './deadline.ts'
import type { Exchange, Outcome } from './exchange.ts'
import { findHeader, flatHeaders, headerList, withoutHeaderPrefix, withoutHopByHop } from './header-list.ts'

type Ended = { truncated?: string } | Outcome

/**
 * Streams a backend's answer to the client, no faster than the client reads.
 *
 * The status is out by the time a body breaks off, so a broken or late answer ends the connection:
 * a client must not take half a body for a whole one.
 */
export function relay(exchange: Exchange, answer: IncomingMessage, deadline: Deadline): Promise<Ended> {
  const { response } = exchange
  const announced = Number(findHeader(headerList(answer.rawHeaders), 'content-length') ?? 0)
  if (announced > exchange.maxResponseBytes && exchange.method !== 'HEAD') {
    return Promise.resolve({ kind: 'responseTooLarge' })
  }
  const headers = withoutHeaderPrefix(withoutHopByHop(headerList(answer.rawHeaders)), 'x-envoy-')
  response.writeHead(answer.statusCode ?? 502, flatHeaders(headers))
  response.flushHeaders()
  return new Promise((resolve) => {
    let bytes = 0
    const breakOff = (truncated: string) => {
      response.off('close', onClose)
      answer.destroy()
      response.destroy()
      resolve({ truncated })
    }
    const onClose = () => breakOff('client')
    response.on('close', onClose)
    deadline.onExpired(() => breakOff('deadline'))
    response.on('drain', () => answer.resume())
    answer.on('error', () => breakOff('backend'))
    answer.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > exchange.maxResponseBytes) breakOff('size')
      else if (!response.write(chunk)) answer.pause()
    })
    answer.on('end', () => {
      response.off('close', onClose)
      response.end()
      resolve({})
    })
    answer.on('close', () => {
      if (!answer.complete) breakOff('backend')
    })
  })
}

import type { IncomingMessage, ServerResponse } from 'node:http'
import { onBodyFault } from './body-fault.ts'

/** How long the rest of a refused body is let run past, so that its sender reads the answer and meets no reset. */
const LINGER_MS = 1_000
/** So much of it is thrown away; the rest stays with its sender, where it costs us nothing. */
const MOST_DISCARDED_BYTES = 1024 * 1024

/** Whether a body may be longer than `bytes`: declared so, or of no declared length. */
export function declaresMore({ headersDistinct }: IncomingMessage, bytes: number): boolean {
  const { 'transfer-encoding': transfer, 'content-length': length } = headersDistinct
  return transfer !== undefined || Number(length?.[0] ?? 0) > bytes
}

/**
 * Sends the end of an answer to a request whose body has not all come.
 *
 * A body that may be long, or endless, ends its connection. A socket closed while its sender still
 * sends is reset, and the answer lost; so the answer goes out whole at once, and the connection ends
 * when the body has, or after a moment.
 */
export function endUnread(request: IncomingMessage, response: ServerResponse, body: string): void {
  response.shouldKeepAlive = false
  response.write(body)
  let discarded = 0
  const timer = setTimeout(end, LINGER_MS)
  function end(): void {
    clearTimeout(timer)
    request.off('end', end).off('close', end)
    unhear()
    response.end()
  }
  let unhear = (): void => undefined
  unhear = onBodyFault(request, end)
  request
    .on('error', end)
    .on('end', end)
    .on('close', end)
    .on('data', (chunk: Buffer) => {
      discarded += chunk.length
      if (discarded > MOST_DISCARDED_BYTES) request.pause()
    })
}

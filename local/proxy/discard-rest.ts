import type { IncomingMessage } from 'node:http'

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

import type { IncomingMessage } from 'node:http'

/** Reads a request's body; throws once it is larger than `maxBytes`. */
export async function readBody(
  request: IncomingMessage,
  maxBytes = Number.POSITIVE_INFINITY,
): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length
    if (bytes > maxBytes) throw new Error('the request body is too large')
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}

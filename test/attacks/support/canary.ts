import { createServer } from 'node:http'
import { bindLoopback } from '#local/bind-loopback.ts'

/** A server inside, which nobody may be led to: it counts who comes. */
export type Canary = {
  readonly url: string
  readonly port: number
  visits(): readonly string[]
  close(): Promise<void>
}

export async function startCanary(): Promise<Canary> {
  const seen: string[] = []
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`)
    response.setHeader('content-type', 'application/json').end('{"keys":[]}')
  })
  // A connection alone, without a request, is a visit too.
  server.on('connection', () => seen.push('connection'))
  const { url, close } = await bindLoopback(server, 0)
  return { url, port: Number(new URL(url).port), visits: () => seen, close }
}

import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

export type Received = {
  readonly headers: IncomingHttpHeaders
  readonly body: {
    readonly message: Record<string, unknown> & { data: string; messageId: string; orderingKey?: string }
    readonly subscription: string
    readonly deliveryAttempt: number
  }
  readonly text: string
  readonly atMs: number
}

export type Endpoint = {
  readonly url: string
  readonly port: number
  readonly received: Received[]
  /** Most requests that were open at the same time. */
  readonly peak: () => number
  close(): Promise<void>
}

/** An endpoint that answers each push with what `decide` says: a status, after a while if it says so. */
export async function openEndpoint(
  decide: (received: Received, count: number) => number | { status: number; afterMs: number },
  port = 0,
): Promise<Endpoint> {
  const received: Received[] = []
  let open = 0
  let peak = 0
  const server: Server = createServer(async (request, response) => {
    open += 1
    peak = Math.max(peak, open)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = JSON.parse(Buffer.concat(chunks).toString()) as Received['body']
    const text = Buffer.from(body.message.data, 'base64').toString()
    const push: Received = { headers: request.headers, body, text, atMs: performance.now() }
    received.push(push)
    const decided = decide(push, received.length)
    if (typeof decided !== 'number') await sleep(decided.afterMs)
    open -= 1
    response.writeHead(typeof decided === 'number' ? decided : decided.status).end()
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${bound}/events/orders-to-billing`,
    port: bound,
    received,
    peak: () => peak,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

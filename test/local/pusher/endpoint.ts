import type { IncomingHttpHeaders } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { serveLoopback } from '#local/loopback.ts'

type Received = {
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
  const server = await serveLoopback(port, async (call) => {
    open += 1
    peak = Math.max(peak, open)
    const body = JSON.parse(call.body.toString()) as Received['body']
    const text = Buffer.from(body.message.data, 'base64').toString()
    const push: Received = { headers: call.headers, body, text, atMs: performance.now() }
    received.push(push)
    const decided = decide(push, received.length)
    const { status, afterMs } = typeof decided === 'number' ? { status: decided, afterMs: 0 } : decided
    if (afterMs > 0) await sleep(afterMs)
    open -= 1
    return { status, body: '' }
  })
  return {
    url: `${server.url}/events/orders-to-billing`,
    port: server.port,
    received,
    peak: () => peak,
    close: server.close,
  }
}

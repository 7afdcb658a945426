import type { Server } from 'node:http'
import { bindPort } from './tcp-ports.ts'

export type Loopback = {
  readonly url: string
  readonly port: number
  /** Stops listening and breaks what is connected, idle keep-alive connections too. */
  close(): Promise<void>
}

/** Lets an HTTP server listen on 127.0.0.1 alone; port 0 is any free one. Rejects when the port is taken. */
export async function bindLoopback(server: Server, port: number): Promise<Loopback> {
  const bound = await bindPort(server, port)
  return {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

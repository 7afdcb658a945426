import { type AddressInfo, connect, createServer, type Server } from 'node:net'

/** A port of 127.0.0.1 that nobody listens on now. */
export function freePort(): Promise<number> {
  return probePort(0)
}

/** Listens on a port for a moment and answers it, 0 being any free one; rejects when the port is taken. */
export async function probePort(port: number): Promise<number> {
  const server = createServer()
  const bound = await bindPort(server, port)
  await new Promise((resolve) => server.close(resolve))
  return bound
}

/** Lets a server listen on 127.0.0.1 alone and answers its port; rejects when the port is taken. */
export function bindPort(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

/** Whether something listens: a TCP connect, because a request would reach what is behind. */
export function acceptsConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    const answer = (accepted: boolean): void => {
      socket.destroy()
      resolve(accepted)
    }
    socket.once('connect', () => answer(true))
    socket.once('error', () => answer(false))
  })
}

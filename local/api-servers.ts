import { rmSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import tls from 'node:tls'
import type { Certificate } from './certificate.ts'
import { type Kubernetes, type KubernetesOptions, startKubernetes } from './kubernetes/index.ts'
import { bindPort } from './tcp-ports.ts'

/** What every API server of the stack is started with. */
export type ServerOptions = Omit<KubernetesOptions, 'port' | 'file'> & {
  /** Where the objects of each cluster are kept; memory alone without it. */
  readonly folder?: string
}

export type ApiServers = {
  /** The server of that name, started when it is first asked for; `host:port` under its certificate. */
  ensure(name: string, certificate: Certificate): Promise<string>
  /** The server of that name without a certificate before it. */
  plain(name: string): Promise<Kubernetes>
  /** Stops the server and forgets its objects. */
  remove(name: string): Promise<void>
  running(): readonly { readonly name: string; readonly kubernetes: Kubernetes }[]
  setFault(hook: Parameters<Kubernetes['setFault']>[0]): void
  close(): Promise<void>
}

type Front = { readonly endpoint: string; close(): Promise<void> }
type Running = { readonly kubernetes: Kubernetes; front?: Promise<Front> }

/** One stand-in of the Kubernetes API for each cluster, each with objects of its own. */
export function openApiServers(options: ServerOptions): ApiServers {
  const { folder, ...rest } = options
  const servers = new Map<string, Promise<Running>>()
  let fault: Parameters<Kubernetes['setFault']>[0]
  const fileOf = (name: string): string | undefined =>
    folder === undefined ? undefined : join(folder, `${name}.jsonl`)
  const open = (name: string): Promise<Running> => {
    const known = servers.get(name)
    if (known !== undefined) return known
    const file = fileOf(name)
    const starting = startKubernetes({ ...rest, ...(file === undefined ? {} : { file }) }).then(
      (kubernetes) => {
        kubernetes.setFault(fault)
        return { kubernetes }
      },
    )
    servers.set(name, starting)
    starting.catch(() => servers.delete(name))
    return starting
  }
  const stop = async (name: string): Promise<void> => {
    const running = servers.get(name)
    servers.delete(name)
    if (running === undefined) return
    const { front, kubernetes } = await running
    await (await front)?.close()
    await kubernetes.close()
  }
  const started = new Map<string, Kubernetes>()
  const note = async (name: string): Promise<Running> => {
    const running = await open(name)
    started.set(name, running.kubernetes)
    return running
  }
  return {
    ensure: async (name, certificate) => {
      const running = await note(name)
      running.front ??= openFront(running.kubernetes, certificate)
      return (await running.front).endpoint
    },
    plain: async (name) => (await note(name)).kubernetes,
    remove: async (name) => {
      await stop(name)
      started.delete(name)
      const file = fileOf(name)
      if (file !== undefined) rmSync(file, { force: true })
    },
    running: () => [...started].map(([name, kubernetes]) => ({ name, kubernetes })),
    setFault: (hook) => {
      fault = hook
      for (const kubernetes of started.values()) kubernetes.setFault(hook)
    },
    close: async () => {
      for (const name of [...servers.keys()]) await stop(name)
      started.clear()
    },
  }
}

/** TLS with the cluster's own certificate in front of a server that speaks plain HTTP. */
async function openFront(kubernetes: Kubernetes, { certificate, key }: Certificate): Promise<Front> {
  const target = Number(new URL(kubernetes.url).port)
  const sockets = new Set<net.Socket>()
  const server = tls.createServer({ cert: certificate, key }, (client) => {
    const upstream = net.connect(target, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.once('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
      // An end that hurries is an end all the same.
      socket.on('error', () => {})
    }
    client.pipe(upstream).pipe(client)
  })
  server.on('tlsClientError', () => {})
  const port = await bindPort(server, 0)
  return {
    endpoint: `127.0.0.1:${port}`,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

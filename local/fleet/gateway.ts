import type { Loopback } from '../bind-loopback.ts'
import type { Kubernetes } from '../kubernetes/index.ts'
import { type Answer, type Call, json, serveLoopback } from '../loopback.ts'

export type ConnectGateway = Loopback & {
  /** Cuts the connection that a cluster's agent keeps, or lets it come back. */
  setConnected(name: string, connected: boolean): void
}

export type ConnectGatewayOptions = {
  readonly port?: number
  readonly now: () => number
  readonly projectNumber: string
  readonly authenticate?: ((token: string) => string | undefined) | undefined
  /** 2,400 unless told. */
  readonly callsPerMinute?: number
  /** The API server of a member; undefined when there is no such member. */
  readonly serverOf: (name: string) => Promise<Kubernetes | undefined>
}

const PATH = /^\/v1\/projects\/([^/]+)\/locations\/global\/memberships\/([^/]+)(\/.*)$/
/** Of the whole fleet, as the service's quota has it. */
const USUAL_QUOTA = 2_400
/** Between whoever calls and us alone. */
const HOP_BY_HOP = new Set(['host', 'connection', 'content-length', 'keep-alive', 'transfer-encoding'])

/**
 * The stand-in of the Connect gateway: requests below a membership's path reach the API server of that
 * cluster, under the caller's own name. What it says itself are errors of Google's, not of Kubernetes'.
 */
export async function startConnectGateway(options: ConnectGatewayOptions): Promise<ConnectGateway> {
  const away = new Set<string>()
  let minute = { number: 0, calls: 0 }
  const overQuota = (): boolean => {
    const number = Math.floor(options.now() / 60_000)
    minute = { number, calls: number === minute.number ? minute.calls + 1 : 1 }
    return minute.calls > (options.callsPerMinute ?? USUAL_QUOTA)
  }
  const server = await serveLoopback(options.port ?? 0, async (call): Promise<Answer> => {
    const [, project, name = '', rest = ''] = PATH.exec(call.url.pathname) ?? []
    if (project === undefined) return failure(404, 'NOT_FOUND', 'Not Found')
    if (!isKnown(options, call)) {
      return failure(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.')
    }
    if (overQuota()) return failure(429, 'RESOURCE_EXHAUSTED', "Quota exceeded for quota metric 'Requests'.")
    const member = project === options.projectNumber ? await options.serverOf(name) : undefined
    if (member === undefined) return failure(404, 'NOT_FOUND', `membership ${name} was not found`)
    if (away.has(name)) return failure(503, 'UNAVAILABLE', 'the connection to the agent is not there')
    return forward(call, `${member.url}${rest}${call.url.search}`)
  })
  return {
    ...server,
    setConnected: (name, connected) => {
      if (connected) away.delete(name)
      else away.add(name)
    },
  }
}

function isKnown({ authenticate }: ConnectGatewayOptions, call: Call): boolean {
  if (authenticate === undefined) return true
  const token = /^Bearer (\S+)$/.exec(call.headers.authorization ?? '')?.[1]
  return token !== undefined && authenticate(token) !== undefined
}

async function forward(call: Call, url: string): Promise<Answer> {
  const headers = Object.entries(call.headers).flatMap(([name, value]): [string, string][] =>
    typeof value === 'string' && !HOP_BY_HOP.has(name) ? [[name, value]] : [],
  )
  try {
    const response = await fetch(url, {
      method: call.method,
      headers,
      ...(call.body.length === 0 ? {} : { body: new Uint8Array(call.body) }),
    })
    const kept = ['content-type', 'retry-after'].flatMap((name): [string, string][] => {
      const value = response.headers.get(name)
      return value === null ? [] : [[name, value]]
    })
    const body = Buffer.from(await response.arrayBuffer())
    return { status: response.status, headers: Object.fromEntries(kept), body }
  } catch {
    // The API server hung up: the gateway has an answer all the same.
    return failure(502, 'UNKNOWN', 'the API server did not answer')
  }
}

function failure(code: number, status: string, message: string): Answer {
  return json(code, { error: { code, message, status } })
}

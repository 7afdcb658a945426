import { type ApiServers, openApiServers, type ServerOptions } from '../api-servers.ts'
import { type GoogleService, jsonBody, serveGoogle } from '../google-service.ts'
import { openJournal } from '../journal.ts'
import type { Kubernetes } from '../kubernetes/index.ts'
import type { KubeObject } from '../kubernetes/json.ts'
import type { Call } from '../loopback.ts'
import { type ConnectGateway, startConnectGateway } from './gateway.ts'
import { type FleetOperation, type Membership, type MembershipBook, membershipBook } from './memberships.ts'

export type FleetOptions = {
  /** 0 or absent: any free port. */
  readonly port?: number
  readonly gatewayPort?: number
  /** Where memberships are kept; in memory alone without it. */
  readonly file?: string
  readonly now: () => number
  readonly project: string
  readonly projectNumber: string
  readonly authenticate?: (token: string) => string | undefined
  /** How the API servers of the customers' clusters are started. */
  readonly servers: ServerOptions
  readonly takesMs?: number
}

/** For `GKEHUB_API_URL`, with the gateway for `CONNECT_GATEWAY_URL`. */
export type FleetServer = GoogleService & {
  readonly gateway: Pick<ConnectGateway, 'url' | 'setConnected'>
  /** What a customer's administrator does: brings a cluster into the fleet, at once. */
  register(name: string, labels: Readonly<Record<string, string>>): Promise<void>
  /** What the customer's cluster holds, or all of them. */
  dumpObjects(namespace?: string): KubeObject[]
  /** The memberships as they are now. */
  dump(): readonly object[]
  /** Faults of the customers' API servers. */
  setKubernetesFault(hook: Parameters<Kubernetes['setFault']>[0]): void
}

const PATH = /^\/v1\/projects\/([^/]+)\/locations\/global\/(memberships|operations)(?:\/([^/]+))?$/
const OPERATIONS: Readonly<Record<string, string>> = {
  'GET memberships': 'ListMemberships',
  'POST memberships': 'CreateMembership',
  'GET memberships/': 'GetMembership',
  'DELETE memberships/': 'DeleteMembership',
  'GET operations/': 'GetOperation',
}

/** The methods of the service, as faults name them. */
export const FLEET_OPERATIONS = Object.values(OPERATIONS)

/** The stand-in of the fleet (gkehub v1) with the Connect gateway before each member's API server. */
export async function startFleet(options: FleetOptions): Promise<FleetServer> {
  const { now } = options
  const journal = openJournal(options.file)
  const book = membershipBook(journal, options)
  const servers = openApiServers(options.servers)
  const service = await serveGoogle({
    ...(options.port === undefined ? {} : { port: options.port }),
    authenticate: options.authenticate,
    operationOf,
    handle: async (operation, call) => {
      await collect(book, servers)
      return answer(options, book, operation, call)
    },
  })
  const gateway = await startConnectGateway({
    ...(options.gatewayPort === undefined ? {} : { port: options.gatewayPort }),
    now,
    projectNumber: options.projectNumber,
    authenticate: options.authenticate,
    serverOf: async (name) => {
      await collect(book, servers)
      const member = book.find(name)
      return member === undefined || now() < member.readyAtMs ? undefined : servers.plain(name)
    },
  })
  // What ran before a restart runs on.
  for (const { name } of book.list()) await servers.plain(name)
  return {
    ...service,
    gateway,
    register: async (name, labels) => {
      book.create(name, { labels })
      journal.set(`membership ${name}`, { ...book.get(name), readyAtMs: now() })
      await servers.plain(name)
    },
    dumpObjects: (namespace) => servers.running().flatMap(({ kubernetes }) => kubernetes.dump(namespace)),
    dump: () => book.list().map((membership) => membershipView(book, membership, now())),
    setKubernetesFault: servers.setFault,
    close: async () => {
      await service.close()
      await gateway.close()
      await servers.close()
      journal.close()
    },
  }
}

async function collect(book: MembershipBook, servers: ApiServers): Promise<void> {
  for (const name of book.collectGone()) await servers.remove(name)
}

function operationOf(call: Call): string | undefined {
  const [, , kind, id] = PATH.exec(call.url.pathname) ?? []
  return OPERATIONS[`${call.method} ${kind}${id === undefined ? '' : '/'}`]
}

function answer({ now, project }: FleetOptions, book: MembershipBook, operation: string, call: Call): object {
  const [, , , id = ''] = PATH.exec(call.url.pathname) ?? []
  if (operation === 'CreateMembership') {
    const name = call.url.searchParams.get('membershipId') ?? ''
    return operationView(project, book.create(name, jsonBody(call)), book.pathOf(name), now())
  }
  if (operation === 'GetMembership') return membershipView(book, book.get(id), now())
  if (operation === 'DeleteMembership') {
    return operationView(project, book.remove(id), book.pathOf(id), now())
  }
  if (operation === 'GetOperation') {
    const found = book.operation(id)
    return operationView(project, found, book.pathOf(found.membership), now())
  }
  return { resources: book.list().map((membership) => membershipView(book, membership, now())) }
}

function membershipView(book: MembershipBook, membership: Membership, nowMs: number): object {
  const { createdAtMs, goneAtMs, labels, name, readyAtMs, uid } = membership
  const code = goneAtMs !== undefined ? 'DELETING' : nowMs < readyAtMs ? 'CREATING' : 'READY'
  return {
    name: book.pathOf(name),
    labels,
    uniqueId: uid,
    externalId: uid,
    createTime: new Date(createdAtMs).toISOString(),
    state: { code },
    endpoint: { kubernetesMetadata: { kubernetesApiServerVersion: 'v1.30.0' } },
  }
}

function operationView(project: string, operation: FleetOperation, target: string, nowMs: number): object {
  const done = nowMs >= operation.doneAtMs
  return {
    name: `projects/${project}/locations/global/operations/${operation.name}`,
    metadata: { createTime: new Date(operation.startedAtMs).toISOString(), target, verb: operation.verb },
    done,
    ...(done ? { response: {} } : {}),
  }
}

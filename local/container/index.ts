import type { KubeObject } from '#local/kubernetes/json.ts'
import { asRecord } from '#shared/json.ts'
import { openApiServers, type ServerOptions } from '../api-servers.ts'
import { type GoogleService, jsonBody, serveGoogle } from '../google-service.ts'
import { openJournal } from '../journal.ts'
import type { Kubernetes } from '../kubernetes/index.ts'
import type { Call } from '../loopback.ts'
import { type ClusterBook, clusterBook, notFound } from './clusters.ts'
import { type ClusterRecord, type OperationRecord, statusOf } from './model.ts'

export type ContainerOptions = {
  /** 0 or absent: any free port. */
  readonly port?: number
  /** Where clusters and operations are kept; in memory alone without it. */
  readonly file?: string
  readonly now: () => number
  readonly project: string
  readonly authenticate?: (token: string) => string | undefined
  /** How the API servers of the clusters are started. */
  readonly servers: ServerOptions
  /** How long a cluster takes to come, and to go; 5 s of `now` unless told. */
  readonly takesMs?: number
  /** How many clusters a project may have; 50 unless told. */
  readonly mostClusters?: number
}

/** For `CONTAINER_API_URL`. */
export type ContainerServer = GoogleService & {
  /** The next clusters that are ordered, one unless told, end in ERROR, with this said of their operations. */
  breakNext(message: string, times?: number): void
  /** Clusters and operations as they are now. */
  dump(): { readonly clusters: readonly object[]; readonly operations: readonly object[] }
  /** The objects of a namespace in all clusters, or all objects. */
  dumpObjects(namespace?: string): KubeObject[]
  /** Faults of the clusters' API servers. */
  setKubernetesFault(hook: Parameters<Kubernetes['setFault']>[0]): void
}

const OPERATIONS = {
  clusters: { GET: 'ListClusters', POST: 'CreateCluster' },
  cluster: { GET: 'GetCluster', DELETE: 'DeleteCluster' },
  operations: { GET: 'ListOperations' },
  operation: { GET: 'GetOperation' },
} as const

/** The methods of the service, as faults name them. */
export const CONTAINER_OPERATIONS = Object.values(OPERATIONS).flatMap((methods) => Object.values(methods))

const PATH = /^\/v1\/projects\/([^/]+)\/locations\/([^/]+)\/(clusters|operations)(?:\/([^/]+))?$/

/**
 * The stand-in of GKE's Container API, v1: clusters are ordered, take their time, and then have a
 * Kubernetes API server of their own under a certificate of their own.
 */
export async function startContainer(options: ContainerOptions): Promise<ContainerServer> {
  const journal = openJournal(options.file)
  const book = clusterBook(journal, options)
  const servers = openApiServers(options.servers)
  const settle = async (): Promise<void> => {
    for (const name of book.collectGone()) await servers.remove(name)
  }
  const service = await serveGoogle({
    ...(options.port === undefined ? {} : { port: options.port }),
    authenticate: options.authenticate,
    operationOf,
    handle: async (operation, call) => {
      await settle()
      const [, project = '', location = '', , id = ''] = PATH.exec(call.url.pathname) ?? []
      if (project !== options.project) throw notFound(`projects/${project}`)
      const view = async (cluster: ClusterRecord): Promise<object> => {
        const running = statusOf(cluster, options.now()) === 'RUNNING'
        const endpoint = running ? await servers.ensure(cluster.name, cluster) : undefined
        return clusterView(options, cluster, endpoint)
      }
      return answer(book, operation, { location, id, body: jsonBody(call) }, view)
    },
  })
  // What ran before a restart runs on, whether or not somebody asks for its address.
  for (const cluster of book.clusters()) {
    if (statusOf(cluster, options.now()) === 'RUNNING') await servers.ensure(cluster.name, cluster)
  }
  return {
    ...service,
    breakNext: book.breakNext,
    dump: () => ({
      clusters: book.clusters().map((cluster) => clusterView(options, cluster, undefined)),
      operations: book.operations().map((operation) => operationView(options, operation)),
    }),
    dumpObjects: (namespace) => servers.running().flatMap(({ kubernetes }) => kubernetes.dump(namespace)),
    setKubernetesFault: servers.setFault,
    close: async () => {
      await service.close()
      await servers.close()
      journal.close()
    },
  }

  async function answer(
    clusters: ClusterBook,
    operation: string,
    asked: { readonly location: string; readonly id: string; readonly body: Record<string, unknown> },
    view: (cluster: ClusterRecord) => Promise<object>,
  ): Promise<object> {
    const { body, id, location } = asked
    if (operation === 'CreateCluster') {
      return operationView(options, clusters.create(location, asRecord(body['cluster']) ?? {}))
    }
    if (operation === 'GetCluster') return view(clusters.get(location, id))
    if (operation === 'DeleteCluster') return operationView(options, clusters.remove(location, id))
    if (operation === 'GetOperation') return operationView(options, clusters.operation(location, id))
    const here = <T extends { readonly location: string }>(all: readonly T[]): readonly T[] =>
      location === '-' ? all : all.filter((one) => one.location === location)
    if (operation === 'ListClusters') {
      return { clusters: await Promise.all(here(clusters.clusters()).map(view)) }
    }
    return { operations: here(clusters.operations()).map((one) => operationView(options, one)) }
  }
}

function operationOf(call: Call): string | undefined {
  const [, , , kind, id] = PATH.exec(call.url.pathname) ?? []
  if (kind === undefined) return undefined
  const methods: Readonly<Record<string, string>> =
    kind === 'clusters'
      ? id === undefined
        ? OPERATIONS.clusters
        : OPERATIONS.cluster
      : id === undefined
        ? OPERATIONS.operations
        : OPERATIONS.operation
  return methods[call.method]
}

function clusterView(
  { now, project }: ContainerOptions,
  cluster: ClusterRecord,
  endpoint: string | undefined,
): object {
  const { broken, labels, location, name, ordered, uid } = cluster
  const status = statusOf(cluster, now())
  const endpoints = asRecord(ordered['controlPlaneEndpointsConfig'])
  return {
    ...ordered,
    name,
    id: uid,
    location,
    resourceLabels: labels,
    selfLink: `https://container.googleapis.com/v1/projects/${project}/locations/${location}/clusters/${name}`,
    createTime: new Date(cluster.createdAtMs).toISOString(),
    status,
    ...(status === 'ERROR' ? { conditions: [{ code: 'GCE_STOCKOUT', message: broken }] } : {}),
    ...(endpoint === undefined
      ? {}
      : {
          endpoint,
          masterAuth: { clusterCaCertificate: Buffer.from(cluster.certificate).toString('base64') },
          controlPlaneEndpointsConfig: {
            ...endpoints,
            dnsEndpointConfig: {
              ...asRecord(endpoints?.['dnsEndpointConfig']),
              endpoint: `gke-${uid.slice(0, 12)}.${location}.gke.goog`,
            },
            ipEndpointsConfig: { ...asRecord(endpoints?.['ipEndpointsConfig']), privateEndpoint: endpoint },
          },
        }),
  }
}

function operationView({ now, project }: ContainerOptions, operation: OperationRecord): object {
  const { cluster, error, location, name, type } = operation
  const done = now() >= operation.doneAtMs
  const base = `https://container.googleapis.com/v1/projects/${project}/locations/${location}`
  return {
    name,
    location,
    operationType: type,
    status: done ? 'DONE' : 'RUNNING',
    startTime: new Date(operation.startedAtMs).toISOString(),
    ...(done ? { endTime: new Date(operation.doneAtMs).toISOString() } : {}),
    ...(done && error !== undefined ? { error: { code: 8, message: error } } : {}),
    selfLink: `${base}/operations/${name}`,
    targetLink: `${base}/clusters/${cluster}`,
  }
}

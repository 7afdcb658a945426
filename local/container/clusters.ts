import { randomUUID } from 'node:crypto'
import { asRecord } from '#shared/json.ts'
import { selfSignedCertificate } from '../certificate.ts'
import { GoogleError } from '../google-service.ts'
import type { Journal } from '../journal.ts'
import { type ClusterRecord, type OperationRecord, statusOf } from './model.ts'

export type ClusterBook = ReturnType<typeof clusterBook>

export type ClusterBookOptions = {
  readonly now: () => number
  readonly project: string
  readonly takesMs?: number
  readonly mostClusters?: number
}

const USUAL_MS = 5_000
const USUAL_MOST = 50
const OPERATIONS_KEPT_MS = 86_400_000
const NAME = /^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$/
const LOCATION = /^[a-z]{2,20}-[a-z]{2,20}\d{1,2}(?:-[a-z])?$/
const LABEL = /^[a-z0-9_-]{0,63}$/

/** Clusters and operations of one project. */
export function clusterBook(journal: Journal, options: ClusterBookOptions) {
  const { now, takesMs = USUAL_MS } = options
  let breaking = { message: '', left: 0 }
  const nameOf = (location: string, id: string): string =>
    `projects/${options.project}/locations/${location}/clusters/${id}`
  const all = <T>(kind: 'cluster' | 'operation'): T[] =>
    [...journal.entries()].filter(([key]) => key.startsWith(`${kind} `)).map(([, value]) => value as T)
  const keyOf = ({ location, name }: { location: string; name: string }): string =>
    `cluster ${location}/${name}`
  const find = (location: string, name: string): ClusterRecord | undefined => {
    const found = journal.get(keyOf({ location, name })) as ClusterRecord | undefined
    const gone = found?.deletion !== undefined && found.deletion.goneAtMs <= now()
    return gone ? undefined : found
  }
  const get = (location: string, name: string): ClusterRecord => {
    const found = find(location, name)
    if (found === undefined) throw notFound(nameOf(location, name))
    return found
  }
  const begin = (
    fields: Pick<OperationRecord, 'type' | 'location' | 'cluster' | 'error'>,
  ): OperationRecord => {
    const operation: OperationRecord = {
      ...fields,
      name: `operation-${now()}-${randomUUID()}`,
      startedAtMs: now(),
      doneAtMs: now() + takesMs,
    }
    journal.set(`operation ${fields.location}/${operation.name}`, operation)
    return operation
  }
  return {
    get,
    clusters: (): ClusterRecord[] =>
      all<ClusterRecord>('cluster').filter(({ location, name }) => find(location, name) !== undefined),
    operations: (): OperationRecord[] => all<OperationRecord>('operation'),
    operation: (location: string, name: string): OperationRecord => {
      const found = journal.get(`operation ${location}/${name}`) as OperationRecord | undefined
      if (found === undefined) {
        throw notFound(`projects/${options.project}/locations/${location}/operations/${name}`)
      }
      return found
    },
    create: (location: string, ordered: Readonly<Record<string, unknown>>): OperationRecord => {
      const labels = checked(location, ordered)
      const name = String(ordered['name'])
      if (find(location, name) !== undefined) {
        throw new GoogleError('ALREADY_EXISTS', `Already exists: ${nameOf(location, name)}.`)
      }
      const standing = all<ClusterRecord>('cluster').filter((one) => find(one.location, one.name)).length
      if (standing >= (options.mostClusters ?? USUAL_MOST)) {
        throw new GoogleError(
          'PERMISSION_DENIED',
          'Insufficient regional quota to satisfy request: resource "CPUS": request requires more than is left.',
        )
      }
      const broken = breaking.left > 0 ? breaking.message : undefined
      breaking = { ...breaking, left: breaking.left - 1 }
      const cluster: ClusterRecord = {
        name,
        location,
        labels,
        ordered,
        uid: randomUUID().replaceAll('-', ''),
        createdAtMs: now(),
        readyAtMs: now() + takesMs,
        ...(broken === undefined ? {} : { broken }),
        ...selfSignedCertificate(name),
      }
      journal.set(keyOf(cluster), cluster)
      const error = broken === undefined ? {} : { error: broken }
      return begin({ type: 'CREATE_CLUSTER', location, cluster: name, ...error })
    },
    /** One that is on its way cannot be turned back; one that goes already says with which operation. */
    remove: (location: string, name: string): OperationRecord => {
      const cluster = get(location, name)
      const status = statusOf(cluster, now())
      if (status === 'PROVISIONING' || status === 'STOPPING') {
        const under = cluster.deletion?.operation ?? lastOperation(all<OperationRecord>('operation'), cluster)
        throw new GoogleError('FAILED_PRECONDITION', `Cluster is running incompatible operation ${under}.`)
      }
      const operation = begin({ type: 'DELETE_CLUSTER', location, cluster: name })
      const deletion = { operation: operation.name, goneAtMs: operation.doneAtMs }
      journal.set(keyOf(cluster), { ...cluster, deletion })
      return operation
    },
    /** Forgets the clusters whose time is over, and operations of the day before; answers the clusters' names. */
    collectGone: (): string[] => {
      for (const operation of all<OperationRecord>('operation')) {
        if (operation.doneAtMs + OPERATIONS_KEPT_MS > now()) continue
        journal.delete(`operation ${operation.location}/${operation.name}`)
      }
      const gone = all<ClusterRecord>('cluster').filter(
        ({ deletion }) => deletion !== undefined && deletion.goneAtMs <= now(),
      )
      for (const cluster of gone) journal.delete(keyOf(cluster))
      return gone.map(({ name }) => name)
    },
    breakNext: (message: string, times = 1): void => {
      breaking = { message, left: times }
    },
  }
}

export function notFound(name: string): GoogleError {
  return new GoogleError('NOT_FOUND', `Not found: ${name}.`)
}

/** The labels of an order that is one. */
function checked(location: string, ordered: Readonly<Record<string, unknown>>): Record<string, string> {
  if (!LOCATION.test(location)) {
    throw new GoogleError('INVALID_ARGUMENT', `Location "${location}" does not exist.`)
  }
  const { name } = ordered
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new GoogleError(
      'INVALID_ARGUMENT',
      'Cluster.name must be at most 40 lower-case letters, digits and hyphens, and begin with a letter.',
    )
  }
  const autopilot = asRecord(ordered['autopilot'])?.['enabled'] === true
  if (!autopilot && ordered['nodePools'] === undefined && ordered['initialNodeCount'] === undefined) {
    throw new GoogleError('INVALID_ARGUMENT', 'Cluster.initial_node_count must be greater than zero.')
  }
  const labels = asRecord(ordered['resourceLabels']) ?? {}
  for (const [key, value] of Object.entries(labels)) {
    if (!/^[a-z]/.test(key) || !LABEL.test(key) || typeof value !== 'string' || !LABEL.test(value)) {
      throw new GoogleError('INVALID_ARGUMENT', `Invalid label ${key}.`)
    }
  }
  return labels as Record<string, string>
}

function lastOperation(operations: readonly OperationRecord[], { location, name }: ClusterRecord): string {
  const own = operations.filter((one) => one.cluster === name && one.location === location)
  return own.at(-1)?.name ?? 'unknown'
}

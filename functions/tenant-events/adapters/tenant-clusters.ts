import { asRecord } from '#shared/json.ts'
import type {
  CloudAnswer,
  CloudCluster,
  ClusterAddress,
  ClusterOrder,
  ClusterState,
  ClustersPort,
} from '../ports/cloud.ts'
import { type GoogleRest, type RestBody, textOf, unlessMissing } from './google-rest.ts'

export type TenantClustersOptions = {
  readonly rest: GoogleRest
  readonly project: string
  /** Whether API servers are reached at their private address, their authority pinned, or by their DNS name. */
  readonly route: 'private' | 'dns'
  /** Of the VPC that the functions' connector leads to; the project's default network unless set. */
  readonly network?: string | undefined
  readonly subnetwork?: string | undefined
  /** The range that may reach the control planes at their private address: the connector's. */
  readonly authorizedRange?: string | undefined
}

const STATES: Readonly<Record<string, ClusterState>> = {
  PROVISIONING: 'provisioning',
  RUNNING: 'running',
  // Upgraded or short of something: the API server is there, and may be away for moments.
  RECONCILING: 'running',
  DEGRADED: 'running',
  STOPPING: 'stopping',
  ERROR: 'error',
}

/** Dedicated clusters through the Container API of GKE (v1, REST). */
export function tenantClusters(options: TenantClustersOptions): ClustersPort {
  const { project, rest } = options
  const below = (location: string): string => `/v1/projects/${project}/locations/${location}`
  return {
    find: async (name, location, signal) => {
      const path = `${below(location)}/clusters/${name}`
      const found = unlessMissing(await rest({ method: 'GET', path, signal }))
      if (!found.ok || found.value === undefined) return found as CloudAnswer<undefined>
      return { ok: true, value: clusterOf(found.value, options.route) }
    },
    create: async (order, signal) => {
      const body = { cluster: clusterBody(order, options) }
      return operationOf(
        await rest({ method: 'POST', path: `${below(order.location)}/clusters`, body, signal }),
      )
    },
    delete: async (name, location, signal) => {
      const path = `${below(location)}/clusters/${name}`
      const deleted = unlessMissing(await rest({ method: 'DELETE', path, signal }))
      if (!deleted.ok || deleted.value !== undefined) return operationOf(deleted as CloudAnswer<RestBody>)
      return { ok: true, value: null }
    },
    operation: async (name, location, signal) => {
      const path = `${below(location)}/operations/${name}`
      const found = unlessMissing(await rest({ method: 'GET', path, signal }))
      if (!found.ok || found.value === undefined) return found as CloudAnswer<undefined>
      const message = textOf(asRecord(found.value['error'])?.['message'])
      const done = found.value['status'] === 'DONE'
      return { ok: true, value: { done, error: message === '' ? null : message } }
    },
  }
}

/**
 * What a dedicated cluster is made as: Autopilot, whose nodes Google keeps hardened and sized, on private
 * nodes, in the fleet (so that GitOps installs the platform's own objects), and never without Workload
 * Identity, which Autopilot has always on.
 */
function clusterBody(order: ClusterOrder, options: TenantClustersOptions): object {
  const { authorizedRange, network, project, route, subnetwork } = options
  return {
    name: order.name,
    description: 'dedicated to one tenant',
    resourceLabels: { 'tenant-id': order.tenantId, 'managed-by': 'tenant-events' },
    autopilot: { enabled: true },
    releaseChannel: { channel: 'REGULAR' },
    fleet: { project },
    ...(network === undefined ? {} : { network }),
    ...(subnetwork === undefined ? {} : { subnetwork }),
    networkConfig: { defaultEnablePrivateNodes: true },
    controlPlaneEndpointsConfig: {
      dnsEndpointConfig: { allowExternalTraffic: route === 'dns' },
      ipEndpointsConfig: {
        enabled: route === 'private',
        enablePublicEndpoint: false,
        ...(authorizedRange === undefined
          ? {}
          : {
              authorizedNetworksConfig: {
                enabled: true,
                cidrBlocks: [{ displayName: 'energent-functions', cidrBlock: authorizedRange }],
              },
            }),
      },
    },
  }
}

function operationOf(answer: CloudAnswer<RestBody>): CloudAnswer<{ operation: string }> {
  if (!answer.ok) return answer
  return { ok: true, value: { operation: textOf(answer.value['name']) } }
}

function clusterOf(body: RestBody, route: 'private' | 'dns'): CloudCluster {
  const status = textOf(body['status'])
  const tenantId = textOf(asRecord(body['resourceLabels'])?.['tenant-id'])
  return {
    name: textOf(body['name']),
    // A state that is not known yet is one in which nothing may be begun.
    state: Object.hasOwn(STATES, status) ? (STATES[status] ?? 'provisioning') : 'provisioning',
    tenantId: tenantId === '' ? null : tenantId,
    address: addressOf(body, route),
  }
}

function addressOf(body: RestBody, route: 'private' | 'dns'): ClusterAddress | null {
  const endpoints = asRecord(body['controlPlaneEndpointsConfig'])
  if (route === 'dns') {
    const name = textOf(asRecord(endpoints?.['dnsEndpointConfig'])?.['endpoint'])
    return name === '' ? null : { url: `https://${name}`, caCertificate: null }
  }
  const host =
    textOf(asRecord(endpoints?.['ipEndpointsConfig'])?.['privateEndpoint']) ||
    textOf(asRecord(body['privateClusterConfig'])?.['privateEndpoint']) ||
    textOf(body['endpoint'])
  const authority = textOf(asRecord(body['masterAuth'])?.['clusterCaCertificate'])
  // An address without the authority to pin is none yet: any certificate would do.
  if (host === '' || authority === '') return null
  return { url: `https://${host}`, caCertificate: Buffer.from(authority, 'base64').toString('utf8') }
}

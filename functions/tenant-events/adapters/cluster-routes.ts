import type { Clock } from '#shared/clock.ts'
import type { TenantId } from '#shared/ids.ts'
import type { AccessTokenSource } from '#shared/metadata-token.ts'
import { tenantClusterName } from '../domain/cloud-names.ts'
import type { CloudPorts, ClusterAddress } from '../ports/cloud.ts'
import type { Cluster, ClusterPlace } from '../ports/cluster.ts'
import { kubernetesCluster } from './kubernetes.ts'
import { type KubernetesTransport, kubernetesTransport } from './kubernetes-transport.ts'

export type ClusterRoutesOptions = {
  readonly shared: { readonly name: string; readonly cluster: Cluster }
  readonly cloud: Pick<CloudPorts, 'clusters' | 'memberships'>
  readonly tokens: AccessTokenSource
  readonly clock: Clock
}

/** Addresses and authorities change, when a cluster's credentials are rotated, but not by the minute. */
const KEPT_MS = 600_000
const MOST_KEPT = 500

/**
 * The ways to all clusters: the shared one by its configured address, dedicated ones by what the
 * Container API says of them, hybrid ones through the Connect gateway.
 *
 * An address is asked for when it is first needed and again after ten minutes, or at once after a call
 * without an answer. A cluster that does not carry the label of the tenant it is named after is never
 * spoken to.
 */
export function clusterRoutes(
  options: ClusterRoutesOptions,
): (name: string, place?: ClusterPlace) => Cluster | undefined {
  const routes = new Map<string, Cluster>()
  const open = (name: string, place: ClusterPlace): Cluster => {
    const known = routes.get(name)
    if (known !== undefined) return known
    const cluster = kubernetesCluster(foundByName(options, name, place), options.tokens)
    const oldest = routes.size >= MOST_KEPT ? routes.keys().next().value : undefined
    if (oldest !== undefined) routes.delete(oldest)
    routes.set(name, cluster)
    return cluster
  }
  return (name, place) => {
    if (name === options.shared.name) return options.shared.cluster
    return place === undefined || place.deploymentModel === 'multi_tenant' ? undefined : open(name, place)
  }
}

function foundByName(options: ClusterRoutesOptions, name: string, place: ClusterPlace): KubernetesTransport {
  let kept: { readonly atMs: number; readonly transport: KubernetesTransport } | undefined
  return async (request) => {
    const nowMs = options.clock.now()
    if (kept === undefined || Math.abs(nowMs - kept.atMs) >= KEPT_MS) {
      const address = await addressOf(options, name, place, request.signal)
      kept = { atMs: nowMs, transport: kubernetesTransport(address) }
    }
    try {
      return await kept.transport(request)
    } catch (error) {
      kept = undefined
      throw error
    }
  }
}

async function addressOf(
  { cloud }: ClusterRoutesOptions,
  name: string,
  place: ClusterPlace,
  signal: AbortSignal,
): Promise<ClusterAddress> {
  const found =
    place.deploymentModel === 'hybrid'
      ? await cloud.memberships.find(name, signal)
      : await cloud.clusters.find(name, place.region, signal)
  if (!found.ok) throw new Error(`${found.failure.code} when looking for the cluster ${name}`)
  const cluster = found.value
  if (cluster === undefined) throw new Error(`there is no cluster ${name}`)
  if (cluster.tenantId === null || tenantClusterName(cluster.tenantId as TenantId) !== name) {
    throw new Error(`the cluster ${name} does not carry the tenant's label`)
  }
  if (cluster.address === null) throw new Error(`the cluster ${name} has no address yet`)
  return cluster.address
}

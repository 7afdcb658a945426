import { type Config, isDemoProject, required } from '#shared/config.ts'
import type { AccessTokenSource } from '#shared/metadata-token.ts'
import { workloadMember } from '../domain/cloud-names.ts'
import type { CloudPorts } from '../ports/cloud.ts'
import { fleetMemberships } from './fleet-memberships.ts'
import { googleRest } from './google-rest.ts'
import { secretCalls } from './secret-client.ts'
import { tenantClusters } from './tenant-clusters.ts'
import { tenantKeys } from './tenant-keys.ts'
import { tenantAccess, tenantSecrets } from './tenant-secrets.ts'

const DAY_SECONDS = 86_400

/** The services of Google Cloud that a tenant's keys, secrets, policies and clusters live in. */
export function cloudPorts(config: Config, tokens: AccessTokenSource): CloudPorts {
  const { GOOGLE_CLOUD_PROJECT: project } = config
  const projectNumber = inDemo(config, 'PROJECT_NUMBER', config.PROJECT_NUMBER, '0')
  const noRing = `projects/${project}/locations/global/keyRings/none`
  const secrets = secretCalls(config.SECRET_MANAGER_EMULATOR_HOST)
  return {
    kms: tenantKeys({
      rest: googleRest(config.KMS_API_URL, tokens),
      keyRing: inDemo(config, 'KMS_KEY_RING', config.KMS_KEY_RING, noRing),
      destroyAfterSeconds: config.KMS_DESTROY_DAYS * DAY_SECONDS,
    }),
    secrets: tenantSecrets(secrets, project),
    iam: tenantAccess(secrets, (tenantId) =>
      workloadMember({ id: project, number: projectNumber }, tenantId),
    ),
    clusters: tenantClusters({
      rest: googleRest(config.CONTAINER_API_URL, tokens),
      project,
      route: config.CLUSTER_ROUTE,
      network: config.CLUSTER_NETWORK,
      subnetwork: config.CLUSTER_SUBNETWORK,
      authorizedRange: config.CLUSTER_AUTHORIZED_RANGE,
    }),
    memberships: fleetMemberships({
      rest: googleRest(config.GKEHUB_API_URL, tokens),
      project,
      projectNumber,
      gatewayUrl: config.CONNECT_GATEWAY_URL,
    }),
  }
}

/** A demo project may leave out what only the real services need. */
function inDemo(
  config: Config,
  name: 'PROJECT_NUMBER' | 'KMS_KEY_RING',
  value: string | undefined,
  fallback: string,
): string {
  if (value === undefined && isDemoProject(config.GOOGLE_CLOUD_PROJECT)) return fallback
  return required(name, value)
}

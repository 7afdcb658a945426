import { startContainer } from '#local/container/index.ts'
import { startFleet } from '#local/fleet/index.ts'
import { startClusterIssuer } from '#local/issuers/cluster.ts'
import { startGoogleIssuer } from '#local/issuers/google.ts'
import { startKms } from '#local/kms/index.ts'
import { startKubernetes } from '#local/kubernetes/index.ts'
import { startStorage } from '#local/storage/index.ts'
import { startStripe } from '#local/stripe/index.ts'
import type { Accounts } from './accounts.ts'
import { type DataDir, opening } from './data-dir.ts'
import type { Ports } from './ports.ts'

/** The name of the cluster that multi-tenant tenants are placed on, and of its token issuer. */
const CLUSTER = 'energent-shared'

/** The number of the project, which its workload identity pool is named by. */
export const PROJECT_NUMBER = '100000000001'

/** Where exports go. */
export const EXPORTS_BUCKET = 'energent-exports'

/** What stands in for everything outside: Google's token issuer, a cluster, Stripe, object storage. */
export async function startStandIns(options: {
  readonly project: string
  readonly ports: Ports
  readonly data: DataDir
  readonly accounts: Accounts
  readonly now: () => number
  readonly keep: <T extends { close(): Promise<unknown> }>(part: T) => T
}) {
  const { accounts, data, keep, now, ports, project } = options
  const google = keep(
    await opening(data.file('google-issuer.json'), () =>
      startGoogleIssuer({
        port: ports.googleIssuer,
        file: data.file('google-issuer.json'),
        now,
        // The very name Google signs with, so that the functions' setting is the one of production.
        issuer: 'https://accounts.google.com',
        defaultAccount: accounts.runtime('tenant-events'),
      }),
    ),
  )
  const cluster = keep(
    await opening(data.file('cluster-issuer.json'), () =>
      startClusterIssuer({
        port: ports.clusterIssuer,
        file: data.file('cluster-issuer.json'),
        now,
        clusterName: `${project}/us-central1/${CLUSTER}`,
      }),
    ),
  )
  const apiServer = {
    now,
    provisioner: accounts.runtime('tenant-events'),
    authenticate: (token: string) => {
      const name = google.introspectAccessToken(token)
      return name === undefined ? undefined : { user: name, groups: ['system:authenticated'] }
    },
  }
  const kubernetes = keep(
    await opening(data.file('kubernetes.jsonl'), () =>
      startKubernetes({
        port: ports.kubernetes,
        file: data.file('kubernetes.jsonl'),
        ...apiServer,
      }),
    ),
  )
  const stripe = keep(
    await opening(data.file('stripe.jsonl'), () =>
      startStripe({
        port: ports.stripe,
        file: data.file('stripe.jsonl'),
        now,
        apiKey: 'sk_test_local',
        webhookSecret: 'whsec_local',
      }),
    ),
  )
  const storage = keep(
    await startStorage({ port: ports.storage, folder: data.file('storage'), now, bucket: EXPORTS_BUCKET }),
  )
  const kms = keep(
    await opening(data.file('kms.jsonl'), () =>
      startKms({
        port: ports.kms,
        file: data.file('kms.jsonl'),
        now,
        keyRing: `projects/${project}/locations/us-central1/keyRings/energent-tenants`,
        authenticate: google.introspectAccessToken,
      }),
    ),
  )
  const { introspectAccessToken: authenticate } = google
  const container = keep(
    await opening(data.file('container.jsonl'), () =>
      startContainer({
        port: ports.container,
        file: data.file('container.jsonl'),
        now,
        project,
        authenticate,
        servers: { ...apiServer, folder: data.file('clusters') },
      }),
    ),
  )
  const fleet = keep(
    await opening(data.file('fleet.jsonl'), () =>
      startFleet({
        port: ports.fleet,
        gatewayPort: ports.connectGateway,
        file: data.file('fleet.jsonl'),
        now,
        project,
        projectNumber: PROJECT_NUMBER,
        authenticate,
        servers: { ...apiServer, folder: data.file('members') },
      }),
    ),
  )
  return { google, cluster, kubernetes, stripe, storage, kms, container, fleet }
}

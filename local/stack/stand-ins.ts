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
  const kubernetes = keep(
    await opening(data.file('kubernetes.jsonl'), () =>
      startKubernetes({
        port: ports.kubernetes,
        file: data.file('kubernetes.jsonl'),
        now,
        provisioner: accounts.runtime('tenant-events'),
        authenticate: (token) => {
          const name = google.introspectAccessToken(token)
          return name === undefined ? undefined : { user: name, groups: ['system:authenticated'] }
        },
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
  return { google, cluster, kubernetes, stripe, storage, kms }
}

import { FUNCTIONS, type FunctionId } from '#shared/catalogue.ts'
import { type Accounts, functionUri } from './accounts.ts'
import type { Engines } from './engines.ts'
import type { StackOptions } from './options.ts'
import { EXPORTS_BUCKET, PROJECT_NUMBER } from './stand-ins.ts'

export type EnvParts = {
  readonly stack: StackOptions
  readonly accounts: Accounts
  readonly engines: Engines
  readonly publicBaseUrl: string
  readonly clockFile: string
  readonly dnsFile: string
  readonly callerIssuer: string
  readonly callerJwksUri: string
  readonly metadataHost: string
  readonly kubernetesUrl: string
  readonly kms: { readonly url: string; readonly keyRing: string }
  readonly storage: { readonly url: string }
  readonly container: { readonly url: string }
  readonly fleet: { readonly url: string; readonly gateway: { readonly url: string } }
  /** Of the cluster that tenants are placed on. */
  readonly clusterIssuer: string
  readonly outboundAllow: readonly string[]
}

/** What Terraform sets in the cloud, with the stack's addresses: nothing of the user's own environment. */
export function functionEnv(parts: EnvParts, id: FunctionId): Record<string, string> {
  const { project } = parts.stack
  const account =
    FUNCTIONS[id].trigger === 'push'
      ? { PUSH_ACCOUNT: parts.accounts.push(id) }
      : { GATEWAY_ACCOUNT: parts.accounts.gateway, SCHEDULER_ACCOUNT: parts.accounts.scheduler }
  return {
    PATH: process.env['PATH'] ?? '',
    ...(process.env['NODE_COMPILE_CACHE'] === undefined
      ? {}
      : { NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] }),
    METADATA_SERVER_DETECTION: 'none',
    GOOGLE_CLOUD_PROJECT: project,
    FUNCTION_URI: functionUri(project, id),
    PUBLIC_BASE_URL: parts.publicBaseUrl,
    // Pages of the stack itself, under either of its names; in the cloud it is the console's origin.
    CORS_ORIGINS: [parts.publicBaseUrl, parts.publicBaseUrl.replace('127.0.0.1', 'localhost')].join(','),
    CALLER_CHECK: parts.stack.callerCheck,
    // Without the fronts of Cloud Run the gateway is the only proxy there is.
    PROXY_HOPS: parts.stack.callerCheck === 'platform' ? '1' : '0',
    CALLER_ISSUER: parts.callerIssuer,
    CALLER_JWKS_URI: parts.callerJwksUri,
    ...account,
    CLUSTER_ISSUERS: `energent-shared=${parts.clusterIssuer}`,
    CLOCK_FILE: parts.clockFile,
    DNS_FILE: parts.dnsFile,
    OUTBOUND_ALLOW: parts.outboundAllow.join(','),
    FIRESTORE_EMULATOR_HOST: parts.engines.firestoreHost,
    PUBSUB_EMULATOR_HOST: parts.engines.pubsubHost,
    SECRET_MANAGER_EMULATOR_HOST: parts.engines.secretsHost,
    GCE_METADATA_HOST: parts.metadataHost,
    KUBERNETES_API_URL: parts.kubernetesUrl,
    KMS_API_URL: parts.kms.url,
    KMS_KEY_RING: parts.kms.keyRing,
    // The shortest that Cloud KMS takes: nobody wants to wait a month for a purge on a laptop.
    KMS_DESTROY_DAYS: '1',
    PROJECT_NUMBER,
    CONTAINER_API_URL: parts.container.url,
    GKEHUB_API_URL: parts.fleet.url,
    CONNECT_GATEWAY_URL: parts.fleet.gateway.url,
    STORAGE_API_URL: parts.storage.url,
    STORAGE_BUCKET: EXPORTS_BUCKET,
  }
}

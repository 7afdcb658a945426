import {
  bucketName,
  clusterIssuers,
  destroyDays,
  email,
  ipRange,
  key32,
  keyRing,
  nonEmpty,
  oneOf,
  origins,
  projectId,
  projectNumber,
  taxRates,
  url,
  wholeNumber,
} from './setting-readers.ts'

/**
 * Every setting there is: how it is read, its default, and what it means.
 *
 * `demo` settings are refused outside projects whose id starts with `demo-`, which Google never
 * gives to a real project: they would open a door in production.
 */
export const SETTINGS = {
  GOOGLE_CLOUD_PROJECT: setting(projectId, 'The Google Cloud project.'),
  FUNCTION_TARGET: setting(nonEmpty, 'The entry point to run; set by the platform.'),
  FUNCTION_URI: setting(url, "This function's own URI: the audience callers' ID tokens must name."),
  PUBLIC_BASE_URL: setting(url, 'Issuer and default audience of our tokens, base of every public link.'),
  CALLER_CHECK: optional(
    oneOf('platform', 'jwks', 'direct'),
    'platform',
    'How the immediate caller is proven: Cloud Run did it, we do it against CALLER_JWKS_URI, or nobody.',
  ),
  CALLER_ISSUER: optional(
    nonEmpty,
    'https://accounts.google.com',
    "Google: the issuer of callers' ID tokens, and of those that bound service accounts exchange.",
  ),
  CALLER_JWKS_URI: optional(
    url,
    'https://www.googleapis.com/oauth2/v3/certs',
    'Keys of CALLER_ISSUER; for callers, used with CALLER_CHECK=jwks.',
  ),
  GATEWAY_ACCOUNT: optional(email, '', 'Service account of API Gateway; required by HTTP functions.'),
  SCHEDULER_ACCOUNT: optional(email, '', 'Service account of Cloud Scheduler; required by HTTP functions.'),
  PUSH_ACCOUNT: optional(
    email,
    '',
    'Service account of the push subscriptions; required by event functions.',
  ),
  PROXY_HOPS: optional(
    wholeNumber,
    '1',
    'Proxies between the one that saw the client and us: 1 behind API Gateway and Cloud Run.',
  ),
  JWKS_URI: optional(
    url,
    '',
    'Where our own public keys are; PUBLIC_BASE_URL + /.well-known/jwks.json unless set.',
  ),
  CORS_ORIGINS: optional(
    origins,
    '',
    'Origins of pages that may call the API, comma-separated, such as https://console.energent.ai; none unless set.',
  ),
  PAGE_TOKEN_KEY: optional(
    key32,
    '',
    'Key of page tokens: 32 bytes in base64url, the same in all instances; required by tenants-api outside demo projects.',
  ),
  FIRESTORE_DATABASE: optional(nonEmpty, '(default)', 'The Firestore database.'),
  CLUSTER_ISSUERS: optional(
    clusterIssuers,
    '',
    'Clusters whose workloads may exchange their tokens, comma-separated: name=issuer, such as energent-shared=https://container.googleapis.com/v1/projects/P/locations/L/clusters/energent-shared; keys are at issuer + /jwks. None unless set.',
  ),
  DEDICATED_CLUSTER_ISSUERS: optional(
    url,
    '',
    'How the token issuers of dedicated clusters begin, such as https://container.googleapis.com/v1/projects/P/locations; LOCATION/clusters/NAME follows, keys are at issuer + /jwks. Without it their workloads exchange no tokens.',
  ),
  DEFAULT_CLUSTER: optional(nonEmpty, 'energent-shared', 'Cluster that multi-tenant tenants are placed on.'),
  KUBERNETES_API_URL: optional(url, '', 'Kubernetes API of the shared cluster; required by tenant-events.'),
  KUBERNETES_CA_FILE: optional(
    nonEmpty,
    '',
    'PEM file with the cluster authority to pin; the system roots unless set.',
  ),
  CONTAINER_API_URL: optional(
    url,
    'https://container.googleapis.com',
    'Container API of GKE, which makes the clusters of dedicated tenants.',
  ),
  CLUSTER_ROUTE: optional(
    oneOf('private', 'dns'),
    'private',
    'How API servers of dedicated clusters are reached: at their private address with the authority of the cluster pinned, or by their DNS endpoint.',
  ),
  CLUSTER_NETWORK: optional(
    nonEmpty,
    '',
    'VPC network of dedicated clusters: the one that the connector of the functions leads to.',
  ),
  CLUSTER_SUBNETWORK: optional(nonEmpty, '', 'Subnetwork of dedicated clusters.'),
  CLUSTER_AUTHORIZED_RANGE: optional(
    ipRange,
    '',
    'Range that may reach the control planes of dedicated clusters, such as 10.8.0.0/28: that of the connector.',
  ),
  GKEHUB_API_URL: optional(
    url,
    'https://gkehub.googleapis.com',
    'Fleet API, where the clusters of hybrid tenants are registered.',
  ),
  CONNECT_GATEWAY_URL: optional(
    url,
    'https://connectgateway.googleapis.com',
    'Connect gateway, the way to the API servers of hybrid tenants.',
  ),
  PROJECT_NUMBER: optional(
    projectNumber,
    '',
    'Number of the project: members of its workload identity pool are named by it; required by tenant-events outside demo projects.',
  ),
  GCE_METADATA_HOST: optional(
    nonEmpty,
    'metadata.google.internal',
    "host[:port] of the metadata server: where access tokens of the function's account come from.",
  ),
  KMS_KEY_RING: optional(
    keyRing,
    '',
    "Key ring of the tenants' keys, projects/…/locations/…/keyRings/…; required by auth and tenant-events outside demo projects.",
  ),
  KMS_DESTROY_DAYS: optional(
    destroyDays,
    '30',
    "Days between the order to destroy a tenant's key and its end, 1 to 120; a key keeps what it was made with.",
  ),
  KMS_API_URL: optional(url, 'https://cloudkms.googleapis.com', 'Cloud KMS.'),
  STORAGE_BUCKET: optional(bucketName, '', 'Bucket that exports are written to; without one there are none.'),
  STORAGE_API_URL: optional(url, 'https://storage.googleapis.com', 'Cloud Storage, its JSON API.'),
  TAX_RATES: optional(
    taxRates,
    '',
    'Local tax rates, comma-separated: id=category:percent, such as vat=standard:19. None unless set.',
  ),
  CLOCK_FILE: demo(nonEmpty, 'File with the offset of the test clock.'),
  OUTBOUND_ALLOW: demo(nonEmpty, 'host:port list that outbound calls may reach although it is private.'),
  DNS_FILE: demo(nonEmpty, 'JSON file with TXT records by name, in place of DNS for proofs of domains.'),
  FIRESTORE_EMULATOR_HOST: demo(nonEmpty, 'host:port of a local Firestore.'),
  PUBSUB_EMULATOR_HOST: demo(nonEmpty, 'host:port of a local Pub/Sub.'),
  SECRET_MANAGER_EMULATOR_HOST: demo(nonEmpty, 'host:port of a local Secret Manager.'),
} as const satisfies Record<string, Setting<unknown>>

export type SettingName = keyof typeof SETTINGS

/** All settings, read once at start. */
export type Config = { readonly [Name in SettingName]: ReturnType<(typeof SETTINGS)[Name]['read']> }

export type Setting<T> = {
  readonly read: (text: string) => T
  readonly fallback: string | undefined
  readonly demoOnly: boolean
  readonly meaning: string
}

/** The configuration is wrong; the message names every setting that is, and what it should be. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** Whether the project is one that Google never gives out, so that test doors may open. */
export function isDemoProject(project: string): boolean {
  return project.startsWith('demo-')
}

/** Reads all settings, or throws one `ConfigError` that lists everything wrong. */
export function readConfig(given: Readonly<Record<string, string | undefined>>): Config {
  const env = given['CALLER_CHECK'] === 'direct' ? { ...DIRECT_DEFAULTS, ...given } : given
  const faults: string[] = []
  const demoProject = isDemoProject(env['GOOGLE_CLOUD_PROJECT'] ?? '')
  const values = Object.entries(SETTINGS).map(([name, entry]: [string, Setting<unknown>]) => {
    const text = env[name] === undefined || env[name] === '' ? entry.fallback : env[name]
    if (text === undefined) {
      if (!entry.demoOnly) faults.push(`${name} is missing: ${entry.meaning}`)
      return [name, undefined]
    }
    if (text === '') return [name, undefined]
    if (entry.demoOnly && !demoProject) {
      faults.push(`${name} is only accepted when the project id starts with demo-`)
      return [name, undefined]
    }
    try {
      const value = entry.read(text)
      const links = entry.read === url || entry.read === clusterIssuers
      if (links && /(?:^|=)http:/i.test(text) && !demoProject) {
        throw new Error('must be an https URL: keys and tokens travel there')
      }
      return [name, value]
    } catch (error) {
      faults.push(`${name} ${error instanceof Error ? error.message : 'is not valid'}`)
      return [name, undefined]
    }
  })
  const config = Object.fromEntries(values) as Config
  if (config.CALLER_CHECK === 'direct' && !demoProject) {
    faults.push('CALLER_CHECK=direct is only accepted when the project id starts with demo-')
  }
  if (faults.length > 0) throw new ConfigError(`Configuration is not usable:\n  ${faults.join('\n  ')}`)
  return config
}

/** So that a bundle runs under functions-framework by hand, with nothing set but `CALLER_CHECK=direct`. */
const DIRECT_DEFAULTS = {
  GOOGLE_CLOUD_PROJECT: 'demo-energent',
  FUNCTION_TARGET: 'function',
  FUNCTION_URI: 'http://127.0.0.1:8080',
  PUBLIC_BASE_URL: 'http://127.0.0.1:8080',
}

/** A setting that this function cannot do without although others can. */
export function required<T>(name: SettingName, value: T | undefined): T {
  if (value === undefined) throw new ConfigError(`${name} is missing: ${SETTINGS[name].meaning}`)
  return value
}

function setting<T>(read: (text: string) => T, meaning: string): Setting<T> {
  return { read, fallback: undefined, demoOnly: false, meaning }
}

function optional<T, F extends string>(
  read: (text: string) => T,
  fallback: F,
  meaning: string,
): Setting<F extends '' ? T | undefined : T> {
  return { read: read as never, fallback, demoOnly: false, meaning }
}

function demo<T>(read: (text: string) => T, meaning: string): Setting<T | undefined> {
  return { read, fallback: undefined, demoOnly: true, meaning }
}

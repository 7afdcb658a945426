import { createHash, randomUUID } from 'node:crypto'
import type { JWK } from 'jose'
import { json, serveLoopback } from '../loopback.ts'
import { openSigningKey } from './signing-key.ts'

type ServiceAccountTokenRequest = {
  readonly namespace: string
  readonly serviceAccount: string
  readonly audience: string | readonly string[]
  /** Seconds, one hour unless told. Kubernetes grants no less than ten minutes; tests may ask for less. */
  readonly ttlSeconds?: number
  readonly pod?: string | { readonly name: string; readonly uid?: string }
  /** The account's uid; derived from namespace and name unless told, so that it is stable. */
  readonly serviceAccountUid?: string
}

type ClusterIssuer = {
  readonly issuer: string
  readonly jwksUri: string
  readonly url: string
  mintServiceAccountToken(request: ServiceAccountTokenRequest): Promise<string>
  jwks(): { readonly keys: JWK[] }
  /** Signs with a new key from now on, as GKE does; the old one is no longer published. Not kept over a restart. */
  rotateKey(): Promise<void>
  close(): Promise<void>
}

type ClusterIssuerOptions = {
  readonly port?: number
  /** Where the signing key is kept. */
  readonly file?: string
  readonly now: () => number
  /** `project/location/cluster`, or a bare name that gets a demo project and location. */
  readonly clusterName: string
}

/**
 * The stand-in for a GKE cluster's own token issuer.
 *
 * GKE's issuer is `https://container.googleapis.com/v1/projects/P/locations/L/clusters/C` and serves
 * discovery and keys below that path; here the same path hangs below a loopback origin.
 */
export async function startClusterIssuer(options: ClusterIssuerOptions): Promise<ClusterIssuer> {
  let key = await openSigningKey(options.file)
  const path = clusterPath(options.clusterName)
  let issuer = ''
  const server = await serveLoopback(options.port ?? 0, async (call) => {
    if (call.url.pathname === `${path}/.well-known/openid-configuration`) return json(200, discovery(issuer))
    if (call.url.pathname === `${path}/jwks`)
      return json(200, key.jwks, { 'cache-control': 'public, max-age=3600' })
    if (call.url.pathname === '/openid/v1/jwks') return json(200, key.jwks)
    return json(404, { error: { code: 404, message: 'Not Found', status: 'NOT_FOUND' } })
  })
  issuer = `${server.url}${path}`
  return {
    issuer,
    jwksUri: `${issuer}/jwks`,
    url: server.url,
    mintServiceAccountToken: (request) => key.sign(claims(issuer, request, options.now())),
    jwks: () => key.jwks,
    rotateKey: async () => {
      key = await openSigningKey()
    },
    close: server.close,
  }
}

function clusterPath(clusterName: string): string {
  const [project = '', location, cluster] = clusterName.split('/')
  const parts =
    cluster === undefined || location === undefined
      ? ['demo-energent', 'us-central1', project]
      : [project, location, cluster]
  return `/v1/projects/${parts[0]}/locations/${parts[1]}/clusters/${parts[2]}`
}

function discovery(issuer: string) {
  return {
    issuer,
    jwks_uri: `${issuer}/jwks`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    claims_supported: ['iss', 'sub', 'kubernetes.io'],
    grant_types: ['urn:kubernetes:grant_type:programmatic_authorization'],
  }
}

/** The claims of a projected (bound) service-account token, Kubernetes 1.30. */
function claims(issuer: string, request: ServiceAccountTokenRequest, nowMs: number) {
  const { namespace, serviceAccount } = request
  const issuedAt = Math.floor(nowMs / 1000)
  const pod = typeof request.pod === 'string' ? { name: request.pod } : request.pod
  return {
    iss: issuer,
    sub: `system:serviceaccount:${namespace}:${serviceAccount}`,
    aud: typeof request.audience === 'string' ? [request.audience] : [...request.audience],
    iat: issuedAt,
    nbf: issuedAt,
    exp: issuedAt + (request.ttlSeconds ?? 3600),
    jti: randomUUID(),
    'kubernetes.io': {
      namespace,
      serviceaccount: {
        name: serviceAccount,
        uid: request.serviceAccountUid ?? stableUid(`sa/${namespace}/${serviceAccount}`),
      },
      ...(pod === undefined
        ? {}
        : { pod: { name: pod.name, uid: pod.uid ?? stableUid(`pod/${namespace}/${pod.name}`) } }),
    },
  }
}

function stableUid(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

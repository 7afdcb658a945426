import { createHash, createHmac } from 'node:crypto'
import type { JWK } from 'jose'
import { type Answer, type Call, json, serveLoopback } from '../loopback.ts'
import { openSigningKey, type SigningKey } from './signing-key.ts'

/** What Google's ID tokens live: one hour, and never longer. */
const ID_TOKEN_SECONDS = 3600
const ACCESS_TOKEN_SECONDS = 3600

type GoogleIdTokenRequest = {
  readonly email: string
  readonly audience: string
  /** Seconds; at most Google's own hour. A negative value mints a token that has expired already. */
  readonly ttlSeconds?: number
}

export type GoogleIssuer = {
  readonly issuer: string
  readonly jwksUri: string
  readonly url: string
  /** Base of the metadata server's paths, for `GCE_METADATA_HOST`: host and port without a scheme. */
  readonly metadataHost: string
  mintIdToken(request: GoogleIdTokenRequest): Promise<string>
  mintAccessToken(email: string): string
  /** The account an access token belongs to, or nothing if it is foreign, forged or expired. */
  introspectAccessToken(token: string): string | undefined
  jwks(): { readonly keys: JWK[] }
  close(): Promise<void>
}

type GoogleIssuerOptions = {
  readonly port?: number
  /** Where the signing key is kept. */
  readonly file?: string
  readonly now: () => number
  /** What the `iss` claim says; the issuer's own address unless told. */
  readonly issuer?: string
  /** Whom the metadata server answers as when the path says `default`. */
  readonly defaultAccount?: string
}

/** The stand-in for accounts.google.com and for the metadata server of a function's instance. */
export async function startGoogleIssuer(options: GoogleIssuerOptions): Promise<GoogleIssuer> {
  const key = await openSigningKey(options.file)
  const defaultAccount = options.defaultAccount ?? 'default@demo-energent.iam.gserviceaccount.com'
  let origin = ''
  const issuerName = (): string => options.issuer ?? origin
  const mintIdToken = (request: GoogleIdTokenRequest): Promise<string> =>
    key.sign(idTokenClaims(issuerName(), request, options.now()))
  const access = accessTokens(key, options.now)

  const server = await serveLoopback(options.port ?? 0, async (call) => {
    const path = call.url.pathname
    if (path.startsWith('/computeMetadata/'))
      return metadata(call, { defaultAccount, mintIdToken, mint: access.mint })
    if (path === '/.well-known/openid-configuration') return json(200, discovery(issuerName(), origin))
    if (path === '/oauth2/v3/certs') return json(200, key.jwks, { 'cache-control': 'public, max-age=20000' })
    return json(404, { error: 'not_found' })
  })
  origin = server.url
  return {
    issuer: issuerName(),
    jwksUri: `${origin}/oauth2/v3/certs`,
    url: origin,
    metadataHost: `127.0.0.1:${server.port}`,
    mintIdToken,
    mintAccessToken: access.mint,
    introspectAccessToken: access.introspect,
    jwks: () => key.jwks,
    close: server.close,
  }
}

function idTokenClaims(issuer: string, request: GoogleIdTokenRequest, nowMs: number) {
  const issuedAt = Math.floor(nowMs / 1000)
  const ttlSeconds = Math.min(request.ttlSeconds ?? ID_TOKEN_SECONDS, ID_TOKEN_SECONDS)
  const subject = subjectOf(request.email)
  return {
    iss: issuer,
    aud: request.audience,
    azp: subject,
    sub: subject,
    email: request.email,
    email_verified: true,
    iat: ttlSeconds < 0 ? issuedAt + ttlSeconds - ID_TOKEN_SECONDS : issuedAt,
    exp: issuedAt + ttlSeconds,
  }
}

/** Google's subjects are numbers of 21 digits that never change for an account. */
function subjectOf(email: string): string {
  const digest = createHash('sha256').update(email).digest().readBigUInt64BE()
  return `1${(digest % 10n ** 20n).toString().padStart(20, '0')}`
}

/**
 * Opaque to everyone but this issuer: payload and a MAC under a secret derived from the signing key,
 * so that access tokens too outlive a restart.
 */
function accessTokens(key: SigningKey, now: () => number) {
  const secret = createHash('sha256')
    .update(`access ${JSON.stringify(key.jwks.keys[0])}`)
    .digest()
  const mac = (payload: string): string => createHmac('sha256', secret).update(payload).digest('base64url')
  return {
    mint: (email: string): string => {
      const expires = Math.floor(now() / 1000) + ACCESS_TOKEN_SECONDS
      const payload = Buffer.from(JSON.stringify([email, expires])).toString('base64url')
      return `ya29.${payload}.${mac(payload)}`
    },
    introspect: (token: string): string | undefined => {
      const [prefix, payload, signature, more] = token.split('.')
      if (prefix !== 'ya29' || payload === undefined || more !== undefined) return undefined
      if (signature !== mac(payload)) return undefined
      const [email, expires] = JSON.parse(Buffer.from(payload, 'base64url').toString()) as [string, number]
      return expires * 1000 > now() ? email : undefined
    },
  }
}

function discovery(issuer: string, origin: string) {
  return {
    issuer,
    authorization_endpoint: `${origin}/o/oauth2/v2/auth`,
    token_endpoint: `${origin}/token`,
    jwks_uri: `${origin}/oauth2/v3/certs`,
    response_types_supported: ['code', 'id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    scopes_supported: ['openid', 'email', 'profile'],
    claims_supported: ['aud', 'azp', 'email', 'email_verified', 'exp', 'iat', 'iss', 'sub'],
  }
}

type MetadataDeps = {
  readonly defaultAccount: string
  readonly mintIdToken: (request: GoogleIdTokenRequest) => Promise<string>
  readonly mint: (email: string) => string
}

/** The part of the metadata server that Google's client libraries ask; it insists on the header, as Google's does. */
async function metadata(call: Call, deps: MetadataDeps): Promise<Answer> {
  const flavor = { 'metadata-flavor': 'Google', server: 'Metadata Server for VM' }
  const text = (status: number, body: string): Answer => ({
    status,
    headers: { 'content-type': 'application/text', ...flavor },
    body,
  })
  if (call.headers['metadata-flavor'] !== 'Google')
    return text(403, 'Missing required header: Metadata-Flavor: Google')
  const path = call.url.pathname.replace(/^\/computeMetadata\/v1/, '')
  if (path === '/instance' || path === '/instance/' || path === '' || path === '/')
    return text(200, 'service-accounts/')
  if (path === '/project/project-id') return text(200, 'demo-energent')
  const [, account = '', leaf = ''] = /^\/instance\/service-accounts\/([^/]+)\/([a-z]+)$/.exec(path) ?? []
  const email = account === 'default' ? deps.defaultAccount : decodeURIComponent(account)
  if (leaf === 'email') return text(200, email)
  if (leaf === 'token') {
    const token = { access_token: deps.mint(email), expires_in: ACCESS_TOKEN_SECONDS, token_type: 'Bearer' }
    return json(200, token, flavor)
  }
  if (leaf !== 'identity') return text(404, 'Not Found')
  const audience = call.url.searchParams.get('audience')
  if (audience === null || audience === '') return text(400, 'non-empty audience parameter required')
  return text(200, await deps.mintIdToken({ email, audience }))
}

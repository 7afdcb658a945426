import type { Configuration, CustomFetch } from 'openid-client'
import { z } from 'zod'
import { systemClock } from '#shared/clock.ts'
import { parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { splitForeignJwt } from '#shared/tokens/foreign-jwt.ts'
import { type Connection, ID_TOKEN_ALGS, type IdpMetadata } from '../domain/connection.ts'
import type { IdTokenClaims } from '../domain/idp-identity.ts'
import { type GuardedFetch, GuardRefused } from '../ports/outbound.ts'
import type { CallbackParameters, IdentityProviders, IdpAnswer } from '../ports/sign-on.ts'
import { asFetch } from './guarded-fetch.ts'

type Library = typeof import('openid-client')

const MOST_BYTES = 64 * 1024
/** The guard's own limit is shorter: this one only keeps the library from waiting for nothing. */
const LIMIT_SECONDS = 5
const SKEW_SECONDS = 30

/** An endpoint that a browser or we may call: no script, no credentials in it, nothing behind a `#`. */
const endpoint = z
  .string()
  .max(2048)
  .refine((text) => /^https?:\/\/[^\s#@]+$/.test(text) && URL.canParse(text), 'not an address')

const parseMetadata = parser(
  z.object({
    issuer: z.string(),
    authorization_endpoint: endpoint,
    token_endpoint: endpoint,
    jwks_uri: endpoint,
    userinfo_endpoint: endpoint.optional(),
    response_types_supported: z.array(z.string()).optional(),
    id_token_signing_alg_values_supported: z.array(z.string()).max(100).default(['RS256']),
    token_endpoint_auth_methods_supported: z.array(z.string()).max(100).default(['client_secret_basic']),
    authorization_response_iss_parameter_supported: z.boolean().default(false),
  }),
  'issuer.invalid',
)

/**
 * Tenants' identity providers, through openid-client, which is loaded when somebody first signs in.
 *
 * Each answer is checked with a configuration of its own and keys that were read for it: a key that the
 * provider has just begun to use is known, and one it took back is not.
 */
export function identityProviders(deps: { readonly fetch: GuardedFetch }): IdentityProviders {
  let library: Promise<Library> | undefined
  const load = (): Promise<Library> => {
    library ??= import('openid-client')
    return library
  }
  return {
    discover: async (issuer, nowMs) => discover(await load(), deps.fetch, issuer, nowMs),
    redeem: async (request) => redeem(await load(), deps.fetch, request),
  }
}

const UNREADABLE = 'The discovery document of this issuer cannot be read.'

async function discover(
  library: Library,
  fetch: GuardedFetch,
  issuer: string,
  nowMs: number,
): Promise<Result<IdpMetadata>> {
  const url = /^https?:\/\/[^\s?#@\\]+$/.test(issuer) ? URL.parse(issuer) : null
  if (url === null)
    return refuse('issuer.invalid', 'not an issuer', 'The issuer is an https URL without a query.')
  let document: unknown
  try {
    const execute = url.protocol === 'http:' ? [library.allowInsecureRequests] : []
    const options = { [library.customFetch]: fetchOf(documents(fetch)), execute, timeout: LIMIT_SECONDS }
    document = (await library.discovery(url, 'unused', undefined, library.None(), options)).serverMetadata()
  } catch (error) {
    return refuse('issuer.invalid', `discovery: ${reasonOf(error)}`, UNREADABLE)
  }
  const parsed = parseMetadata(document)
  if (!parsed.ok)
    return refuse('issuer.invalid', parsed.detail, 'The discovery document lacks what is needed.')
  const found = parsed.value
  // The library is lenient with a slash at the end and with some vendors' placeholders.
  if (found.issuer !== issuer) {
    const hint = 'The discovery document names another issuer; mind the slash at the end.'
    return refuse('issuer.invalid', 'another issuer', hint)
  }
  if (url.protocol === 'https:' && !endpointsOf(found).every((address) => address.startsWith('https:'))) {
    return refuse('issuer.invalid', 'an endpoint without TLS', 'Every endpoint must be https.')
  }
  if (found.response_types_supported?.includes('code') === false) {
    return refuse('issuer.invalid', 'no code', 'The provider does not offer the authorization code flow.')
  }
  return ok({
    issuer,
    authorizationEndpoint: found.authorization_endpoint,
    tokenEndpoint: found.token_endpoint,
    jwksUri: found.jwks_uri,
    userinfoEndpoint: found.userinfo_endpoint ?? null,
    signingAlgs: ID_TOKEN_ALGS.filter((alg) => found.id_token_signing_alg_values_supported.includes(alg)),
    tokenAuthMethods: found.token_endpoint_auth_methods_supported,
    answersNameIssuer: found.authorization_response_iss_parameter_supported,
    readAt: nowMs,
  })
}

function endpointsOf(found: {
  authorization_endpoint: string
  token_endpoint: string
  jwks_uri: string
  userinfo_endpoint?: string | undefined
}): string[] {
  const { authorization_endpoint, token_endpoint, jwks_uri, userinfo_endpoint = token_endpoint } = found
  return [authorization_endpoint, token_endpoint, jwks_uri, userinfo_endpoint]
}

type Redemption = Parameters<IdentityProviders['redeem']>[0]

async function redeem(library: Library, fetch: GuardedFetch, request: Redemption): Promise<IdpAnswer> {
  const { connection, parameters, verifier, nonce, maxAge } = request
  const down = { seen: false }
  const configuration = configure(library, watched(fetch, down), request)
  try {
    const tokens = await library.authorizationCodeGrant(
      configuration,
      answerUrl(request.callbackUri, parameters),
      {
        pkceCodeVerifier: verifier,
        expectedState: parameters.state,
        expectedNonce: nonce,
        idTokenExpected: true,
        ...(maxAge === null ? {} : { maxAge }),
      },
    )
    const token = splitForeignJwt(tokens.id_token ?? '')
    if (!token.ok) return { kind: 'untrusted', detail: `id_token: ${token.detail}` }
    const claims = token.value.payload
    return {
      kind: 'signed-in',
      claims: await completed(library, configuration, connection, claims, tokens.access_token),
    }
  } catch (error) {
    return answerOf(library, error, down.seen)
  }
}

function configure(library: Library, fetch: GuardedFetch, request: Redemption): Configuration {
  const { connection, clientSecret, nowMs } = request
  const { metadata } = connection
  const configuration = new library.Configuration(
    {
      issuer: connection.issuer,
      authorization_endpoint: metadata.authorizationEndpoint,
      token_endpoint: metadata.tokenEndpoint,
      jwks_uri: metadata.jwksUri,
      ...(metadata.userinfoEndpoint === null ? {} : { userinfo_endpoint: metadata.userinfoEndpoint }),
      id_token_signing_alg_values_supported: [...connection.algs],
      authorization_response_iss_parameter_supported: metadata.answersNameIssuer,
    },
    connection.clientId,
    {
      // The library reads the machine's clock; ours may be a test's.
      [library.clockSkew]: Math.round((nowMs - systemClock.now()) / 1000),
      [library.clockTolerance]: SKEW_SECONDS,
    },
    authenticationOf(library, metadata, clientSecret),
  )
  configuration[library.customFetch] = fetchOf(fetch)
  configuration.timeout = LIMIT_SECONDS
  // TLS vouches for the token endpoint; the signature vouches for the token wherever it has been.
  library.enableNonRepudiationChecks(configuration)
  // The guard refuses http for every address but those that a demo project opens.
  if (connection.issuer.startsWith('http:')) library.allowInsecureRequests(configuration)
  return configuration
}

function authenticationOf(library: Library, metadata: IdpMetadata, secret: string | undefined) {
  if (secret === undefined) return library.None()
  const methods = metadata.tokenAuthMethods
  const postOnly = methods.includes('client_secret_post') && !methods.includes('client_secret_basic')
  return postOnly ? library.ClientSecretPost(secret) : library.ClientSecretBasic(secret)
}

/** The guard in the form the library calls it: it sends texts, forms and bytes, and never a stream. */
function fetchOf(fetch: GuardedFetch): CustomFetch {
  return asFetch(fetch, MOST_BYTES) as CustomFetch
}

/** Only what says to be JSON (RFC 8414 §3.2): a page that somebody may write on is no document of its host. */
function documents(fetch: GuardedFetch): GuardedFetch {
  return async (url, options) => {
    const reply = await fetch(url, options)
    if (/^application\/json\s*(?:;|$)/i.test(reply.headers['content-type'] ?? '')) return reply
    throw new GuardRefused('type', 'not JSON')
  }
}

/** The answer as the library reads it: only the parameters that it has to know. */
function answerUrl(callbackUri: string, parameters: CallbackParameters): URL {
  const url = new URL(callbackUri)
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) url.searchParams.set(name, value)
  }
  return url
}

/**
 * The claims with those of userinfo, where the ID token says no e-mail address or groups: some
 * providers keep them there. What the ID token says counts before what userinfo says.
 */
async function completed(
  library: Library,
  configuration: Configuration,
  { claimMap, metadata }: Connection,
  claims: IdTokenClaims,
  accessToken: string,
): Promise<IdTokenClaims> {
  const lacking = claims[claimMap.email] === undefined || claims[claimMap.groups] === undefined
  if (!lacking || metadata.userinfoEndpoint === null) return claims
  const more = await library.fetchUserInfo(configuration, accessToken, String(claims['sub']))
  // Only what describes the person: how they signed in is for the signed token alone.
  const wanted = [claimMap.email, claimMap.name, claimMap.groups, 'email_verified']
  const added = Object.entries(more).filter(([name]) => wanted.includes(name))
  const whole = { ...Object.fromEntries(added), ...claims }
  // An address from one source is not verified by the other.
  return claims[claimMap.email] === undefined ? { ...whole, email_verified: more['email_verified'] } : whole
}

/** Notes whether the provider did not answer: the library tells that in many ways. */
function watched(fetch: GuardedFetch, down: { seen: boolean }): GuardedFetch {
  return async (url, options) => {
    try {
      const reply = await fetch(url, options)
      if (reply.status >= 500 || reply.status === 429) down.seen = true
      return reply
    } catch (error) {
      if (error instanceof GuardRefused && error.passing) down.seen = true
      throw error
    }
  }
}

function answerOf(library: Library, error: unknown, down: boolean): IdpAnswer {
  if (error instanceof library.AuthorizationResponseError)
    return { kind: 'error', error: wordOf(error.error) }
  if (down) return { kind: 'unavailable', detail: reasonOf(error) }
  if (error instanceof library.ResponseBodyError && error.error !== 'invalid_grant') {
    // It does not know us, or not with this secret: for an administrator to mend.
    return { kind: 'unavailable', detail: `provider says ${wordOf(error.error)}` }
  }
  return { kind: 'untrusted', detail: reasonOf(error) }
}

/** A code as the standards have them; whatever else somebody sent stands in no log. */
function wordOf(error: string): string {
  return /^[a-z_]{1,60}$/.test(error) ? error : 'other'
}

/** Why it failed, by codes alone: messages may hold what the provider sent. */
function reasonOf(error: unknown): string {
  const codes: string[] = []
  for (let next = error; next instanceof Error && codes.length < 4; next = next.cause) {
    codes.push(
      next instanceof GuardRefused ? `guard ${next.rule}` : 'code' in next ? String(next.code) : next.name,
    )
  }
  return codes.join(' < ').slice(0, 200)
}

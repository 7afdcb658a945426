import { z } from 'zod'
import type { Scope } from '#shared/catalogue/scopes.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { admitJwks } from './admit-jwk.ts'
import { AUTH_METHODS, type AuthMethod, type Client, GRANTS, type Grant, TOKEN_EXCHANGE } from './client.ts'
import { isScope } from './scope.ts'

/** What a client is set to, apart from who it is and its secrets. */
export type ClientSettings = Pick<
  Client,
  | 'name'
  | 'status'
  | 'authMethod'
  | 'jwks'
  | 'jwksUri'
  | 'grants'
  | 'scopes'
  | 'redirectUris'
  | 'postLogoutRedirectUris'
  | 'dpopRequired'
>

/** The algorithms of client assertions: no HMAC, and of RSA only PSS (FAPI 2.0 §5.4). */
export const ASSERTION_ALGS = ['ES256', 'EdDSA', 'PS256'] as const

const MOST_URIS = 20
const MOST_KEYS = 10

const uris = z.array(z.string().max(1024)).max(MOST_URIS)

/** The members of a request that settings are read from. */
export const SETTINGS_MEMBERS = {
  name: z.string().regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,100}$/u, 'must be 1 to 100 printable characters'),
  scopes: z.array(z.string()).min(1).max(64),
  grants: z.array(z.enum(GRANTS)).min(1).max(GRANTS.length),
  redirectUris: uris,
  postLogoutRedirectUris: uris,
  dpopRequired: z.boolean(),
  jwks: z.object({ keys: z.array(z.record(z.string(), z.unknown())).min(1).max(MOST_KEYS) }).nullable(),
  jwksUri: z.string().max(1024).nullable(),
}

export const authMethodMember = z.enum(AUTH_METHODS)

/** The scopes of a request, each once; one that nobody has is `scope.invalid`, as at the token endpoint. */
export function parseScopes(values: readonly string[]): Result<readonly Scope[]> {
  const scopes = [...new Set(values)].sort()
  const known = scopes.filter(isScope)
  return known.length === scopes.length
    ? ok(known)
    : refuse('scope.invalid', 'unknown scope', 'A scope is not known.')
}

export function usualGrants(authMethod: AuthMethod): readonly Grant[] {
  return authMethod === 'none' ? ['authorization_code', 'refresh_token'] : ['client_credentials']
}

/** Whether settings make sense together; whatever they come from, a client is stored only if they do. */
export function checkSettings(settings: ClientSettings): Result<void> {
  const fault = faultOfGrants(settings) ?? faultOfKeys(settings) ?? faultOfUris(settings)
  return fault === undefined ? ok(undefined) : refuse('request.malformed', 'client settings', fault)
}

function faultOfGrants({ authMethod, grants, redirectUris }: ClientSettings): string | undefined {
  const machine = grants.some((grant) => grant === 'client_credentials' || grant === TOKEN_EXCHANGE)
  if (authMethod === 'none' && machine) {
    return 'grants: a public client takes authorization_code and refresh_token only'
  }
  const withCode = grants.includes('authorization_code')
  if (grants.includes('refresh_token') && !withCode) {
    return 'grants: refresh_token goes with authorization_code'
  }
  return withCode && redirectUris.length === 0
    ? 'redirectUris: authorization_code needs at least one'
    : undefined
}

function faultOfKeys({ authMethod, jwks, jwksUri }: ClientSettings): string | undefined {
  if (authMethod !== 'private_key_jwt') {
    return jwks === null && jwksUri === null ? undefined : 'jwks: goes with authMethod private_key_jwt only'
  }
  if ((jwks === null) === (jwksUri === null)) return 'jwks: give either jwks or jwksUri'
  if (jwksUri !== null) {
    return isHttpsUri(jwksUri) ? undefined : 'jwksUri: must be https, without fragment and user name'
  }
  const admitted = admitJwks(jwks)
  if (!admitted.ok || admitted.value.left.length > 0) return 'jwks: a key is not accepted'
  const { keys } = admitted.value
  if (keys.length > 1 && keys.some((key) => key.kid === undefined)) return 'jwks: each key needs a kid'
  const usable = keys.every(({ algs }) => ASSERTION_ALGS.some((alg) => algs.includes(alg)))
  return usable ? undefined : `jwks: keys must be for ${ASSERTION_ALGS.join(', ')}`
}

function faultOfUris({ redirectUris, postLogoutRedirectUris }: ClientSettings): string | undefined {
  for (const [name, list] of Object.entries({ redirectUris, postLogoutRedirectUris })) {
    if (new Set(list).size !== list.length) return `${name}: one stands twice`
    if (!list.every(isRedirectUri)) {
      return `${name}: must be https, or http on 127.0.0.1 or [::1], without fragment, user name and wildcard`
    }
  }
  return undefined
}

/** RFC 9700 §2.1, and for native applications RFC 8252 §7.3. */
export function isRedirectUri(uri: string): boolean {
  const loopback = /^http:\/\/(?:127\.0\.0\.1|\[::1\])(?::\d{1,5})?(?:\/|$)/.test(uri)
  return loopback ? isPlainUri(uri) : isHttpsUri(uri)
}

function isHttpsUri(uri: string): boolean {
  return uri.startsWith('https://') && isPlainUri(uri)
}

/**
 * In the one spelling that every reader takes apart alike: visible ASCII without what browsers repair,
 * no dot segments, no default port, and without fragment, user name and wildcard.
 */
function isPlainUri(uri: string): boolean {
  if (!/^[\x21-\x7E]+$/.test(uri) || /[\\"<>^`{|}*#@]/.test(uri) || !URL.canParse(uri)) return false
  const { href, host } = new URL(uri)
  return !host.endsWith('.') && (href === uri || href === `${uri}/`)
}

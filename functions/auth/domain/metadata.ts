import { PLATFORM_SCOPES, TENANT_SCOPES } from '#shared/catalogue/scopes.ts'
import { AUTH_METHODS, GRANTS } from './client.ts'
import { ASSERTION_ALGS } from './client-settings.ts'

/** RFC 9864 has a newer name for the same algorithm; clients look for the one they know. */
const ALGS = [...ASSERTION_ALGS, 'Ed25519']

/**
 * Authorization server metadata (RFC 8414, RFC 9207, RFC 9449): what is supported now, and nothing that
 * is planned.
 */
export function authorizationServerMetadata(issuer: string): Record<string, unknown> {
  return {
    issuer,
    authorization_endpoint: `${issuer}/oauth2/authorize`,
    token_endpoint: `${issuer}/oauth2/token`,
    introspection_endpoint: `${issuer}/oauth2/introspect`,
    revocation_endpoint: `${issuer}/oauth2/revoke`,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    scopes_supported: ['openid', ...TENANT_SCOPES, ...PLATFORM_SCOPES],
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: GRANTS,
    token_endpoint_auth_methods_supported: AUTH_METHODS,
    token_endpoint_auth_signing_alg_values_supported: ALGS,
    introspection_endpoint_auth_methods_supported: AUTH_METHODS.filter((method) => method !== 'none'),
    introspection_endpoint_auth_signing_alg_values_supported: ALGS,
    revocation_endpoint_auth_methods_supported: AUTH_METHODS,
    revocation_endpoint_auth_signing_alg_values_supported: ALGS,
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    dpop_signing_alg_values_supported: ALGS,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    claims_parameter_supported: false,
  }
}

/** The same under OpenID Connect Discovery's name, with what it says of ID tokens besides. */
export function openidConfiguration(issuer: string): Record<string, unknown> {
  return {
    ...authorizationServerMetadata(issuer),
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  }
}

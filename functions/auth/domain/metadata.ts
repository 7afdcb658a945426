import { PLATFORM_SCOPES, TENANT_SCOPES } from '#shared/catalogue/scopes.ts'
import { GRANTS } from './client.ts'

/**
 * Authorization server metadata (RFC 8414): what is supported now, and nothing that is planned.
 *
 * `response_types_supported` is empty and yet there: the RFC requires the member, and there is no
 * authorization endpoint.
 */
export function authorizationServerMetadata(issuer: string): Record<string, unknown> {
  return {
    issuer,
    token_endpoint: `${issuer}/oauth2/token`,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    scopes_supported: [...TENANT_SCOPES, ...PLATFORM_SCOPES],
    response_types_supported: [],
    grant_types_supported: GRANTS,
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
  }
}

/**
 * The same under OpenID Connect Discovery's name, for clients that look only there. We issue no ID
 * tokens, so the members that describe them are left out rather than invented.
 */
export function openidConfiguration(issuer: string): Record<string, unknown> {
  return { ...authorizationServerMetadata(issuer), subject_types_supported: ['public'] }
}

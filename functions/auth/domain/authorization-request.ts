import type { Scope } from '#shared/catalogue/scopes.ts'
import type { TenantId } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { isCodeChallenge } from './authorization-code.ts'
import type { Client } from './client.ts'
import { type ClientId, parseClientId } from './client-id.ts'
import { type ConnectionId, parseConnectionId } from './connection.ts'
import { isRegisteredRedirect } from './redirect-uri.ts'
import { isScope, narrowScopes, parseScope } from './scope.ts'

/** Errors that a client is told of through its redirect URI (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6). */
export type AuthorizationErrorCode =
  | 'invalid_request'
  | 'unauthorized_client'
  | 'access_denied'
  | 'unsupported_response_type'
  | 'invalid_scope'
  | 'invalid_target'
  | 'temporarily_unavailable'
  | 'login_required'
  | 'request_not_supported'
  | 'request_uri_not_supported'
  | 'unmet_authentication_requirements'

export type AuthorizationError = {
  readonly ok: false
  readonly error: AuthorizationErrorCode
  /** Constant text of ours: nothing that was sent is ever repeated. */
  readonly description: string
}

type Query = Readonly<Record<string, string>>

/** What a client asks the authorization endpoint for. */
export type AuthorizationRequest = {
  readonly codeChallenge: string
  readonly scopes: readonly Scope[]
  readonly openid: boolean
  readonly nonce: string | null
  readonly loginHint: string | undefined
  readonly connectionId: ConnectionId | undefined
  readonly prompt: string | undefined
  readonly maxAge: number | null
  readonly acrValues: readonly string[]
  readonly dpopJkt: string | null
}

/** What OpenID Connect adds; nothing of our API hangs on them. */
const OIDC_SCOPES: readonly string[] = ['openid', 'profile', 'email', 'offline_access']
const PROMPTS: readonly string[] = ['none', 'login', 'consent', 'select_account']
const THUMBPRINT = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/
const VISIBLE = /^[\x20-\x7E]*$/
const LONGEST_STATE = 512

/** Who asks, by the id alone: nothing is read for what cannot be a client. */
export function parseAskingClient(
  query: Query,
): Result<{ readonly clientId: ClientId; readonly tenantId: TenantId }> {
  const client = parseClientId(query['client_id'])
  return client.ok ? client : refusePage('client_id')
}

/**
 * The redirect URI, proven to be the client's. Until then nobody is sent anywhere (RFC 9700 §4.11):
 * whoever is refused here sees a page of ours. One answer for a client that is unknown, disabled or
 * of a tenant without access.
 */
export function proveRedirect(client: Client | undefined, query: Query): Result<string> {
  if (client === undefined || client.status !== 'active') return refusePage('unknown or disabled client')
  const wanted = query['redirect_uri']
  if (wanted === undefined || !isRegisteredRedirect(client.redirectUris, wanted))
    return refusePage('redirect_uri')
  // A state that we could not give back whole would come back as another one.
  const state = query['state']
  if (state !== undefined && (state.length > LONGEST_STATE || !VISIBLE.test(state)))
    return refusePage('state')
  return ok(wanted)
}

function refusePage(detail: string) {
  const hint = 'Nobody can tell where you would be sent afterwards, so you are not sent on.'
  return refuse('authorization.invalid', detail, hint)
}

/** The rest of the request, once its answer has somewhere to go. */
export function parseAuthorizationRequest(
  query: Query,
  client: Client,
  issuer: string,
): { readonly ok: true; readonly value: AuthorizationRequest } | AuthorizationError {
  const form = checkForm(query, client)
  if (form !== undefined) return form
  const challenge = query['code_challenge']
  if (challenge === undefined || query['code_challenge_method'] !== 'S256' || !isCodeChallenge(challenge)) {
    return fault('invalid_request', 'PKCE with S256 is required: code_challenge and code_challenge_method.')
  }
  if (query['resource'] !== undefined && query['resource'] !== issuer) {
    return fault('invalid_target', 'The only resource is the issuer itself.')
  }
  const scopes = readScopes(query['scope'], client)
  if (!scopes.ok) return scopes
  const prompts = (query['prompt'] ?? '').split(' ').filter((word) => word !== '')
  if (!prompts.every((word) => PROMPTS.includes(word)) || (prompts.includes('none') && prompts.length > 1)) {
    return fault('invalid_request', 'prompt is none alone, or some of login, consent and select_account.')
  }
  const details = readDetails(query)
  if (details === undefined) return fault('invalid_request', 'A parameter is longer or other than it may be.')
  const prompt = prompts.length === 0 ? undefined : [...new Set(prompts)].join(' ')
  return { ok: true, value: { ...details, ...scopes.value, codeChallenge: challenge, prompt } }
}

function checkForm(query: Query, client: Client): AuthorizationError | undefined {
  if (query['request'] !== undefined)
    return fault('request_not_supported', 'Send the parameters as they are.')
  if (query['request_uri'] !== undefined) {
    return fault('request_uri_not_supported', 'Send the parameters as they are.')
  }
  if (query['response_type'] === undefined) return fault('invalid_request', 'response_type is missing.')
  if (query['response_type'] !== 'code') {
    return fault('unsupported_response_type', 'The only response_type is code.')
  }
  if (query['response_mode'] !== undefined && query['response_mode'] !== 'query') {
    return fault('invalid_request', 'The only response_mode is query.')
  }
  if (!client.grants.includes('authorization_code')) {
    return fault('unauthorized_client', 'This client may not use this grant.')
  }
  return undefined
}

function readScopes(
  text: string | undefined,
  client: Client,
): { ok: true; value: { scopes: readonly Scope[]; openid: boolean } } | AuthorizationError {
  const asked = text === undefined ? ok(undefined) : parseScope(text)
  if (!asked.ok) return fault('invalid_scope', 'The scope is malformed.')
  const own = asked.value?.filter((scope) => !OIDC_SCOPES.includes(scope))
  const scopes = narrowScopes(client.scopes, own === undefined || own.length === 0 ? undefined : own)
  if (!scopes.ok) return fault('invalid_scope', 'A scope is not granted to this client.')
  const openid = asked.value?.includes('openid') === true
  // Whoever asks for `openid` alone wants to know who it is, and nothing of the API.
  const identityAlone = own !== undefined && own.length === 0
  return { ok: true, value: { scopes: identityAlone ? [] : scopes.value.filter(isScope), openid } }
}

function readDetails(
  query: Query,
): Omit<AuthorizationRequest, 'codeChallenge' | 'scopes' | 'openid' | 'prompt'> | undefined {
  const { nonce, login_hint: loginHint, max_age: maxAge, acr_values: acrValues, dpop_jkt: dpopJkt } = query
  const connection = query['connection'] === undefined ? undefined : parseConnectionId(query['connection'])
  if (connection?.ok === false) return undefined
  if (nonce !== undefined && (nonce.length > 256 || !VISIBLE.test(nonce))) return undefined
  if (loginHint !== undefined && !/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,255}$/u.test(loginHint)) return undefined
  if (maxAge !== undefined && !/^\d{1,9}$/.test(maxAge)) return undefined
  if (acrValues !== undefined && !/^[\x21-\x7E]{1,100}(?: [\x21-\x7E]{1,100}){0,9}$/.test(acrValues))
    return undefined
  if (dpopJkt !== undefined && !THUMBPRINT.test(dpopJkt)) return undefined
  return {
    nonce: nonce ?? null,
    loginHint,
    connectionId: connection?.value,
    maxAge: maxAge === undefined ? null : Number(maxAge),
    acrValues: acrValues === undefined ? [] : acrValues.split(' '),
    dpopJkt: dpopJkt ?? null,
  }
}

export function fault(error: AuthorizationErrorCode, description: string): AuthorizationError {
  return { ok: false, error, description }
}

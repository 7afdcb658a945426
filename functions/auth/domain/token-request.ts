import type { TenantId } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { GRANTS, type Grant } from './client.ts'
import { type ClientId, parseClientId } from './client-id.ts'
import { type ClientSecret, parseClientSecret } from './client-secret.ts'
import { decodeFormText, type Form, parameterOf } from './form.ts'
import { parseScope } from './scope.ts'

/** Who says to be asking, and with what; nothing of it is proven yet. */
export type PresentedClient = {
  readonly clientId: ClientId
  readonly tenantId: TenantId
  readonly secret: ClientSecret
}

/** A well-formed request at the token endpoint. */
export type TokenRequest = {
  readonly grant: Grant
  readonly client: PresentedClient
  /** The scopes asked for; undefined asks for all that the client has. */
  readonly scopes: readonly string[] | undefined
}

const BASIC = /^Basic ([A-Za-z0-9+/]+={0,2})$/i
const NO_CLIENT = 'no client authentication'

/**
 * Reads a token request (RFC 6749 §4.4, RFC 8707): form, grant, one way of client authentication,
 * target, scope. Nothing is read from any store for what cannot be a request.
 */
export function parseTokenRequest(
  form: Form,
  authorization: string | undefined,
  audience: string,
): Result<TokenRequest> {
  const grant = parseGrant(parameterOf(form, 'grant_type'))
  if (!grant.ok) return grant
  const client = parsePresentedClient(form, authorization)
  if (!client.ok) return client
  const targets = [...(form.get('resource') ?? []), ...(form.get('audience') ?? [])]
  if (targets.some((target) => target !== audience)) {
    return refuse('target.invalid', 'unknown resource or audience', 'The only audience is the issuer itself.')
  }
  const scope = parameterOf(form, 'scope')
  if (scope === undefined) return ok({ grant: grant.value, client: client.value, scopes: undefined })
  const scopes = parseScope(scope)
  return scopes.ok ? ok({ grant: grant.value, client: client.value, scopes: scopes.value }) : scopes
}

function parseGrant(value: string | undefined): Result<Grant> {
  if (value === undefined) return refuse('request.malformed', 'no grant_type', 'grant_type is missing.')
  const grant = GRANTS.find((known) => known === value)
  return grant === undefined
    ? refuse('grant.unsupported', 'unknown grant_type', 'This grant_type is not supported.')
    : ok(grant)
}

/** One way to authenticate, never two (RFC 6749 §2.3): with two, it is unclear which one counts. */
function parsePresentedClient(form: Form, authorization: string | undefined): Result<PresentedClient> {
  const bodyId = parameterOf(form, 'client_id')
  const bodySecret = parameterOf(form, 'client_secret')
  const ways = [
    authorization,
    bodySecret,
    parameterOf(form, 'client_assertion') ?? parameterOf(form, 'client_assertion_type'),
  ].filter((way) => way !== undefined)
  if (ways.length > 1) {
    return refuse('request.malformed', 'two ways', 'Authenticate the client in one way only.')
  }
  if (authorization === undefined) {
    return bodySecret === undefined ? refuse('client.invalid', NO_CLIENT) : pair(bodyId, bodySecret)
  }
  const basic = parseBasic(authorization)
  if (!basic.ok) return basic
  if (bodyId !== undefined && bodyId !== basic.value.id) {
    return refuse('request.malformed', 'two client ids', 'client_id differs from the Authorization header.')
  }
  return pair(basic.value.id, basic.value.secret)
}

/** RFC 6749 §2.3.1: id and secret are form-encoded before they are joined and put into base64. */
function parseBasic(authorization: string): Result<{ id: string; secret: string }> {
  const encoded = BASIC.exec(authorization)?.[1]
  if (encoded === undefined) return refuse('client.invalid', 'not HTTP Basic')
  const text = Buffer.from(encoded, 'base64').toString('latin1')
  const colon = text.indexOf(':')
  const id = colon < 0 ? undefined : decodeFormText(text.slice(0, colon))
  const secret = colon < 0 ? undefined : decodeFormText(text.slice(colon + 1))
  if (id === undefined || secret === undefined) return refuse('client.invalid', 'malformed HTTP Basic')
  return ok({ id, secret })
}

function pair(id: string | undefined, secret: string): Result<PresentedClient> {
  const client = parseClientId(id)
  const parsedSecret = parseClientSecret(secret)
  if (!client.ok) return client
  return parsedSecret.ok ? ok({ ...client.value, secret: parsedSecret.value }) : parsedSecret
}

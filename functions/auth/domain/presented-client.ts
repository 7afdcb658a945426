import type { TenantId } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { type ClientId, parseClientId } from './client-id.ts'
import { type ClientSecret, parseClientSecret } from './client-secret.ts'
import { decodeFormText, type Form, parameterOf } from './form.ts'

/** Who says to be asking, and with what; nothing of it is proven yet. */
export type PresentedClient = { readonly clientId: ClientId; readonly tenantId: TenantId } & (
  | { readonly method: 'client_secret_basic' | 'client_secret_post'; readonly secret: ClientSecret }
  | { readonly method: 'private_key_jwt'; readonly assertion: string }
  | { readonly method: 'none' }
)

export const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

const BASIC = /^Basic ([A-Za-z0-9+/]+={0,2})$/i

/**
 * Reads how a client authenticates: one way, never two (RFC 6749 §2.3), for with two it is unclear
 * which one counts. A client id alone is a public client.
 */
export function parsePresentedClient(form: Form, authorization: string | undefined): Result<PresentedClient> {
  const bodyId = parameterOf(form, 'client_id')
  const bodySecret = parameterOf(form, 'client_secret')
  const assertion = parameterOf(form, 'client_assertion')
  const assertionType = parameterOf(form, 'client_assertion_type')
  const ways = [authorization, bodySecret, assertion ?? assertionType].filter((way) => way !== undefined)
  if (ways.length > 1) {
    return refuse('request.malformed', 'two ways', 'Authenticate the client in one way only.')
  }
  if (authorization !== undefined) return fromBasic(authorization, bodyId)
  if (bodySecret !== undefined) return withSecret('client_secret_post', bodyId, bodySecret)
  if (assertion !== undefined || assertionType !== undefined) {
    return fromAssertion(bodyId, assertion, assertionType)
  }
  const client = parseClientId(bodyId)
  return client.ok ? ok({ method: 'none', ...client.value }) : client
}

function fromBasic(authorization: string, bodyId: string | undefined): Result<PresentedClient> {
  const basic = parseBasic(authorization)
  if (!basic.ok) return basic
  if (bodyId !== undefined && bodyId !== basic.value.id) {
    return refuse('request.malformed', 'two client ids', 'client_id differs from the Authorization header.')
  }
  return withSecret('client_secret_basic', basic.value.id, basic.value.secret)
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

function withSecret(
  method: 'client_secret_basic' | 'client_secret_post',
  id: string | undefined,
  secret: string,
): Result<PresentedClient> {
  const client = parseClientId(id)
  const parsed = parseClientSecret(secret)
  if (!client.ok) return client
  return parsed.ok ? ok({ method, ...client.value, secret: parsed.value }) : parsed
}

/** RFC 7523 §2.2. Whose assertion it says to be is read from it without believing it. */
function fromAssertion(
  bodyId: string | undefined,
  assertion: string | undefined,
  type: string | undefined,
): Result<PresentedClient> {
  if (assertion === undefined || type !== JWT_BEARER) {
    const hint = `client_assertion goes with client_assertion_type=${JWT_BEARER}.`
    return refuse('request.malformed', 'client assertion', hint)
  }
  const client = parseClientId(subjectOf(assertion))
  if (!client.ok) return client
  if (bodyId !== undefined && bodyId !== client.value.clientId) {
    return refuse('request.malformed', 'two client ids', 'client_id differs from the assertion.')
  }
  return ok({ method: 'private_key_jwt', ...client.value, assertion })
}

function subjectOf(assertion: string): unknown {
  try {
    const payload = Buffer.from(assertion.split('.')[1] ?? '', 'base64url').toString('utf8')
    const claims: unknown = JSON.parse(payload)
    return typeof claims === 'object' && claims !== null && 'sub' in claims ? claims.sub : undefined
  } catch {
    return undefined
  }
}

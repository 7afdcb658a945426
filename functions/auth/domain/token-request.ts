import { ok, type Result, refuse } from '#shared/result.ts'
import { GRANTS, type Grant, TOKEN_EXCHANGE } from './client.ts'
import { type Form, parameterOf } from './form.ts'
import { type PresentedClient, parsePresentedClient } from './presented-client.ts'
import { parseScope } from './scope.ts'

/** A well-formed request at the token endpoint. */
export type TokenRequest = {
  readonly grant: Grant
  readonly client: PresentedClient
  /** The whole form: each grant reads its own parameters. */
  readonly form: Form
  /** The scopes asked for; undefined asks for all that the grant gives. */
  readonly scopes: readonly string[] | undefined
  /** `resource` and `audience` as sent: nothing or the issuer. */
  readonly resources: readonly string[]
}

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
  const asked = parseAsked(form, audience)
  return asked.ok ? ok({ grant: grant.value, client: client.value, ...asked.value }) : asked
}

/** What is asked for, whoever asks. */
export type AnonymousRequest = Omit<TokenRequest, 'client' | 'grant'>

/** A token exchange by somebody who is no client: nothing but the token stands for them (RFC 8693 §2.1). */
export function isAnonymousExchange(form: Form, authorization: string | undefined): boolean {
  const ways = ['client_id', 'client_secret', 'client_assertion', 'client_assertion_type']
  return (
    authorization === undefined &&
    parameterOf(form, 'grant_type') === TOKEN_EXCHANGE &&
    ways.every((name) => parameterOf(form, name) === undefined)
  )
}

/** Target and scope, the parameters that every grant has. */
export function parseAsked(form: Form, audience: string): Result<AnonymousRequest> {
  const resources = [...(form.get('resource') ?? []), ...(form.get('audience') ?? [])]
  if (resources.some((target) => target !== audience)) {
    return refuse('target.invalid', 'unknown resource or audience', 'The only audience is the issuer itself.')
  }
  const scope = parameterOf(form, 'scope')
  const scopes = scope === undefined ? ok(undefined) : parseScope(scope)
  return scopes.ok ? ok({ form, scopes: scopes.value, resources }) : scopes
}

function parseGrant(value: string | undefined): Result<Grant> {
  if (value === undefined) return refuse('request.malformed', 'no grant_type', 'grant_type is missing.')
  const grant = GRANTS.find((known) => known === value)
  return grant === undefined
    ? refuse('grant.unsupported', 'unknown grant_type', 'This grant_type is not supported.')
    : ok(grant)
}

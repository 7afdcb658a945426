import { TIER_LIMITS } from '#shared/catalogue/tiers.ts'
import { sentToken, verifyHolder } from '#shared/http/access-token.ts'
import type { HandlersOf } from '#shared/http/edge.ts'
import type { ApiRequest, PublicHandler } from '#shared/http/types.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { TenantContext } from '#shared/tenancy/context.ts'
import type { AuthDeps } from '../deps.ts'
import { type Form, parameterOf } from '../domain/form.ts'
import { parsePresentedClient } from '../domain/presented-client.ts'
import { NOT_STORED } from '../oauth-reply.ts'
import { authenticateClient } from '../operations/authenticate-client.ts'
import { type Inquirer, inquiringClient, introspectToken } from '../operations/introspect-token.ts'
import { revokeToken } from '../operations/revoke-token.ts'
import { oauthForm } from './token.ts'

export function introspectionHandlers(
  deps: AuthDeps,
): Pick<HandlersOf<'auth'>, 'introspectToken' | 'revokeToken'> {
  return {
    introspectToken: (request) => onIntrospect(deps, request),
    revokeToken: (request) => onRevoke(deps, request),
  }
}

/** RFC 7662. */
async function onIntrospect(deps: AuthDeps, request: ApiRequest): ReturnType<PublicHandler> {
  const form = oauthForm(request)
  if (!form.ok) return form
  const inquirer = await inquirerOf(deps, request, form.value)
  if (!inquirer.ok) return inquirer
  const token = tokenOf(form.value)
  if (!token.ok) return token
  const minimal = parameterOf(form.value, 'minimal') === 'true'
  const told = await introspectToken(deps, inquirer.value, {
    token: token.value,
    minimal,
    nowMs: request.nowMs,
  })
  return told.ok ? ok({ status: 200, headers: NOT_STORED, json: told.value }) : told
}

/** RFC 7009. */
async function onRevoke(deps: AuthDeps, request: ApiRequest): ReturnType<PublicHandler> {
  const form = oauthForm(request)
  if (!form.ok) return form
  const presented = parsePresentedClient(form.value, request.authorization)
  if (!presented.ok) return presented
  const { nowMs, trace } = request
  const proven = await authenticateClient(deps, presented.value, request)
  if (!proven.ok) return proven
  const token = tokenOf(form.value)
  if (!token.ok) return token
  const { client, state } = proven.value
  if (!deps.introspectRate.take(client.tenantId, TIER_LIMITS[state.tier].apiRequestsPerSecond, nowMs)) {
    return refuse('rate.limited', 'revocations of the tier', 'More requests than the tier allows.')
  }
  const revoked = await revokeToken(deps, proven.value, { token: token.value, nowMs, trace })
  return revoked.ok ? ok({ status: 200, headers: NOT_STORED }) : revoked
}

/** A client by its own credentials, or whoever holds a token with the scope: a workload. */
async function inquirerOf(deps: AuthDeps, request: ApiRequest, form: Form): Promise<Result<Inquirer>> {
  const { authorization } = request
  if (sentToken(authorization) === undefined) {
    const presented = parsePresentedClient(form, authorization)
    return presented.ok ? inquiringClient(deps, presented.value, request) : presented
  }
  const holder = await verifyHolder(deps.platform, request, undefined)
  if (!holder.ok) return holder
  const { token } = holder.value
  const { tenant, tier, scopes } = token.claims
  if (!scopes.has('introspect')) {
    return refuse('token.insufficient_scope', 'needs introspect', 'This needs the scope introspect.')
  }
  const used = holder.value.useProof()
  if (!used.ok) return used
  const perSecond = TIER_LIMITS[tier].apiRequestsPerSecond
  return ok({ ctx: new TenantContext(token), tenantId: tenant, perSecond })
}

function tokenOf(form: Form): Result<string> {
  const token = parameterOf(form, 'token')
  return token === undefined
    ? refuse('request.malformed', 'no token', 'The parameter token is missing.')
    : ok(token)
}

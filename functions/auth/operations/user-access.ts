import type { Scope } from '#shared/catalogue/scopes.ts'
import { ok, type Refusal, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { ACCESS_BY_STATE } from '#shared/tokens/tenant-access.ts'
import type { Client } from '../domain/client.ts'
import { operatorScopes, scopesOfRoles } from '../domain/role.ts'
import type { User } from '../domain/user.ts'
import type { RoleStore } from '../ports/people.ts'
import type { Credentials, KnownState } from '../ports.ts'
import type { ProvenClient } from './grant-request.ts'
import { scopesInState } from './mint-access-token.ts'

export type UserAccessDeps = {
  readonly roles: Pick<RoleStore, 'scopesOf'>
  readonly credentials: Credentials
}

/**
 * The client and its tenant as they are now. Two seconds may do for a machine's own token, which dies
 * with what it was made from; a session would go on.
 */
export async function clientNow(deps: UserAccessDeps, proven: ProvenClient): Promise<Result<ProvenClient>> {
  const { asOfMs, ...seen } = proven
  if (asOfMs === undefined) return ok(seen)
  const { client, state } = await deps.credentials.find(seen.client.tenantId, seen.client.clientId)
  const stands = client?.status === 'active' && state !== undefined
  if (!stands || ACCESS_BY_STATE[state.status].kind === 'none') {
    return refuse('client.invalid', 'the client or its tenant has ended meanwhile')
  }
  return ok({ ...seen, client, state })
}

/**
 * What of `scopes` a user's token may hold now: what the client still has, the user's roles still give,
 * and the state of the tenant allows. All of them may have changed since the person signed in.
 *
 * Somebody who signs in only to be known (`openid`) may be left with nothing; `lost` answers otherwise.
 */
export async function scopesOfUser(
  deps: UserAccessDeps,
  who: {
    readonly ctx: TenantContext
    readonly client: Client
    readonly state: KnownState
    readonly user: User
  },
  scopes: readonly Scope[],
  lost: () => Refusal,
): Promise<Result<readonly Scope[]>> {
  const { client, state, user } = who
  const ofRoles = scopesOfRoles(user.roles, await deps.roles.scopesOf(who.ctx, user.roles))
  const held = [...ofRoles, ...operatorScopes(who.ctx.tenantId, user.roles)]
  const left = scopes.filter((scope) => client.scopes.includes(scope) && held.includes(scope))
  if (left.length > 0) return scopesInState(state, user.roles, left)
  if (scopes.length > 0) return lost()
  // Nothing was asked for: whether they may be there at all still depends on the state.
  const access = ACCESS_BY_STATE[state.status]
  const mayEnter =
    access.kind === 'all' ||
    (access.kind === 'restricted' && user.roles.some((role) => access.roles.includes(role)))
  return mayEnter ? ok([]) : scopesInState(state, user.roles, [])
}

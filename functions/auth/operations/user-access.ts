import type { Scope } from '#shared/catalogue/scopes.ts'
import { ok, type Refusal, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { ACCESS_BY_STATE } from '#shared/tokens/tenant-access.ts'
import type { Client } from '../domain/client.ts'
import { scopesOfRoles } from '../domain/role.ts'
import type { User } from '../domain/user.ts'
import type { RoleStore } from '../ports/people.ts'
import type { KnownState } from '../ports.ts'
import { scopesInState } from './mint-access-token.ts'

export type UserAccessDeps = { readonly roles: Pick<RoleStore, 'scopesOf'> }

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
  const held = scopesOfRoles(user.roles, await deps.roles.scopesOf(who.ctx, user.roles))
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

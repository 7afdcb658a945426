import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import type { RoleGiver } from '../domain/role.ts'
import type { User } from '../domain/user.ts'
import type { PersonalData } from '../ports/people.ts'

/** What every change by somebody's token is made with. */
export type PeopleCommand = {
  readonly ctx: TenantContext
  readonly giver: RoleGiver
  readonly nowMs: number
  readonly trace?: Trace | undefined
}

/** A user as administrators see them. Address and name are null where there are none, or no longer. */
export type UserView = {
  readonly userId: string
  readonly tenantId: string
  readonly email: string | null
  readonly emailVerified: boolean
  readonly name: string | null
  readonly roles: readonly string[]
  readonly rolesFrom: User['rolesFrom']
  readonly status: User['status']
  readonly connections: readonly string[]
  readonly provisioned: boolean
  readonly createdAt: string
  readonly updatedAt: string
}

/** Opens what is sealed. After the tenant's key was destroyed the person is an id and nothing more. */
export async function viewOfUser(
  deps: { readonly personalData: Pick<PersonalData, 'open'> },
  ctx: TenantContext,
  user: User,
): Promise<UserView> {
  const open = async (sealed: User['emailSealed'], purpose: 'email' | 'name') =>
    sealed === null ? null : ((await deps.personalData.open(ctx, sealed, purpose)) ?? null)
  const [email, name] = await Promise.all([open(user.emailSealed, 'email'), open(user.nameSealed, 'name')])
  return {
    userId: user.userId,
    tenantId: user.tenantId,
    email,
    emailVerified: user.emailVerified,
    name,
    roles: user.roles,
    rolesFrom: user.rolesFrom,
    status: user.status,
    connections: [...new Set(user.idpLinks.map(({ connectionId }) => connectionId))],
    provisioned: user.scim !== null,
    createdAt: new Date(user.createdAt).toISOString(),
    updatedAt: new Date(user.updatedAt).toISOString(),
  }
}

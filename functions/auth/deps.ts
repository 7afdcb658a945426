import type { Platform } from '#shared/wiring.ts'
import type { ApplyTenantFactDeps } from './operations/apply-tenant-fact.ts'
import type { CreateClientDeps } from './operations/create-client.ts'
import type { GrantsDeps } from './operations/grants.ts'
import type { InviteDeps } from './operations/invite.ts'
import type { ManageKeysDeps } from './operations/manage-keys.ts'
import type { ManageRolesDeps } from './operations/manage-roles.ts'
import type { ManageUsersDeps } from './operations/manage-users.ts'
import type { SignInUserDeps } from './operations/sign-in-user.ts'

/** What the handlers of this group are given: the platform, and what its operations need. */
export type AuthDeps = GrantsDeps &
  CreateClientDeps &
  ApplyTenantFactDeps &
  ManageKeysDeps &
  SignInUserDeps &
  ManageUsersDeps &
  ManageRolesDeps &
  InviteDeps & { readonly platform: Platform }

import type { Platform } from '#shared/wiring.ts'
import type { ApplyTenantFactDeps } from './operations/apply-tenant-fact.ts'
import type { CreateClientDeps } from './operations/create-client.ts'
import type { GrantsDeps } from './operations/grants.ts'
import type { ManageKeysDeps } from './operations/manage-keys.ts'
import type { SignInUserDeps } from './operations/sign-in-user.ts'
import type { RoleStore } from './ports/people.ts'

/** What the handlers of this group are given: the platform, and what its operations need. */
export type AuthDeps = GrantsDeps &
  CreateClientDeps &
  ApplyTenantFactDeps &
  ManageKeysDeps &
  SignInUserDeps & { readonly roles: RoleStore } & { readonly platform: Platform }

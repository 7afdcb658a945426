import type { Platform } from '#shared/wiring.ts'
import type { ApplyTenantFactDeps } from './operations/apply-tenant-fact.ts'
import type { CreateClientDeps } from './operations/create-client.ts'
import type { GrantsDeps } from './operations/grants.ts'

/** What the handlers of this group are given: the platform, and what its operations need. */
export type AuthDeps = GrantsDeps & CreateClientDeps & ApplyTenantFactDeps & { readonly platform: Platform }

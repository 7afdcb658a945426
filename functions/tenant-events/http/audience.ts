import type { TenantRequest } from '#shared/http/types.ts'
import { PLATFORM_TENANT } from '#shared/ids.ts'
import type { Audience } from '../domain/audience.ts'

/** Operators are shown what went wrong inside, and tenants that something did. */
export function audienceOf({ token }: Pick<TenantRequest, 'token'>): Audience {
  return token.claims.tenant === PLATFORM_TENANT ? 'operator' : 'tenant'
}

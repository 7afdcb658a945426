import type { TenantId } from '../ids.ts'
import { TenantContext } from './context.ts'
import { type CredentialKind, prove } from './proofs.ts'

/**
 * The context of a credential that was just proven, where no access token exists yet: at the token
 * endpoint, in a callback, under SCIM.
 *
 * `tenantId` must be the tenant that the proven record was read from, never one that a request names
 * beside it. For the few operations that prove a credential; the architecture test lists them.
 */
export function openByCredential(tenantId: TenantId, kind: CredentialKind, id: string): TenantContext {
  return new TenantContext(prove.credential({ tenantId, kind, id }))
}

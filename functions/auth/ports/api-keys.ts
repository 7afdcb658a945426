import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import type { Revocation } from '#shared/contracts/revocation.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import type { AuditEntry, Committed } from '#shared/firestore/tenant-store.ts'
import type { TenantId } from '#shared/ids.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { ApiKey } from '../domain/api-key.ts'
import type { TenantAuthState } from '../domain/tenant-state.ts'
import type { KnownState } from '../ports.ts'

/** Everything that becomes true together with a key that is made or gone. */
export type ApiKeyCommit<T> = {
  readonly value: T
  readonly events: readonly CloudEvent[]
  readonly audit: readonly AuditEntry[]
  readonly revocations?: readonly Revocation[]
}

export type ApiKeyStore = {
  /** The tenant's state and one key, in one read, before anybody is known. Throws when the store is down. */
  findCredential(
    tenantId: TenantId,
    keyId: string,
  ): Promise<{ readonly state: KnownState | undefined; readonly key: ApiKey | undefined }>
  /** By id, those after `after`, at most `limit`; undefined for a tenant that auth does not know. */
  list(ctx: TenantContext, limit: number, after: string | undefined): Promise<readonly ApiKey[] | undefined>
  /** Adds a key and counts it, in one commit. Contention runs `decide` again. */
  add<T>(
    ctx: TenantContext,
    claim: Claim | undefined,
    key: ApiKey,
    decide: (found: { state: TenantAuthState | undefined; count: number }) => Result<ApiKeyCommit<T>>,
  ): Promise<Result<Committed<T>>>
  /** Removes a key; `resource.not_found` if there is none. */
  remove(ctx: TenantContext, keyId: string, commit: ApiKeyCommit<null>): Promise<Result<unknown>>
}

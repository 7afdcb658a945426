import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import type { Revocation } from '#shared/contracts/revocation.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import type { AuditEntry, Committed } from '#shared/firestore/tenant-store.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Client } from '../domain/client.ts'
import type { ClientId } from '../domain/client-id.ts'

/** What a change of a client is decided by. */
export type FoundClient = {
  readonly client: Client
  /** The client that asks, when it is one of this tenant. */
  readonly keeper: Client | undefined
}

/** Everything that becomes true together with a changed or removed client. */
export type ChangedClient<T> = {
  readonly value: T
  /** As it is now; undefined removes it. */
  readonly client: Client | undefined
  readonly events?: readonly CloudEvent[]
  readonly audit: readonly AuditEntry[]
  readonly revocations?: readonly Revocation[]
}

/** The clients of a tenant, once they are there. */
export type ClientRegister = {
  find(ctx: TenantContext, clientId: ClientId): Promise<Client | undefined>
  /** By id, those after `after`, at most `limit`; undefined for a tenant that auth does not know. */
  list(ctx: TenantContext, limit: number, after: string | undefined): Promise<readonly Client[] | undefined>
  /**
   * Changes or removes a client in one commit; `resource.not_found` if there is none. Contention runs
   * `decide` again, so it computes and does nothing else. Throws when the store is down.
   */
  change<T>(
    ctx: TenantContext,
    claim: Claim | undefined,
    wanted: { readonly clientId: ClientId; readonly keeperId: ClientId | undefined },
    decide: (found: FoundClient) => Result<ChangedClient<T>>,
  ): Promise<Result<Committed<T>>>
}

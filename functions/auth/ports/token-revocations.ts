import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import type { Revocation } from '#shared/contracts/revocation.ts'
import type { AuditEntry } from '#shared/firestore/tenant-store.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'

/** Single access tokens that ended before their time. */
export type TokenRevocations = {
  /** Ends a token once, in one commit; a second time changes nothing. Throws when the store is down. */
  add(
    ctx: TenantContext,
    ended: {
      readonly tokenId: string
      readonly revocation: Revocation
      readonly event: CloudEvent
      readonly audit: readonly AuditEntry[]
    },
  ): Promise<Result<void>>
}

import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { timestamp } from '#shared/firestore/values.ts'
import { hashedId, sha256Hex } from '#shared/ids.ts'
import { ok } from '#shared/result.ts'
import type { TokenRevocations } from '../ports/token-revocations.ts'

/**
 * Ended tokens stand in the feed that every verifier reads; a document beside it makes two requests at
 * once one.
 */
export function firestoreTokenRevocations(tenants: TenantFirestore): TokenRevocations {
  return {
    add: async (ctx, { tokenId, revocation, event, audit }) => {
      const path = ['auth_replay', hashedId('revoked', sha256Hex(tokenId))]
      const fields = { kind: 'revoked', expireAt: timestamp(revocation.exp * 1000) }
      const added = await tenants.optimistic(ctx, undefined, async (db) =>
        ok({
          value: null,
          writes: [db.create(path, fields, { once: true })],
          events: [{ topic: 'auth-facts' as const, event }],
          audit,
          revocations: [revocation],
        }),
      )
      return added.ok ? ok(undefined) : added
    },
  }
}

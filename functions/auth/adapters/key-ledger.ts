import { revokeUntilNow } from '#shared/contracts/revocation.ts'
import type { Commit, TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { ok } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { KeyLedger } from '../ports.ts'

export function firestoreKeyLedger(tenants: TenantFirestore): KeyLedger {
  const write = async (ctx: TenantContext, rest: Pick<Commit<never, undefined>, 'audit' | 'revocations'>) => {
    const written = await tenants.optimistic(ctx, undefined, async () =>
      ok({ value: undefined, writes: [], ...rest }),
    )
    if (!written.ok) throw new Error(`the audit was refused: ${written.detail}`)
  }
  return {
    record: (ctx, entry) => write(ctx, { audit: [entry] }),
    revoke: (ctx, kid, nowMs) =>
      write(ctx, {
        audit: [{ action: 'auth.key.compromised', target: kid }],
        revocations: [revokeUntilNow('signingKey', kid, nowMs, 'key_compromised')],
      }),
  }
}

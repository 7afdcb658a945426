import type { SystemFirestore } from '#shared/firestore/system.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { asRecord, type Parse } from '#shared/json.ts'
import { ok } from '#shared/result.ts'
import type { RevocationLedger } from '../ports/revocations.ts'

const parseClaim: Parse<{ readonly tenantId: unknown }> = (raw) =>
  ok({ tenantId: asRecord(raw)?.['tenantId'] })

export function firestoreRevocationLedger({
  tenants,
  system,
}: {
  readonly tenants: TenantFirestore
  readonly system: SystemFirestore
}): RevocationLedger {
  return {
    wasDone: async (ctx, claim) => {
      const found = await system.find('auth_inbox', claim.id, parseClaim)
      return found?.value.tenantId === ctx.tenantId
    },
    record: async (ctx, claim, done) => {
      const written = await tenants.optimistic(ctx, claim, async () =>
        ok({ value: undefined, writes: [], ...done }),
      )
      return written.ok ? ok(!written.value.duplicate) : written
    },
  }
}

import type { TenantId } from '../ids.ts'
import { ok } from '../result.ts'
import type { Database } from './database.ts'
import { readDocument } from './scoped.ts'

/** Which ids belong to tenants that were purged: tenant-events writes it, every function reads it. */
export type Tombstones = {
  /** Whether the id is that of a purged tenant. Once it is, it is for ever. */
  has(tenantId: TenantId): Promise<boolean>
}

const MOST_KNOWN = 10_000

/**
 * Looks each time, but for ids known to be gone: those never come back.
 *
 * The tombstone is written in the commit that removes the tenant, before any fact of it leaves: whoever
 * erased what is left of a tenant on the word of that fact finds the tombstone when a latecomer asks.
 */
export function tombstones(database: Database): Tombstones {
  const gone = new Set<TenantId>()
  return {
    has: async (tenantId) => {
      if (gone.has(tenantId)) return true
      if ((await readDocument(database, `tombstones/${tenantId}`, ok)) === undefined) return false
      if (gone.size >= MOST_KNOWN) gone.clear()
      gone.add(tenantId)
      return true
    },
  }
}

import type { Database } from '#shared/firestore/database.ts'
import { systemFirestore } from '#shared/firestore/system.ts'

/** Writes the tombstone of a purged tenant, as the last commit of its purge does. */
export async function bury(database: Database, tenantId: string): Promise<void> {
  const system = systemFirestore(database, 'lifecycle')
  const tombstone = { tenantId, operationId: 'op_purge', certificateId: 'c', purgedAtMs: 0 }
  await system.commit([system.create('tombstones', tenantId, tombstone)], `bury-${tenantId}`)
}

import { CALL_DEADLINE_MS, withDeadline } from '../deadline.ts'
import { TenantContext } from '../tenancy/context.ts'
import { type Database, reach } from './database.ts'

/** How many documents there are below a tenant, by collection: `auth_users`, `billing_invoices/lines`. */
export type Remains = Readonly<Record<string, number>>

/** Counting stops there: what matters is whether it is nothing. */
const MOST_COUNTED = 1_000

/**
 * Counts what is below one tenant, whoever wrote it, and nowhere else: collections are asked for by
 * walking, not by a list of those we know, so that what somebody forgot to list is found too.
 *
 * It reads names alone. The tenant's own document is not among them.
 */
export async function countRemains(database: Database, ctx: TenantContext): Promise<Remains> {
  if (!TenantContext.is(ctx)) throw new TypeError('not a tenant context')
  const { client } = await reach(database)
  const counts: Record<string, number> = {}
  const walk = async (document: ReturnType<typeof client.doc>, kind: string): Promise<void> => {
    const collections = await withDeadline('firestore.list', CALL_DEADLINE_MS, document.listCollections())
    for (const collection of collections) {
      const name = kind === '' ? collection.id : `${kind}/${collection.id}`
      const page = collection.select().limit(MOST_COUNTED).get()
      const { size } = await withDeadline('firestore.query', CALL_DEADLINE_MS, page)
      if (size > 0) counts[name] = (counts[name] ?? 0) + size
      // Documents that are gone may have left others below them; only a walk over their names shows it.
      if (size === MOST_COUNTED) continue
      const references = await withDeadline('firestore.list', CALL_DEADLINE_MS, collection.listDocuments())
      for (const reference of references) await walk(reference, name)
    }
  }
  await walk(client.doc(`tenants/${ctx.tenantId}`), '')
  return counts
}

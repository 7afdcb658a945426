import type { Filter } from '#shared/firestore/scoped.ts'
import type { TenantIndex } from '#shared/firestore/tenant-index.ts'
import type { Logger } from '#shared/log.ts'
import type { Tenant } from '../domain/tenant.ts'
import type { TenantDirectory } from '../ports.ts'
import { parseTenant } from './documents.ts'

/** Tenants by a query on their own documents; a document that does not parse is logged and left out. */
export function firestoreTenantDirectory(index: TenantIndex, log: Logger): TenantDirectory {
  const readable = (found: Awaited<ReturnType<typeof index.list<Tenant>>>): Tenant[] =>
    found.flatMap(({ id, parsed }) => {
      if (parsed.ok) return [parsed.value]
      log.error('tenant document does not parse', { tenantId: id, detail: parsed.detail })
      return []
    })
  return {
    list: async (filter, pageSize, after) => {
      const where: Filter[] = []
      if (filter.state !== undefined) where.push(['state', '==', filter.state])
      if (filter.tier !== undefined) where.push(['desired.tier', '==', filter.tier])
      // One more than asked for tells whether there is a next page.
      const query = { where, limit: pageSize + 1, ...(after === undefined ? {} : { after }) }
      const found = await index.list(query, parseTenant)
      const page = found.slice(0, pageSize)
      return { tenants: readable(page), next: found.length > pageSize ? page.at(-1)?.id : undefined }
    },
    find: async (tenantId) => {
      const where: Filter[] = [['tenantId', '==', tenantId]]
      return readable(await index.list({ where, limit: 1 }, parseTenant))[0]
    },
    // A tenant without a running operation has no such field and so is not in this index at all.
    due: async (nowMs, limit) =>
      readable(
        await index.list({ where: [['op.dueAtMs', '<=', nowMs]], orderBy: 'op.dueAtMs', limit }, parseTenant),
      ),
  }
}

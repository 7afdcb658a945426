import { z } from 'zod'
import type { SystemFirestore } from '#shared/firestore/system.ts'
import type { TenantId } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import type { TenantList } from '../ports.ts'

const COLLECTION = 'jobs'
const TENANT = 'tenant'

const parseTenant = parser(z.object({ tenantId: z.string() }))
const parsePlace = parser(z.object({ after: z.string().nullable() }))

/** The document that puts a tenant on the list; whoever hears of a tenant first writes it. */
export function listedTenant(tenantId: TenantId): { id: string; fields: Record<string, unknown> } {
  return { id: `${TENANT}_${tenantId}`, fields: { kind: TENANT, tenantId } }
}

/** Tenants and places in `jobs`: two kinds of small documents, told apart by `kind`. */
export function firestoreTenantList(system: SystemFirestore): TenantList {
  return {
    page: async (after, limit) => {
      const found = await system.list(
        COLLECTION,
        {
          where: [['kind', '==', TENANT]],
          orderBy: [['__name__', 'asc']],
          limit,
          ...(after === undefined ? {} : { startAfter: [listedTenant(after).id] }),
        },
        parseTenant,
      )
      return found.map(({ value }) => value.tenantId as TenantId)
    },
    place: async (job) => {
      const found = await system.find(COLLECTION, `place_${job}`, parsePlace)
      return (found?.value.after ?? undefined) as TenantId | undefined
    },
    keepPlace: (job, after) =>
      system.merge(COLLECTION, `place_${job}`, { kind: 'place', after: after ?? null }),
  }
}

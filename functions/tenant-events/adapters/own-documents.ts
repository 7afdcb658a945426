import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Database } from '#shared/firestore/database.ts'
import { DOCUMENTS } from '#shared/firestore/documents.ts'
import { countRemains } from '#shared/firestore/remains.ts'
import type { SystemFirestore } from '#shared/firestore/system.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import type { Ids, TenantId } from '#shared/ids.ts'
import { asRecord, type Parse, parser } from '#shared/json.ts'
import { quarantinedOf } from '#shared/pubsub/quarantine.ts'
import { ok } from '#shared/result.ts'
import { auditSource, documentsSource } from '#shared/tenant-export.ts'
import type { OwnDocuments } from '../ports/purge.ts'

type Deps = {
  readonly database: Database
  readonly tenants: TenantFirestore
  readonly system: SystemFirestore
  readonly ids: Ids
  readonly clock: { now(): number }
}

const PREFIX = 'tenants/{tenantId}/lifecycle_'
const COLLECTIONS: readonly string[] = [
  ...new Set(
    DOCUMENTS.filter(({ path }) => path.startsWith(PREFIX)).map(({ path }) => path.split('/')[2] ?? ''),
  ),
]
/** What lies beside the tenants and names one. Claims and sent events go by themselves, in 30 days at most. */
const BESIDE = ['timers', 'lifecycle_quarantine'] as const
const AT_ONCE = 100
const SEGMENTS_AT_ONCE = 300

/** Whatever it is, it goes: also what no parser takes any more. */
const anything: Parse<unknown> = (raw) => ok(raw)
const parseSegment = parser(z.object({ root: z.string() }))

/** What lifecycle keeps of a tenant in Firestore, and what anybody does. */
export function firestoreOwnDocuments(deps: Deps): OwnDocuments {
  return {
    eraseSome: async (ctx, operationId) => {
      for (const collection of BESIDE) {
        const erased = await eraseBeside(deps, collection, ctx.tenantId)
        if (erased > 0) return { [collection]: erased }
      }
      const stepped = await deps.tenants.optimistic(ctx, undefined, async (db) => {
        const counts: Record<string, number> = {}
        const writes: ReturnType<typeof db.delete>[] = []
        for (const collection of COLLECTIONS) {
          const found: Awaited<ReturnType<typeof db.list<unknown>>> = await db.list(
            [collection],
            { limit: AT_ONCE + 1 - writes.length },
            anything,
          )
          const old = found.filter(({ id }) => id !== operationId).slice(0, AT_ONCE)
          writes.push(...old.map((doc) => db.delete([collection, doc.id], doc)))
          if (old.length > 0) counts[collection] = old.length
          if (writes.length >= AT_ONCE) break
        }
        return ok({ value: counts, writes })
      })
      if (!stepped.ok || stepped.value.duplicate) throw new Error('erasing own documents was refused')
      return stepped.value.value
    },
    countLeft: async (ctx, operationId) => {
      const left = { ...(await countRemains(deps.database, ctx)) }
      const own = await deps.tenants.withTenant(ctx, (db) =>
        db.find(['lifecycle_operations', operationId], anything),
      )
      const others = (left['lifecycle_operations'] ?? 0) - (own === undefined ? 0 : 1)
      if (others > 0) return { ...left, lifecycle_operations: others }
      delete left['lifecycle_operations']
      return left
    },
    exportPage: async (ctx, what, after) => {
      if (what === 'audit') return auditSource(deps.tenants, ctx).page(after)
      if (what === 'operations') {
        return documentsSource(deps.tenants, ctx, 'lifecycle_operations').page(after)
      }
      const tenant = await deps.tenants.withTenant(ctx, (db) => db.find([], anything))
      const { commitId: _commitId, ...fields } = asRecord(tenant?.value) ?? {}
      return { rows: tenant === undefined ? [] : [fields], next: undefined }
    },
    auditRoot: async (ctx) =>
      deps.tenants.withTenant(ctx, async (db) => {
        const hash = createHash('sha256')
        let segments = 0
        for (let after: string | undefined; ; ) {
          const options = { orderBy: [['__name__', 'asc']] as const, limit: SEGMENTS_AT_ONCE }
          const from = after === undefined ? options : { ...options, startAfter: [after] }
          const found = await db.listAudit(from, parseSegment)
          for (const { id, value } of found) hash.update(`${id}:${value.root}\n`)
          segments += found.length
          after = found.at(-1)?.id
          if (found.length < SEGMENTS_AT_ONCE) return { root: hash.digest('hex'), segments }
        }
      }),
  }
}

async function eraseBeside(
  { clock, ids, system }: Deps,
  collection: (typeof BESIDE)[number],
  tenantId: TenantId,
): Promise<number> {
  const [own, claimed] = quarantinedOf(tenantId)
  const list = (where: typeof own | typeof claimed) =>
    system.list(collection, { where, limit: AT_ONCE }, anything)
  const proven = await list(own)
  const found = proven.length > 0 ? proven : await list(claimed)
  if (found.length === 0) return 0
  const writes = found.map((doc) => system.delete(collection, doc))
  const { kind } = await system.commit(writes, ids.uuid(clock.now()))
  // Somebody else's change came between: they are read again.
  return kind === 'conflict' ? 1 : found.length
}

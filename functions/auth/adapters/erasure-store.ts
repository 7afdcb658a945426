import { z } from 'zod'
import { authErased } from '#shared/contracts/events/auth-erased.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { DOCUMENTS } from '#shared/firestore/documents.ts'
import type { Doc, ScopedDb } from '#shared/firestore/scoped.ts'
import type { SystemFirestore } from '#shared/firestore/system.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { hashedId, type Ids, type TenantId } from '#shared/ids.ts'
import { type Parse, parser } from '#shared/json.ts'
import { ok } from '#shared/result.ts'
import { parseTenantAuthState } from '../domain/tenant-state.ts'
import type { ErasureStore } from '../ports/erasure.ts'

const STATE = ['auth_state', 'current']
const PROGRESS = ['auth_state', 'erasure']
const DOMAIN_OWNERS = 'domainOwners'
/** Documents that one commit erases. */
const AT_ONCE = 200

/** State says that the tenant is gone, and the grave of its key that none comes after it. */
const KEPT = ['auth_state', 'auth_shred']
const PREFIX = 'tenants/{tenantId}/auth_'
const COLLECTIONS: readonly string[] = [
  ...new Set(
    DOCUMENTS.filter(({ path }) => path.startsWith(PREFIX)).map(({ path }) => path.split('/')[2] ?? ''),
  ),
].filter((collection) => !KEPT.includes(collection))

type Progress = {
  readonly counts: Readonly<Record<string, number>>
  /** Purges that were answered, by what asked. */
  readonly answered: readonly string[]
  readonly startedAt: number
}

const parseProgress = parser<Progress>(
  z.object({
    counts: z.record(z.string(), z.number().int()),
    answered: z.array(z.string()),
    startedAt: z.number().int(),
  }),
)
/** Whatever it is, it goes: also what no parser takes any more. */
const anything: Parse<unknown> = (raw) => ok(raw)
const parseOwner = parser(z.object({ tenantId: z.string() }))

export function firestoreErasure(deps: {
  readonly tenants: TenantFirestore
  readonly system: SystemFirestore
  readonly ids: Ids
}): ErasureStore {
  return {
    isLeaving: (ctx) =>
      deps.tenants.withTenant(ctx, async (db) => {
        const state = await db.find(STATE, parseTenantAuthState)
        return state?.value.status === 'PURGING' || state?.value.status === 'PURGED'
      }),
    step: async (ctx, erasure) => {
      if (await releaseDomains(deps, ctx.tenantId, erasure.nowMs)) return false
      const stepped = await deps.tenants.optimistic(ctx, undefined, async (db) => {
        const [progress, found] = await Promise.all([db.find(PROGRESS, parseProgress), someOf(db)])
        const before = progress?.value ?? { counts: {}, answered: [], startedAt: erasure.nowMs }
        const save = (next: Progress) =>
          progress === undefined
            ? db.create(PROGRESS, { ...next })
            : db.update(PROGRESS, progress, { ...next })
        if (found.length > 0) {
          const counts = { ...before.counts }
          for (const { collection } of found) {
            const name = collection.slice('auth_'.length)
            counts[name] = (counts[name] ?? 0) + 1
          }
          const erased = found.map(({ collection, doc }) => db.delete([collection, doc.id], doc))
          return ok({ value: false, writes: [...erased, save({ ...before, counts })] })
        }
        const asked = erasure.operationId ?? 'purge'
        if (before.answered.includes(asked)) return ok({ value: true, writes: [] })
        return ok({
          value: true,
          writes: [save({ ...before, answered: [...before.answered, asked] })],
          events: [{ topic: 'auth-facts' as const, event: answerOf(db.tenantId, before.counts, erasure) }],
          audit: [{ action: 'auth.tenant.erased', target: db.tenantId, outcome: textOf(before.counts) }],
        })
      })
      if (!stepped.ok) throw new Error(`erasing was refused: ${stepped.detail}`)
      return !stepped.value.duplicate && stepped.value.value
    },
  }
}

/** Some of what is left, of whatever kind. */
async function someOf<S>(
  db: ScopedDb<S>,
): Promise<readonly { readonly collection: string; readonly doc: Doc<S, unknown> }[]> {
  const found = await Promise.all(
    COLLECTIONS.map(async (collection) => {
      const docs = await db.list([collection], { limit: AT_ONCE }, anything)
      return docs.map((doc) => ({ collection, doc }))
    }),
  )
  return found.flat().slice(0, AT_ONCE)
}

/** Lets another tenant prove the domains of this one; true when there were some. */
async function releaseDomains(
  { ids, system }: { readonly ids: Ids; readonly system: SystemFirestore },
  tenantId: TenantId,
  nowMs: number,
): Promise<boolean> {
  const where = [['tenantId', '==', tenantId]] as const
  const owned = await system.list(DOMAIN_OWNERS, { where, limit: AT_ONCE }, parseOwner)
  if (owned.length === 0) return false
  await system.commit(
    owned.map((doc) => system.delete(DOMAIN_OWNERS, doc)),
    ids.uuid(nowMs),
  )
  return true
}

function answerOf(
  tenantId: TenantId,
  counts: Progress['counts'],
  { nowMs, operationId, trace }: Parameters<ErasureStore['step']>[1],
) {
  return newEvent({
    // The same however often it is asked for: a purge is answered once.
    id: `erased:${hashedId(tenantId, operationId ?? '')}`,
    source: '//energent.ai/auth',
    type: authErased.type,
    tenantId,
    nowMs,
    trace,
    data: {
      tenantId,
      ...(operationId === undefined ? {} : { operationId }),
      counts: { ...counts },
      at: new Date(nowMs).toISOString(),
    },
  })
}

function textOf(counts: Progress['counts']): string {
  return Object.entries(counts)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')
}

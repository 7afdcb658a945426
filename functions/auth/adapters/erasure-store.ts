import { z } from 'zod'
import { authErased } from '#shared/contracts/events/auth-erased.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { DOCUMENTS } from '#shared/firestore/documents.ts'
import type { Doc, ScopedDb } from '#shared/firestore/scoped.ts'
import type { SystemFirestore } from '#shared/firestore/system.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { hashedId, type Ids, type TenantId } from '#shared/ids.ts'
import { type Parse, parser } from '#shared/json.ts'
import { quarantinedOf } from '#shared/pubsub/quarantine.ts'
import { ok } from '#shared/result.ts'
import { parseTenantAuthState } from '../domain/tenant-state.ts'
import type { ErasureStore } from '../ports/erasure.ts'

const STATE = ['auth_state', 'current']
const PROGRESS = ['auth_state', 'erasure']
/** Another tenant may prove the domains of this one. */
const DOMAIN_OWNERS = 'domainOwners'
/** What could not be applied is the tenant's too. */
const QUARANTINE = 'auth_quarantine'
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
      if (await eraseNamed(deps, DOMAIN_OWNERS, ctx.tenantId, erasure.nowMs)) return false
      if (await eraseNamed(deps, QUARANTINE, ctx.tenantId, erasure.nowMs)) return false
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
    forget: async (ctx, nowMs) => {
      while (await eraseNamed(deps, DOMAIN_OWNERS, ctx.tenantId, nowMs));
      while (await eraseNamed(deps, QUARANTINE, ctx.tenantId, nowMs));
      for (let left = true; left; ) {
        const stepped = await deps.tenants.optimistic(ctx, undefined, async (db) => {
          const found = await someOf(db, [...COLLECTIONS, ...KEPT])
          const writes = found.map(({ collection, doc }) => db.delete([collection, doc.id], doc))
          // Verifiers hold copies of the state: the feed tells them to look again.
          return ok({ value: found.length > 0, writes, stateChanged: found.length > 0 })
        })
        if (!stepped.ok) throw new Error(`forgetting was refused: ${stepped.detail}`)
        left = !stepped.value.duplicate && stepped.value.value
      }
    },
  }
}

/** Some of what is left, of whatever kind. */
async function someOf<S>(
  db: ScopedDb<S>,
  collections = COLLECTIONS,
): Promise<readonly { readonly collection: string; readonly doc: Doc<S, unknown> }[]> {
  const found = await Promise.all(
    collections.map(async (collection) => {
      const docs = await db.list([collection], { limit: AT_ONCE }, anything)
      return docs.map((doc) => ({ collection, doc }))
    }),
  )
  return found.flat().slice(0, AT_ONCE)
}

/** Erases what lies beside the tenants and names this one; true when there was some. */
async function eraseNamed(
  { ids, system }: { readonly ids: Ids; readonly system: SystemFirestore },
  collection: string,
  tenantId: TenantId,
  nowMs: number,
): Promise<boolean> {
  // Nothing else has claims, and nothing of it is found by them.
  for (const where of quarantinedOf(tenantId)) {
    const found = await system.list(collection, { where, limit: AT_ONCE }, anything)
    if (found.length === 0) continue
    await system.commit(
      found.map((doc) => system.delete(collection, doc)),
      ids.uuid(nowMs),
    )
    return true
  }
  return false
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

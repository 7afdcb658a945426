import { z } from 'zod'
import { billingErased } from '#shared/contracts/events/billing-erased.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { DOCUMENTS } from '#shared/firestore/documents.ts'
import type { Doc, ScopedDb, Write } from '#shared/firestore/scoped.ts'
import type { SystemFirestore } from '#shared/firestore/system.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { hashedId, type Ids, type TenantId } from '#shared/ids.ts'
import { asRecord, type Parse, parser } from '#shared/json.ts'
import { quarantinedOf } from '#shared/pubsub/quarantine.ts'
import { ok } from '#shared/result.ts'
import { parseProjection } from '../domain/tenant-projection.ts'
import type { Erasure, ErasureStore } from '../ports/erasure.ts'

const TENANT = ['billing_tenant', 'current']
const PROGRESS = ['billing_tenant', 'erasure']
const QUARANTINE = 'billing_quarantine'
const JOBS = 'jobs'
/** Documents that one commit erases: an invoice's lines are large, and a request has 10 MiB. */
const AT_ONCE = 100

/** Says that the tenant is gone, so that nothing of it is taken any more. */
const KEPT = ['billing_tenant']
/** What the law wants kept, unless it never became more than a draft. */
const ARCHIVED = ['billing_invoices', 'billing_creditNotes']
const PREFIX = 'tenants/{tenantId}/billing_'

/** Collections below a tenant, and those below their documents. */
const COLLECTIONS: ReadonlyMap<string, readonly string[]> = collectionsOf()

type Progress = {
  readonly counts: Readonly<Record<string, number>>
  readonly archived: number
  /** Purges that were answered, by what asked. */
  readonly answered: readonly string[]
  readonly startedAtMs: number
}

const parseProgress = parser<Progress>(
  z.object({
    counts: z.record(z.string(), z.number().int()),
    archived: z.number().int(),
    answered: z.array(z.string()),
    startedAtMs: z.number().int(),
  }),
)
const parseJob = parser(z.object({ kind: z.string() }))
/** Whatever it is, it goes: also what no parser takes any more. */
const anything: Parse<unknown> = (raw) => ok(raw)

type Found<S> = {
  /** As a path below the tenant. */
  readonly path: readonly string[]
  readonly doc: Doc<S, unknown>
  readonly archive: boolean
}

export function firestoreErasure(deps: {
  readonly tenants: TenantFirestore
  readonly system: SystemFirestore
  readonly ids: Ids
}): ErasureStore {
  return {
    isLeaving: (ctx) =>
      deps.tenants.withTenant(ctx, async (db) => {
        const tenant = await db.find(TENANT, parseProjection)
        return tenant?.value.state === 'PURGING' || tenant?.value.state === 'PURGED'
      }),
    step: async (ctx, erasure) => {
      if (await eraseQuarantined(deps, ctx.tenantId, erasure.nowMs)) return false
      const stepped = await deps.tenants.optimistic(ctx, undefined, async (db) => {
        const progress = await db.find(PROGRESS, parseProgress)
        const before = progress?.value ?? nothingYet(erasure.nowMs)
        const save = (next: Progress) =>
          progress === undefined
            ? db.create(PROGRESS, { ...next })
            : db.update(PROGRESS, progress, { ...next })
        const found = await someOf(db)
        if (found.length > 0) {
          const writes = found.flatMap((one) => eraseOne(db, one, erasure.nowMs))
          return ok({ value: false, writes: [...writes, save(counted(before, found))] })
        }
        if (before.answered.includes(erasure.operationId)) return ok({ value: true, writes: [] })
        const answered = { ...before, answered: [...before.answered, erasure.operationId] }
        return ok({
          value: true,
          writes: [save(answered)],
          events: [{ topic: 'billing-facts' as const, event: answerOf(db.tenantId, before, erasure) }],
          audit: [{ action: 'billing.tenant.erased', target: db.tenantId, outcome: textOf(before.counts) }],
        })
      })
      if (!stepped.ok) throw new Error(`erasing was refused: ${stepped.detail}`)
      const done = !stepped.value.duplicate && stepped.value.value
      if (done) await leaveJobs(deps, ctx.tenantId, erasure.nowMs, (kind) => kind !== 'due')
      return done
    },
    forget: async (ctx, nowMs) => {
      while (await eraseQuarantined(deps, ctx.tenantId, nowMs));
      for (let left = true; left; ) {
        const stepped = await deps.tenants.optimistic(ctx, undefined, async (db) => {
          const rest = await Promise.all(KEPT.map((name) => db.list([name], { limit: AT_ONCE }, anything)))
          const kept = KEPT.flatMap((name, at) =>
            (rest[at] ?? []).map((doc) => db.delete([name, doc.id], doc)),
          )
          const late = (await someOf(db)).flatMap((one) => eraseOne(db, one, nowMs))
          return ok({ value: late.length > 0, writes: [...late, ...kept] })
        })
        if (!stepped.ok) throw new Error(`forgetting was refused: ${stepped.detail}`)
        left = !stepped.value.duplicate && stepped.value.value
      }
      await leaveJobs(deps, ctx.tenantId, nowMs, () => true)
    },
  }
}

/** Some of what is left, of whatever kind; what lies below a document before the document. */
async function someOf<S>(db: ScopedDb<S>): Promise<readonly Found<S>[]> {
  const found: Found<S>[] = []
  for (const [collection, below] of COLLECTIONS) {
    const docs = await db.list([collection], { limit: AT_ONCE - found.length }, anything)
    for (const doc of docs) {
      const archive = ARCHIVED.includes(collection) && asRecord(doc.value)?.['status'] !== 'draft'
      let whole = true
      for (const inner of below) {
        const path = [collection, doc.id, inner]
        const room = AT_ONCE - found.length
        const inside = room > 0 ? await db.list(path, { limit: room }, anything) : []
        found.push(...inside.map((one) => ({ path: [...path, one.id], doc: one, archive })))
        whole &&= room > 0 && inside.length < room
      }
      if (whole && found.length < AT_ONCE) found.push({ path: [collection, doc.id], doc, archive })
    }
    if (found.length >= AT_ONCE) break
  }
  return found
}

/** The archive keeps what the document held, at the same place below the tenant's archive. */
function eraseOne<S>(db: ScopedDb<S>, { path, doc, archive }: Found<S>, nowMs: number): Write<S>[] {
  const erased = db.delete(path, doc)
  if (!archive) return [erased]
  const [collection = '', ...rest] = path
  const parent = ['billingArchive', db.tenantId, collection.slice('billing_'.length), ...rest.slice(0, -1)]
  const { commitId: _commitId, ...held } = asRecord(doc.value) ?? {}
  const kept = { ...held, tenantId: db.tenantId, archivedAtMs: nowMs }
  return [erased, db.createSystem(parent.join('/'), doc.id, kept)]
}

function counted<S>(before: Progress, found: readonly Found<S>[]): Progress {
  const counts = { ...before.counts }
  let { archived } = before
  for (const { path, archive } of found) {
    const name = path
      .filter((_, index) => index % 2 === 0)
      .join('.')
      .slice('billing_'.length)
    counts[name] = (counts[name] ?? 0) + 1
    if (archive && path.length === 2) archived += 1
  }
  return { ...before, counts, archived }
}

/** Usage that nobody could apply is the tenant's too; true when there was some. */
async function eraseQuarantined(
  { ids, system }: { readonly ids: Ids; readonly system: SystemFirestore },
  tenantId: TenantId,
  nowMs: number,
): Promise<boolean> {
  for (const where of quarantinedOf(tenantId)) {
    const found = await system.list(QUARANTINE, { where, limit: AT_ONCE }, anything)
    if (found.length === 0) continue
    await system.commit(
      found.map((doc) => system.delete(QUARANTINE, doc)),
      ids.uuid(nowMs),
    )
    return true
  }
  return false
}

/**
 * Jobs look at the tenant no more. What its invoices add to the revenue of a month stays, or the books of
 * the operator would change: but it no longer says whose they were.
 */
async function leaveJobs(
  { ids, system }: { readonly ids: Ids; readonly system: SystemFirestore },
  tenantId: TenantId,
  nowMs: number,
  mayGo: (kind: unknown) => boolean,
): Promise<void> {
  const nobody = `gone_${hashedId('tenant', tenantId).slice(0, 24)}`
  for (;;) {
    const where = [['tenantId', '==', tenantId]] as const
    const found = await system.list(JOBS, { where, limit: AT_ONCE }, parseJob)
    const writes = found
      .filter(({ value }) => mayGo(value.kind))
      .map((doc) =>
        doc.value.kind === 'revenue'
          ? system.update(JOBS, doc, { tenantId: nobody })
          : system.delete(JOBS, doc),
      )
    if (writes.length === 0) return
    await system.commit(writes, ids.uuid(nowMs))
  }
}

function answerOf(tenantId: TenantId, { counts, archived }: Progress, erasure: Erasure) {
  const { nowMs, operationId, trace } = erasure
  return newEvent({
    // The same however often it is asked for: a purge is answered once.
    id: `erased:${hashedId(tenantId, operationId)}`,
    source: '//energent.ai/billing',
    type: billingErased.type,
    tenantId,
    nowMs,
    trace,
    data: {
      tenantId,
      ...(operationId === '' ? {} : { operationId }),
      counts: { ...counts },
      archived,
      at: new Date(nowMs).toISOString(),
    },
    ...(operationId === '' ? {} : { correlationId: operationId }),
  })
}

function nothingYet(nowMs: number): Progress {
  return { counts: {}, archived: 0, answered: [], startedAtMs: nowMs }
}

function textOf(counts: Progress['counts']): string {
  return Object.entries(counts)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')
}

function collectionsOf(): ReadonlyMap<string, readonly string[]> {
  const collections = new Map<string, string[]>()
  for (const { path } of DOCUMENTS) {
    if (!path.startsWith(PREFIX)) continue
    const [, , collection = '', , inner] = path.split('/')
    if (KEPT.includes(collection)) continue
    const below = collections.get(collection) ?? []
    if (inner !== undefined) below.push(inner)
    collections.set(collection, below)
  }
  return collections
}

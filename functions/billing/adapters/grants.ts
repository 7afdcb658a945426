import { z } from 'zod'
import type { Doc, ScopedDb, Write } from '#shared/firestore/scoped.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { type Applied, type Grant, isOver, parseGrant } from '../domain/grant.ts'
import { formatDecimal } from '../domain/rational.ts'
import type { Grants } from '../ports/contracts.ts'

const GRANTS = 'billing_grants'
/** Guards what is read of all grants together: a list alone is guarded by nothing. */
const HEAD = ['billing_credit', 'head']
const MOST_LIVE = 500
const MOST_EVER = 5_000

type Head = { readonly rev: number }
const parseHead = parser<Head>(z.object({ rev: z.number().int() }))

/** All grants as they stand, in a decision that may change them. */
export type GrantDocs<S> = {
  readonly head: Doc<S, Head> | undefined
  readonly docs: readonly Doc<S, Grant>[]
}

/** Reads all grants for a decision; `grantWrites` or `verifyGrants` goes into the same commit. */
export async function readGrants<S>(db: ScopedDb<S>): Promise<GrantDocs<S>> {
  const head = await db.find(HEAD, parseHead)
  const docs = await db.list([GRANTS], { orderBy: [['__name__', 'asc']], limit: MOST_EVER }, parseGrant)
  return { head, docs }
}

/** Lets the commit fail if any grant changed since it was read. */
export function verifyGrants<S>(db: ScopedDb<S>, { head }: GrantDocs<S>): Write<S> {
  return db.verify(HEAD, head)
}

/** Writes what an invoice burnt; the same invoice must not be burnt twice, which its own document guards. */
export function burnWrites<S>(
  db: ScopedDb<S>,
  grants: GrantDocs<S>,
  invoiceId: string,
  applied: readonly Applied[],
): Write<S>[] {
  const byGrant = Map.groupBy(applied, ({ grantId }) => grantId)
  const touched = grants.docs.flatMap((doc) => {
    const burns = byGrant.get(doc.id)
    if (burns === undefined) return []
    const added = burns.map(({ atMs, amount }) => ({ invoiceId, atMs, amount: formatDecimal(amount) }))
    return [db.update([GRANTS, doc.id], doc, { burns: [...doc.value.burns, ...added] })]
  })
  return [...touched, nextHead(db, grants)]
}

/** Gives back what an invoice burnt, when it is void. */
export function unburnWrites<S>(db: ScopedDb<S>, grants: GrantDocs<S>, invoiceId: string): Write<S>[] {
  const touched = grants.docs
    .filter(({ value }) => value.burns.some((burn) => burn.invoiceId === invoiceId))
    .map((doc) =>
      db.update([GRANTS, doc.id], doc, {
        burns: doc.value.burns.filter((burn) => burn.invoiceId !== invoiceId),
      }),
    )
  return touched.length === 0 ? [] : [...touched, nextHead(db, grants)]
}

export function revOf<S>({ head }: GrantDocs<S>): number {
  return head?.value.rev ?? 0
}

export function firestoreGrants(tenants: TenantFirestore): Grants {
  return {
    read: (ctx) =>
      tenants.withTenant(ctx, async (db) => {
        const found = await readGrants(db)
        return { grants: found.docs.map(({ value }) => value), rev: revOf(found) }
      }),
    find: async (ctx, grantId) =>
      (await tenants.withTenant(ctx, (db) => db.find([GRANTS, grantId], parseGrant)))?.value,
    add: async (ctx, claim, grant) => {
      const added = await tenants.optimistic(ctx, claim, async (db) => {
        const found = await readGrants(db)
        const live = found.docs.filter(({ value }) => !isOver(value, grant.createdAtMs))
        if (live.length >= MOST_LIVE || found.docs.length >= MOST_EVER) {
          return refuse('credit.limit_reached', `${live.length} grants`)
        }
        return ok({
          value: { grant },
          writes: [db.create([GRANTS, grant.grantId], { ...grant }), nextHead(db, found)],
          audit: [{ action: 'credit.granted', target: grant.grantId }],
        })
      })
      if (!added.ok) return added
      if (!added.value.duplicate) return ok({ grant, replayed: false })
      return ok({ grant: grantOfAnswer(added.value.answer), replayed: true })
    },
    void: (ctx, claim, grantId, nowMs) =>
      tenants
        .optimistic(ctx, claim, async (db) => {
          const found = await readGrants(db)
          const doc = found.docs.find(({ id }) => id === grantId)
          if (doc === undefined) return refuse('resource.not_found', 'no such grant')
          if (doc.value.voidedAtMs !== null) return refuse('credit.voided', grantId)
          const voided = { ...doc.value, voidedAtMs: nowMs }
          return ok({
            value: { grant: voided },
            writes: [db.update([GRANTS, grantId], doc, { voidedAtMs: nowMs }), nextHead(db, found)],
            audit: [{ action: 'credit.voided', target: grantId }],
          })
        })
        .then((done): Result<Grant> => {
          if (!done.ok) return done
          return ok(done.value.duplicate ? grantOfAnswer(done.value.answer) : done.value.value.grant)
        }),
  }
}

function nextHead<S>(db: ScopedDb<S>, { head }: GrantDocs<S>): Write<S> {
  return head === undefined ? db.create(HEAD, { rev: 1 }) : db.update(HEAD, head, { rev: head.value.rev + 1 })
}

/** What the first request was answered; it was ours and is parsed all the same. */
function grantOfAnswer(answer: unknown): Grant {
  const parsed = parseGrant((answer as { grant?: unknown } | undefined)?.grant)
  if (!parsed.ok) throw new Error(`a kept answer does not parse: ${parsed.detail}`)
  return parsed.value
}

import { z } from 'zod'
import type { Doc, ScopedDb, Write } from '#shared/firestore/scoped.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { parser } from '#shared/json.ts'
import { ok } from '#shared/result.ts'
import type { InvoiceLine } from '../domain/invoice/line.ts'
import { parseStoredInvoice, type StoredInvoice, storedFields } from '../domain/invoice/stored-invoice.ts'
import { parseSubscription } from '../domain/subscription.ts'
import type { InvoiceChange, InvoiceStore } from '../ports/invoices.ts'
import { burnWrites, readGrants, unburnWrites, verifyGrants } from './grants.ts'
import { JOBS, revenueFields, revenueId } from './revenue.ts'

const INVOICES = 'billing_invoices'
const SUBSCRIPTION = ['billing_subscriptions', 'main']
/** Guards what is read of all invoices together: a list alone is guarded by nothing. */
const HEAD = ['billing_invoiceBook', 'head']
/** More than a year of months, each with a few revisions. */
const RECENT = 40
const LINE_PAGE = 300

const parseHead = parser<{ readonly rev: number }>(z.object({ rev: z.number().int() }))
const parseLine = parser<{ readonly position: number; readonly line: InvoiceLine }>(
  z.object({
    position: z.number().int(),
    // What we wrote ourselves from a line that was calculated.
    line: z.string().transform((text): InvoiceLine => JSON.parse(text)),
  }),
)

/** Invoices in Firestore: a document each, its lines below it, and one head that all changes pass through. */
export function firestoreInvoices(tenants: TenantFirestore): InvoiceStore {
  return {
    read: (ctx) =>
      tenants.withTenant(ctx, async (db) => {
        const book = await readBook(db)
        return bookOf(book)
      }),
    find: async (ctx, invoiceId) =>
      (await tenants.withTenant(ctx, (db) => db.find([INVOICES, invoiceId], parseStoredInvoice)))?.value,
    lines: (ctx, invoiceId) =>
      tenants.withTenant(ctx, async (db) => {
        const lines: InvoiceLine[] = []
        for (;;) {
          const page = await db.list(
            [INVOICES, invoiceId, 'lines'],
            { orderBy: [['position', 'asc']], startAfter: [lines.length - 1], limit: LINE_PAGE },
            parseLine,
          )
          lines.push(...page.map(({ value }) => value.line))
          if (page.length < LINE_PAGE) return lines
        }
      }),
    list: (ctx, after, limit) =>
      tenants.withTenant(ctx, async (db) => {
        const startAfter = after === undefined ? {} : { startAfter: [after] }
        const options = { orderBy: [['sortKey', 'desc']], limit, ...startAfter } as const
        return (await db.list([INVOICES], options, parseStoredInvoice)).map(({ value }) => value)
      }),
    change: async (ctx, claim, decide) => {
      const committed = await tenants.optimistic(ctx, claim, async (db) => {
        const book = await readBook(db)
        const change = decide(bookOf(book))
        if (!change.ok) return change
        const { value, facts = [], audit = [] } = change.value
        return ok({
          value,
          writes: writesOf(db, book, change.value),
          events: facts.map((event) => ({ topic: 'billing-facts' as const, event })),
          audit,
        })
      })
      if (!committed.ok) return committed
      const { value } = committed
      return value.duplicate
        ? ok({ duplicate: true, value: value.answer as never })
        : ok({ duplicate: false, value: value.value })
    },
  }
}

type Book<S> = Awaited<ReturnType<typeof readBook<S>>>

async function readBook<S>(db: ScopedDb<S>) {
  // The head first: what is listed is then at least as new as the head that the commit is guarded by.
  const head = await db.find(HEAD, parseHead)
  const [subscription, grants, invoices] = await Promise.all([
    db.find(SUBSCRIPTION, parseSubscription),
    readGrants(db),
    db.list([INVOICES], { orderBy: [['sortKey', 'desc']], limit: RECENT }, parseStoredInvoice),
  ])
  return { head, subscription, grants, invoices }
}

function bookOf<S>({ subscription, grants, invoices }: Book<S>) {
  return {
    subscription: subscription?.value,
    grants: grants.docs.map(({ value }) => value),
    invoices: invoices.map(({ value }) => value),
  }
}

function writesOf<S>(db: ScopedDb<S>, book: Book<S>, change: InvoiceChange<unknown>): Write<S>[] {
  const { head, subscription, grants } = book
  const known = new Map(book.invoices.map((doc) => [doc.id, doc]))
  const nextHead =
    head === undefined ? db.create(HEAD, { rev: 1 }) : db.update(HEAD, head, { rev: head.value.rev + 1 })
  return [
    nextHead,
    db.verify(SUBSCRIPTION, subscription),
    ...change.invoices.flatMap(({ invoice, lines = [] }) => [
      put(db, known.get(invoice.invoiceId), invoice),
      ...lines.map((line, position) =>
        db.create([INVOICES, invoice.invoiceId, 'lines', line.lineId], {
          position,
          line: JSON.stringify(line),
        }),
      ),
    ]),
    ...creditWrites(db, grants, change),
    ...(change.creditNote === undefined
      ? []
      : [
          db.create(['billing_creditNotes', change.creditNote.creditNoteId], {
            ...change.creditNote,
            netMinor: String(change.creditNote.netMinor),
            taxMinor: String(change.creditNote.taxMinor),
            totalMinor: String(change.creditNote.totalMinor),
            appliedMinor: String(change.creditNote.appliedMinor),
          }),
        ]),
    ...(change.revenue ?? []).map((row) => db.createSystem(JOBS, revenueId(row.rowId), revenueFields(row))),
  ]
}

function put<S>(db: ScopedDb<S>, doc: Doc<S, StoredInvoice> | undefined, invoice: StoredInvoice): Write<S> {
  const path = [INVOICES, invoice.invoiceId]
  const fields = storedFields(invoice)
  return doc === undefined ? db.create(path, fields) : db.update(path, doc, fields)
}

/** What grants give to one invoice and get back from another are two changes of one document. */
function creditWrites<S>(
  db: ScopedDb<S>,
  grants: Book<S>['grants'],
  change: InvoiceChange<unknown>,
): Write<S>[] {
  const { burns, unburn = [] } = change
  if (burns !== undefined && burns.applied.length > 0 && unburn.length === 0) {
    return burnWrites(db, grants, burns.invoiceId, burns.applied)
  }
  const [only] = unburn
  if (only !== undefined && (burns === undefined || burns.applied.length === 0)) {
    const writes = unburnWrites(db, grants, only)
    return writes.length > 0 ? writes : [verifyGrants(db, grants)]
  }
  if (only === undefined || burns === undefined) return [verifyGrants(db, grants)]
  return movedWrites(db, grants, only, burns)
}

function movedWrites<S>(
  db: ScopedDb<S>,
  grants: Book<S>['grants'],
  from: string,
  burns: NonNullable<InvoiceChange<unknown>['burns']>,
): Write<S>[] {
  const docs = grants.docs.map((doc) => ({
    ...doc,
    value: { ...doc.value, burns: doc.value.burns.filter(({ invoiceId }) => invoiceId !== from) },
  }))
  const burnt = burnWrites(db, { ...grants, docs }, burns.invoiceId, burns.applied)
  const touched = new Set(burns.applied.map(({ grantId }) => grantId))
  const given = docs
    .filter((doc, index) => {
      const before = grants.docs[index]?.value.burns.length ?? 0
      return !touched.has(doc.id) && doc.value.burns.length < before
    })
    .map((doc) => db.update(['billing_grants', doc.id], doc, { burns: doc.value.burns }))
  return [...given, ...burnt]
}

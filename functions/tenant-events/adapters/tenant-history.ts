import { z } from 'zod'
import type { ScopedDb } from '#shared/firestore/scoped.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { parser } from '#shared/json.ts'
import type { AuditedEntry } from '../domain/timeline.ts'
import type { HistoryPage, TenantHistory } from '../ports/history.ts'
import { parseOperation } from './documents.ts'

const parseSegment = parser(
  z.object({
    atMs: z.number(),
    entries: z.array(
      z.object({
        at: z.string(),
        actor: z.string(),
        action: z.string(),
        target: z.string(),
        outcome: z.string().optional(),
      }),
    ),
  }),
)
type Parsed = ReturnType<typeof parseSegment>
type Segment = { readonly id: string; readonly value: Extract<Parsed, { ok: true }>['value'] }

/** Where a page ended: what comes after is older, or stood before it in the same commit. */
type Position = { readonly atMs: number; readonly id: string; readonly index: number }

const NEWEST_FIRST = (field: string) =>
  [
    [field, 'desc'],
    ['__name__', 'desc'],
  ] as const

/** A tenant's history from its own operations and from lifecycle's part of its audit. */
export function firestoreTenantHistory(tenants: TenantFirestore): TenantHistory {
  return {
    operations: (ctx, pageSize, after) =>
      tenants.withTenant(ctx, async (db) => {
        const from = after === undefined ? undefined : parsePosition(after)
        const found = await db.list(
          ['lifecycle_operations'],
          {
            orderBy: NEWEST_FIRST('startedAtMs'),
            limit: pageSize + 1,
            ...(from === undefined ? {} : { startAfter: [from.atMs, from.id] }),
          },
          parseOperation,
        )
        const items = found.slice(0, pageSize).map(({ value }) => value)
        const last = found.length > pageSize ? items.at(-1) : undefined
        const end = last && { atMs: last.startedAtMs, id: last.operationId, index: 0 }
        return { items, next: end && formatPosition(end) }
      }),
    entries: (ctx, pageSize, after) =>
      tenants.withTenant(ctx, (db) =>
        entriesAfter(db, pageSize, after === undefined ? undefined : parsePosition(after)),
      ),
  }
}

async function entriesAfter<S>(
  db: ScopedDb<S>,
  pageSize: number,
  after: Position | undefined,
): Promise<HistoryPage<AuditedEntry>> {
  const found: { entry: AuditedEntry; position: Position }[] = []
  // The commit that the page before ended in may have more: it is read again.
  const where = after === undefined ? [] : ([['atMs', '<=', after.atMs]] as const)
  let startAfter: readonly unknown[] | undefined
  for (;;) {
    const options = { where, orderBy: NEWEST_FIRST('atMs'), limit: pageSize + 1 }
    const segments = await db.listAudit(
      startAfter === undefined ? options : { ...options, startAfter },
      parseSegment,
    )
    for (const segment of segments) {
      const entries = entriesOf(segment)
      found.push(...(after === undefined ? entries : entries.filter((one) => isBehind(one.position, after))))
    }
    const last = segments.at(-1)
    if (last === undefined || segments.length <= pageSize || found.length > pageSize) break
    startAfter = [last.value.atMs, last.id]
  }
  const page = found.slice(0, pageSize)
  const end = found.length > pageSize ? page.at(-1) : undefined
  return { items: page.map(({ entry }) => entry), next: end && formatPosition(end.position) }
}

/** The last of a commit first: it is what the commit came to. */
function entriesOf({ id, value }: Segment): { entry: AuditedEntry; position: Position }[] {
  return value.entries
    .map(({ outcome, ...entry }, index) => ({
      entry: { id: `${id}-${index}`, outcome, ...entry },
      position: { atMs: value.atMs, id, index },
    }))
    .reverse()
}

function isBehind(one: Position, after: Position): boolean {
  if (one.atMs !== after.atMs) return one.atMs < after.atMs
  return one.id === after.id ? one.index < after.index : one.id < after.id
}

function formatPosition({ atMs, id, index }: Position): string {
  return `${atMs}.${id}.${index}`
}

/** Positions come back sealed, just as they were given out. */
function parsePosition(text: string): Position {
  const [at, id, index] = text.split('.')
  return { atMs: Number(at), id: id ?? '', index: Number(index) }
}

import { z } from 'zod'
import { EXPORTED, type ExportingGroup, type ExportRequested } from './contracts/events/export-requested.ts'
import { newEvent } from './contracts/new-event.ts'
import { DependencyFailed } from './deadline.ts'
import type { ScopedDb } from './firestore/scoped.ts'
import type { TenantFirestore } from './firestore/tenant-store.ts'
import { sha256Hex } from './ids.ts'
import { asRecord, canonicalJson, type Parse, parser } from './json.ts'
import type { ObjectStore } from './object-store.ts'
import type { ReceivedEvent } from './pubsub/types.ts'
import { ok, type Result, refuse } from './result.ts'
import type { TenantContext } from './tenancy/context.ts'

type Row = Readonly<Record<string, unknown>>

/** One kind of what a group keeps of a tenant, page by page; `next` is where the following one begins. */
export type ExportSource = {
  readonly name: string
  page(
    after: string | undefined,
  ): Promise<{ readonly rows: readonly Row[]; readonly next: string | undefined }>
}

/** One part: an NDJSON file that is a member of the archive. */
export type ExportMember = {
  /** Its name in the archive, such as `billing/invoices-00001.ndjson`. */
  readonly path: string
  /** Its name in the bucket. */
  readonly object: string
  readonly sha256: string
  readonly bytes: number
  readonly rows: number
}

/** How far a part came: which source, where in it, and what is written. */
export type ExportProgress = {
  readonly source: number
  readonly after: string | null
  readonly members: readonly ExportMember[]
  readonly done: boolean
}

/** A part is about so large: memory holds one and its page, whatever the tenant has. */
const PART_BYTES = 4 * 1024 * 1024
const PAGE = 50

/** A member as manifests list it. */
export const exportMember = z.object({
  path: z.string(),
  object: z.string(),
  sha256: z.string(),
  bytes: z.number(),
  rows: z.number(),
})
const parseProgress = parser<ExportProgress>(
  z.object({
    source: z.number().int(),
    after: z.string().nullable(),
    members: z.string().transform((text) => z.array(exportMember).parse(JSON.parse(text))),
    done: z.boolean(),
  }),
)
/** What a group's manifest lists. */
export const parseExportManifest: Parse<{ members: readonly ExportMember[] }> = parser(
  z.object({ members: z.array(exportMember) }),
)
const anything: Parse<unknown> = (raw) => ok(raw)

/** Where everything of one export lies. */
export function exportPrefix(tenantId: string, operationId: string): string {
  return `exports/${tenantId}/${operationId}/`
}

/**
 * Writes what a group keeps of a tenant, part by part, and answers with the manifest of its parts, once.
 *
 * Each part is kept in the progress before the next is begun, so that a message that comes again goes on
 * from there; what was written and not kept is an object nobody lists, which goes with the export's folder.
 * Throws when the message's time is over: it comes again.
 */
export async function exportGroup(
  deps: {
    readonly group: ExportingGroup
    readonly tenants: TenantFirestore
    readonly objects: Pick<ObjectStore, 'put'> | undefined
  },
  received: ReceivedEvent<ExportRequested>,
  sources: readonly ExportSource[],
): Promise<Result<unknown>> {
  const { ctx, event, signal } = received
  const { group, objects, tenants } = deps
  if (objects === undefined) return refuse('export.invalid', 'there is no bucket for exports')
  const prefix = exportPrefix(ctx.tenantId, event.data.operationId)
  const path = [`${group}_exportParts`, event.data.operationId]
  const found = await tenants.withTenant(ctx, (db) => db.find(path, parseProgress))
  let progress: ExportProgress = found?.value ?? { source: 0, after: null, members: [], done: false }
  while (!progress.done && progress.source < sources.length) {
    if (signal.aborted) throw new DependencyFailed('there is more to export; the message comes again')
    const next = await writePart(objects, `${prefix}${group}/`, group, sources, progress)
    const kept = await keep(tenants, ctx, path, progress, next)
    // Somebody else writes it at the same time: one of the two goes on.
    if (!kept) return ok('exported elsewhere')
    progress = next
  }
  return answer(deps, objects, received, progress)
}

/** Writes the next part, if there is anything to write; the progress says where to go on. */
export async function writePart(
  objects: Pick<ObjectStore, 'put'>,
  prefix: string,
  group: string,
  sources: readonly ExportSource[],
  progress: ExportProgress,
): Promise<ExportProgress> {
  const source = sources[progress.source]
  if (source === undefined) return { ...progress, done: true }
  const lines: string[] = []
  let [size, after]: [number, string | undefined] = [0, progress.after ?? undefined]
  do {
    const page = await source.page(after)
    for (const row of page.rows) size += lines.push(canonicalJson(plain(row))) && (lines.at(-1)?.length ?? 0)
    after = page.next
  } while (after !== undefined && size < PART_BYTES)
  const place = after === undefined ? { source: progress.source + 1, after: null } : { ...progress, after }
  if (lines.length === 0) return { ...progress, ...place }
  const bytes = Buffer.from(`${lines.join('\n')}\n`, 'utf8')
  const sha256 = sha256Hex(bytes)
  const own = progress.members.filter(({ path }) => path.startsWith(`${group}/${source.name}-`)).length
  const name = `${source.name}-${String(own + 1).padStart(5, '0')}`
  const object = `${prefix}${name}-${sha256.slice(0, 16)}.ndjson`
  await objects.put(object, bytes, 'application/x-ndjson')
  const path = `${group}/${name}.ndjson`
  const member = { path, object, sha256, bytes: bytes.length, rows: lines.length }
  return { ...progress, ...place, members: [...progress.members, member] }
}

async function keep(
  tenants: TenantFirestore,
  ctx: TenantContext,
  path: readonly string[],
  before: ExportProgress,
  after: ExportProgress,
): Promise<boolean> {
  const committed = await tenants.optimistic(ctx, undefined, async (db) => {
    const doc = await db.find(path, parseProgress)
    const same = (doc?.value.source ?? 0) === before.source && (doc?.value.after ?? null) === before.after
    if (!same) return ok({ value: false, writes: [] })
    const fields = { ...after, members: JSON.stringify(after.members) }
    return ok({
      value: true,
      writes: [doc === undefined ? db.create(path, fields) : db.update(path, doc, fields)],
    })
  })
  return committed.ok && !committed.value.duplicate && committed.value.value
}

async function answer(
  { group, tenants }: { readonly group: ExportingGroup; readonly tenants: TenantFirestore },
  objects: Pick<ObjectStore, 'put'>,
  { claim, ctx, event, nowMs, trace }: ReceivedEvent<ExportRequested>,
  { members }: ExportProgress,
): Promise<Result<unknown>> {
  const { operationId } = event.data
  const bytes = Buffer.from(canonicalJson({ group, members }), 'utf8')
  const sha256 = sha256Hex(bytes)
  const manifest = `${exportPrefix(ctx.tenantId, operationId)}${group}/manifest-${sha256.slice(0, 16)}.json`
  await objects.put(manifest, bytes, 'application/json')
  const fact = newEvent({
    id: `exported:${operationId}`,
    source: `//energent.ai/${group}`,
    type: EXPORTED[group].type,
    tenantId: ctx.tenantId,
    nowMs,
    correlationId: operationId,
    trace,
    data: {
      ...{ tenantId: ctx.tenantId, operationId, manifest, sha256, members: members.length },
      bytes: members.reduce((sum, member) => sum + member.bytes, 0),
      at: new Date(nowMs).toISOString(),
    },
  })
  // The progress stays to the end of the tenant, so that a copy of the command under another id does nothing.
  const path = [`${group}_exportParts`, operationId]
  return tenants.optimistic(ctx, claim, async (db) => {
    const doc = await db.find(path, parseProgress)
    if (doc?.value.done === true) return ok({ value: 'answered before', writes: [] })
    const fields = {
      source: doc?.value.source ?? 0,
      after: null,
      members: JSON.stringify(members),
      done: true,
    }
    const write = doc === undefined ? db.create(path, fields) : db.update(path, doc, fields)
    return ok({
      value: 'exported',
      writes: [write],
      events: [{ topic: `${group}-facts` as const, event: fact }],
      audit: [{ action: `${group}.tenant.exported`, target: manifest, outcome: `${members.length} parts` }],
    })
  })
}

/** All documents of one collection, in the order of their ids; `shown` says what of each is given out. */
export function documentsSource(
  tenants: TenantFirestore,
  ctx: TenantContext,
  collection: string,
  shown: (fields: Row, id: string) => Row | Promise<Row> = (fields) => fields,
): ExportSource {
  return {
    name: collection.slice(collection.indexOf('_') + 1),
    page: (after) =>
      tenants.withTenant(ctx, (db) =>
        pageOf(
          (options) => db.list([collection], options, anything),
          after,
          async ({ id, value }) => ({ id, ...(await shown(fieldsOf(value), id)) }),
        ),
      ),
  }
}

/** The group's own part of the tenant's audit. */
export function auditSource(tenants: TenantFirestore, ctx: TenantContext): ExportSource {
  return {
    name: 'audit',
    page: (after) =>
      tenants.withTenant(ctx, (db) =>
        pageOf(
          (options) => db.listAudit(options, anything),
          after,
          async ({ id, value }) => ({ id, ...fieldsOf(value) }),
        ),
      ),
  }
}

type Listed = { readonly id: string; readonly value: unknown }
type ListOptions = Parameters<ScopedDb<unknown>['list']>[1]

async function pageOf(
  list: (options: ListOptions) => Promise<readonly Listed[]>,
  after: string | undefined,
  rowOf: (doc: Listed) => Promise<Row>,
): Promise<{ rows: readonly Row[]; next: string | undefined }> {
  const options = { orderBy: [['__name__', 'asc']] as const, limit: PAGE }
  const docs = await list(after === undefined ? options : { ...options, startAfter: [after] })
  const rows: Row[] = []
  for (const doc of docs) rows.push(await rowOf(doc))
  return { rows, next: docs.length < PAGE ? undefined : docs.at(-1)?.id }
}

function fieldsOf(value: unknown): Row {
  const { commitId: _commitId, ...fields } = asRecord(value) ?? {}
  return fields
}

/** What JSON can say: bytes in base64, large integers as text. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (Array.isArray(value)) return value.map(plain)
  const record = asRecord(value)
  if (record === undefined) return value
  return Object.fromEntries(Object.entries(record).map(([key, member]) => [key, plain(member)]))
}

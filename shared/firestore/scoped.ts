import type { DocumentSnapshot, Query } from '@google-cloud/firestore'
import type { Group } from '../catalogue/functions.ts'
import { CALL_DEADLINE_MS, withDeadline } from '../deadline.ts'
import type { TenantId } from '../ids.ts'
import type { Parse } from '../json.ts'
import { type Database, reach } from './database.ts'
import {
  auditCollectionPath,
  auditDocumentPath,
  type DocumentPath,
  systemDocumentPath,
  tenantCollectionPath,
  tenantDocumentPath,
} from './paths.ts'
import { decode, type Fields } from './values.ts'

declare const scope: unique symbol

/** Marks documents that belong to no tenant's tree. */
export type SystemScope = { readonly system: true }

/** A document as it was read. `S` ties it to the tenant it was read for. */
export type Doc<S, T> = {
  readonly id: string
  readonly value: T
  /** The store's update time, opaque: what a conditional write compares. */
  readonly version: string
  /** The store's time of the read, in milliseconds: what leases are judged by. */
  readonly readTimeMs: number
  readonly [scope]?: S
}

/** A write that has not happened yet; only `optimistic` can make it happen. */
export type Write<S> = {
  readonly kind: 'create' | 'update' | 'merge' | 'delete' | 'verify'
  readonly [scope]?: S
}

/** A write of whatever scope. */
export type AnyWrite = Pick<Write<never>, 'kind'>

/** What a write really is. Kept outside the object so that no caller can forge a path. */
export type WriteDetail = {
  readonly path: string
  readonly fields: Fields
  readonly version?: string
  /** Somebody else's document here means the whole commit already happened. */
  readonly once: boolean
  readonly tenantId: TenantId | undefined
}

export type Filter = readonly [
  field: string,
  operator: '==' | '<' | '<=' | '>' | '>=' | 'in' | 'array-contains',
  value: unknown,
]

export type ListOptions = {
  readonly where?: readonly Filter[]
  readonly orderBy?: readonly (readonly [field: string, direction: 'asc' | 'desc'])[]
  readonly limit: number
  /** Values of the orderBy fields after which to start. */
  readonly startAfter?: readonly unknown[]
  /** Reads these fields of each document and no others; all of them unless given. */
  readonly fields?: readonly string[]
}

/**
 * One tenant's documents of one group, and nothing else.
 *
 * The client behind it is unreachable, every path starts at the tenant, and what comes back is
 * checked again. `S` is fresh for each use, so documents of two tenants cannot be mixed.
 */
export type ScopedDb<S> = {
  /** Exactly `S`: a variable of any other type cannot hold it, so it does not leave its function. */
  readonly [scope]?: (value: S) => S
  readonly tenantId: TenantId
  /** The document, or undefined. Throws when what is stored does not parse: that is our fault. */
  find<T>(path: DocumentPath, parse: Parse<T>): Promise<Doc<S, T> | undefined>
  list<T>(collection: DocumentPath, options: ListOptions, parse: Parse<T>): Promise<Doc<S, T>[]>
  /** Creates a document that must not exist. With `once`, an existing one means this commit was made before. */
  create(path: DocumentPath, fields: Fields, options?: { once?: boolean }): Write<S>
  /** Changes the named fields of a document, if it is still as it was read. */
  update(path: DocumentPath, doc: Doc<S, unknown>, fields: Fields): Write<S>
  /** Sets the named fields whatever is there; for commutative values such as `increment`. */
  merge(path: DocumentPath, fields: Fields): Write<S>
  delete(path: DocumentPath, doc: Doc<S, unknown>): Write<S>
  /**
   * Changes nothing, and lets the commit fail unless the document is as it was read: `undefined` for
   * one that was not there. For what a decision rests on and does not write.
   */
  verify(path: DocumentPath, doc: Doc<S, unknown> | undefined): Write<S>
  /** The same for a document of a top-level collection that this group owns. */
  verifySystem(collection: string, id: string, doc: Doc<SystemScope, unknown> | undefined): Write<S>
  /** Creates or changes a document of a top-level collection that this group owns. */
  createSystem(collection: string, id: string, fields: Fields, options?: { once?: boolean }): Write<S>
  /** Appends to the tenant's audit. */
  createAudit(id: string, fields: Fields): Write<S>
  /** Reads what this group has put in the tenant's audit, segment by segment. */
  listAudit<T>(options: ListOptions, parse: Parse<T>): Promise<Doc<S, T>[]>
}

const details = new WeakMap<AnyWrite, WriteDetail>()

/** What a write does. For `shared/firestore/` alone. */
export function detailOf(write: AnyWrite): WriteDetail {
  const detail = details.get(write)
  if (detail === undefined) throw new TypeError('not a write made by a scoped database')
  return detail
}

/** The documents of one tenant for one group. For `shared/firestore/` alone: others use `withTenant`. */
export function scopedDb<S>(database: Database, group: Group, tenantId: TenantId): ScopedDb<S> {
  const documentPath = (path: DocumentPath): string => tenantDocumentPath(tenantId, group, path)
  return {
    tenantId,
    find: async (path, parse) => readDocument(database, documentPath(path), parse),
    list: async (path, options, parse) =>
      listDocuments(database, tenantCollectionPath(tenantId, group, path), options, parse),
    create: (path, fields, options) =>
      writeOf('create', { path: documentPath(path), fields, once: options?.once === true, tenantId }),
    update: (path, doc, fields) =>
      writeOf('update', {
        path: documentPath(sameDocument(path, doc, tenantId)),
        fields,
        version: doc.version,
        once: false,
        tenantId,
      }),
    merge: (path, fields) => writeOf('merge', { path: documentPath(path), fields, once: false, tenantId }),
    delete: (path, doc) =>
      writeOf('delete', {
        path: documentPath(sameDocument(path, doc, tenantId)),
        fields: {},
        version: doc.version,
        once: false,
        tenantId,
      }),
    verify: (path, doc) =>
      verifyOf(documentPath(doc === undefined ? path : sameDocument(path, doc, tenantId)), doc, tenantId),
    verifySystem: (collection, id, doc) =>
      verifyOf(
        systemDocumentPath(group, collection, doc === undefined ? id : sameId(id, doc)),
        doc,
        tenantId,
      ),
    createSystem: (collection, id, fields, options) =>
      writeOf('create', {
        path: systemDocumentPath(group, collection, id),
        fields,
        once: options?.once === true,
        tenantId,
      }),
    createAudit: (id, fields) =>
      writeOf('create', { path: auditDocumentPath(tenantId, group, id), fields, once: false, tenantId }),
    listAudit: async (options, parse) =>
      listDocuments(database, auditCollectionPath(tenantId, group, 'segments'), options, parse),
  }
}

/** A write guarded by the version of another document would never succeed, or guard nothing. */
function sameDocument(path: DocumentPath, doc: { readonly id: string }, tenantId: TenantId): DocumentPath {
  sameId(path.at(-1) ?? tenantId, doc)
  return path
}

function sameId(id: string, doc: { readonly id: string }): string {
  if (doc.id === id) return id
  throw new TypeError(`${id} is not the document that was read (${doc.id})`)
}

/** A document that was read has a version; one without was never read, and would guard nothing. */
function verifyOf<S>(path: string, doc: Doc<unknown, unknown> | undefined, tenantId: TenantId): Write<S> {
  const found = { path, fields: {}, once: false, tenantId }
  if (doc === undefined) return writeOf('verify', found)
  if (typeof doc.version !== 'string') throw new TypeError('verify needs the document as it was read')
  return writeOf('verify', { ...found, version: doc.version })
}

/** Negative when `left` is of an earlier commit than `right`, by the store's time. */
export function compareVersions(left: string, right: string): number {
  const [leftSeconds = '', leftNanos = ''] = left.split('.')
  const [rightSeconds = '', rightNanos = ''] = right.split('.')
  return Number(leftSeconds) - Number(rightSeconds) || Number(leftNanos) - Number(rightNanos)
}

/** Makes a write. For `shared/firestore/` alone. */
export function writeOf<S>(kind: Write<S>['kind'], detail: WriteDetail): Write<S> {
  const write: Write<S> = { kind }
  details.set(write, detail)
  return write
}

/** Reads and parses one document by its full path. For `shared/firestore/` alone. */
export async function readDocument<S, T>(
  database: Database,
  path: string,
  parse: Parse<T>,
): Promise<Doc<S, T> | undefined> {
  const { client, sdk } = await reach(database)
  const snapshot = await withDeadline('firestore.get', CALL_DEADLINE_MS, client.doc(path).get())
  return snapshot.exists ? toDoc(sdk, snapshot, path, parse) : undefined
}

/** Reads and parses documents of one collection by its full path. For `shared/firestore/` alone. */
export async function listDocuments<S, T>(
  database: Database,
  path: string,
  options: ListOptions,
  parse: Parse<T>,
): Promise<Doc<S, T>[]> {
  const { client, sdk } = await reach(database)
  let query: Query = client.collection(path)
  for (const [field, operator, value] of options.where ?? []) query = query.where(field, operator, value)
  for (const [field, direction] of options.orderBy ?? []) query = query.orderBy(field, direction)
  if (options.startAfter !== undefined) query = query.startAfter(...options.startAfter)
  if (options.fields !== undefined) query = query.select(...options.fields)
  const page = await withDeadline('firestore.query', CALL_DEADLINE_MS, query.limit(options.limit).get())
  return page.docs.map((snapshot) => toDoc(sdk, snapshot, `${path}/${snapshot.id}`, parse))
}

function toDoc<S, T>(
  sdk: Awaited<ReturnType<typeof reach>>['sdk'],
  snapshot: DocumentSnapshot,
  expectedPath: string,
  parse: Parse<T>,
): Doc<S, T> {
  if (snapshot.ref.path !== expectedPath)
    throw new Error('the store answered with a document of another path')
  const parsed = parse(decode(sdk, snapshot.data()))
  if (!parsed.ok) throw new Error(`stored document ${expectedPath} does not parse: ${parsed.detail}`)
  const updated = snapshot.updateTime
  if (updated === undefined) throw new Error('the store answered without an update time')
  return {
    id: snapshot.id,
    value: parsed.value,
    version: `${updated.seconds}.${updated.nanoseconds}`,
    readTimeMs: snapshot.readTime.toMillis(),
  }
}

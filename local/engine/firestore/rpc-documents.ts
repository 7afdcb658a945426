import { randomBytes } from 'node:crypto'
import { invalid, rpcError, status } from '../rpc-error.ts'
import { readTime, toWireDocument, toWireResults, toWireStatus } from './answers.ts'
import { listCollectionIds, listDocuments } from './listing.ts'
import { checkId, parseDatabase, parseDocumentName, parseName } from './paths.ts'
import type { Store } from './store.ts'
import { toWireTimestamp } from './time.ts'
import type { WireRequest } from './wire.ts'
import { parseMask, parseWrite } from './writes.ts'

/** One call: a request becomes the messages of its answer, one for a unary call, any number for a stream. */
export type Rpc = (store: Store, request: WireRequest) => object[]

const MAX_BATCH = 500
const DEFAULT_PAGE = 300

/** The calls that read and write documents by their names. */
export const DOCUMENT_RPCS: Record<string, Rpc> = {
  Commit: (store, request) => {
    const database = parseDatabase(request.database ?? '')
    const writes = (request.writes ?? []).map(parseWrite)
    const done = store.commit(database, writes, request.transaction)
    return [{ writeResults: toWireResults(done), commitTime: toWireTimestamp(done.time) }]
  },

  BatchWrite: (store, request) => {
    const database = parseDatabase(request.database ?? '')
    const wires = request.writes ?? []
    if (wires.length > MAX_BATCH) throw invalid(`A batch has at most ${MAX_BATCH} writes.`)
    const outcomes = store.batchWrite(database, wires.map(parseWrite))
    const results = outcomes.map((outcome) =>
      outcome instanceof Error ? {} : (toWireResults(outcome)[0] ?? {}),
    )
    return [{ writeResults: results, status: outcomes.map(toWireStatus) }]
  },

  BatchGetDocuments: (store, request) => {
    const database = parseDatabase(request.database ?? '')
    const paths = (request.documents ?? []).map((name) => ownPath(name, database))
    const mask = parseMask(request.mask)
    const view = store.view(database, request)
    const time = readTime(view.time)
    const begun = view.begun === undefined ? [] : [{ transaction: view.begun, ...time }]
    const found = [...new Set(paths)].map((path) => {
      const name = `${database}/documents/${path}`
      const state = store.read(view, path)
      return state === undefined
        ? { missing: name, ...time }
        : { found: toWireDocument(name, state, mask), ...time }
    })
    return [...begun, ...found]
  },

  GetDocument: (store, request) => {
    const { database, path } = parseDocumentName(request.name ?? '')
    const mask = parseMask(request.mask)
    const state = store.read(store.view(database, request), path)
    if (state === undefined) throw rpcError(status.NOT_FOUND, `Document "${request.name}" not found.`)
    return [toWireDocument(request.name ?? '', state, mask)]
  },

  CreateDocument: (store, request) => {
    const id = request.documentId || newDocumentId()
    const name = `${request.parent}/${request.collectionId}/${id}`
    return writeOne(store, name, request, {
      update: { name, fields: request.document?.fields ?? {} },
      currentDocument: { exists: false },
    })
  },

  UpdateDocument: (store, request) => {
    const name = request.document?.name ?? ''
    return writeOne(store, name, request, {
      update: { name, fields: request.document?.fields ?? {} },
      ...(request.updateMask === undefined ? {} : { updateMask: request.updateMask }),
      ...(request.currentDocument === undefined ? {} : { currentDocument: request.currentDocument }),
    })
  },

  DeleteDocument: (store, request) => {
    const write = parseWrite({
      delete: request.name ?? '',
      ...(request.currentDocument === undefined ? {} : { currentDocument: request.currentDocument }),
    })
    store.commit(write.database, [write])
    return [{}]
  },

  BeginTransaction: (store, request) => [
    { transaction: store.begin(parseDatabase(request.database ?? ''), request.options).id },
  ],

  Rollback: (store, request) => {
    store.rollback(parseDatabase(request.database ?? ''), request.transaction ?? new Uint8Array())
    return [{}]
  },

  ListDocuments: (store, request) => {
    const { database, path: parent } = parseName(request.parent ?? '')
    const collectionId = request.collectionId ?? ''
    checkId(collectionId, `${request.parent}/${collectionId}`)
    if (request.orderBy) throw rpcError(status.UNIMPLEMENTED, 'ListDocuments is ordered by name only here.')
    const mask = parseMask(request.mask)
    const view = store.view(database, request)
    const page = listDocuments(
      store.tree(database),
      parent === '' ? collectionId : `${parent}/${collectionId}`,
      {
        time: view.time,
        showMissing: request.showMissing ?? false,
        ...paging(request),
      },
    )
    const documents = page.items.map(({ path, state }) => {
      const name = `${database}/documents/${path}`
      return state === undefined ? { name } : toWireDocument(name, state, mask)
    })
    return [{ documents, ...nextPage(page.next) }]
  },

  ListCollectionIds: (store, request) => {
    const { database, path } = parseName(request.parent ?? '')
    const view = store.view(database, request)
    const page = listCollectionIds(store.tree(database), path, { time: view.time, ...paging(request) })
    return [{ collectionIds: page.items, ...nextPage(page.next) }]
  },
}

function writeOne(
  store: Store,
  name: string,
  request: WireRequest,
  wire: Parameters<typeof parseWrite>[0],
): object[] {
  const write = parseWrite(wire)
  const mask = parseMask(request.mask)
  store.commit(write.database, [write])
  const state = store.tree(write.database).read(write.path)
  if (state === undefined) throw rpcError(status.INTERNAL, 'a written document is missing')
  return [toWireDocument(name, state, mask)]
}

function ownPath(name: string, database: string): string {
  const parsed = parseDocumentName(name)
  if (parsed.database !== database) throw invalid(`Document "${name}" belongs to another database.`)
  return parsed.path
}

function paging(request: WireRequest): { pageSize: number; after: string | undefined } {
  const { pageSize = 0, pageToken } = request
  if (pageSize < 0) throw invalid('page_size must not be negative.')
  return {
    pageSize: pageSize === 0 ? DEFAULT_PAGE : pageSize,
    after: pageToken ? Buffer.from(pageToken, 'base64url').toString() : undefined,
  }
}

function nextPage(next: string | undefined): { nextPageToken?: string } {
  return next === undefined ? {} : { nextPageToken: Buffer.from(next).toString('base64url') }
}

const ID_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

function newDocumentId(): string {
  return Array.from(randomBytes(20), (byte) => ID_LETTERS[byte % ID_LETTERS.length]).join('')
}

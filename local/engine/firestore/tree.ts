import { rpcError, status } from '../rpc-error.ts'
import { compareIds } from './order.ts'
import type { Micros } from './time.ts'
import type { DocumentState } from './writes.ts'

/** What a document was from one commit on; `undefined` means deleted. */
type Version = { readonly time: Micros; readonly state: DocumentState | undefined }

/** A place where a document is, was, or has collections below it. */
export type DocumentNode = {
  readonly path: string
  readonly id: string
  readonly parent: CollectionNode | undefined
  readonly collections: Map<string, CollectionNode>
  /** Oldest first. */
  versions: Version[]
  /** How many documents exist anywhere below this one. */
  liveBelow: number
}

type CollectionNode = {
  readonly id: string
  readonly path: string
  readonly parent: DocumentNode
  readonly documents: Map<string, DocumentNode>
  /** The documents by id, built when asked for. */
  sorted: readonly DocumentNode[] | undefined
}

/** The documents of one database with their recent past. */
export type DocumentTree = {
  readonly root: DocumentNode
  find(path: string): DocumentNode | undefined
  collection(path: string): CollectionNode | undefined
  /** Every collection of that id, wherever it is. */
  group(collectionId: string): Iterable<CollectionNode>
  /** The document as it is now, or as it was at `time`. */
  read(path: string, time?: Micros): DocumentState | undefined
  /** Adds a version and forgets what no read can ask for any more. */
  put(path: string, state: DocumentState | undefined, time: Micros): void
  /** Every document that exists, in no order. */
  documents(): Generator<{ path: string; state: DocumentState }>
}

/** How far back reads go: an hour, as in production without point-in-time recovery. */
export const RETENTION_MICROS: Micros = 3600 * 1e6

/** A document written without pause keeps this many versions; reads further back are refused. */
const MAX_VERSIONS = 2000

/** An empty tree of documents with their versions. */
export function createTree(): DocumentTree {
  const root = createNode('', '', undefined)
  const state: TreeState = { root, byPath: new Map([['', root]]), groups: new Map(), deleted: [] }
  return {
    root,
    find: (path) => state.byPath.get(path),
    collection: (path) => {
      const [ownerPath, id] = splitLast(path)
      return state.byPath.get(ownerPath)?.collections.get(id)
    },
    group: (collectionId) => state.groups.get(collectionId) ?? [],
    read: (path, time) => {
      const node = state.byPath.get(path)
      return node === undefined ? undefined : stateAt(node, time)
    },
    put: (path, document, time) => put(state, path, document, time),
    documents: function* () {
      for (const { path, versions } of state.byPath.values()) {
        const document = versions.at(-1)?.state
        if (document !== undefined) yield { path, state: document }
      }
    },
  }
}

type TreeState = {
  readonly root: DocumentNode
  readonly byPath: Map<string, DocumentNode>
  readonly groups: Map<string, Set<CollectionNode>>
  /** Deletions in the order of their times, to be forgotten once no read reaches behind them. */
  readonly deleted: { node: DocumentNode; time: Micros }[]
}

function put(state: TreeState, path: string, document: DocumentState | undefined, time: Micros): void {
  const node = ensureNode(state, path)
  const change = Number(document !== undefined) - Number(stateAt(node) !== undefined)
  node.versions.push({ time, state: document })
  trimVersions(node, time - RETENTION_MICROS)
  if (document === undefined) state.deleted.push({ node, time })
  if (change !== 0) countBelow(node, change)
  forgetBefore(state, time - RETENTION_MICROS)
}

function ensureNode(state: TreeState, path: string): DocumentNode {
  const known = state.byPath.get(path)
  if (known !== undefined) return known
  const [collectionPath, id] = splitLast(path)
  const collection = ensureCollection(state, collectionPath)
  const node = createNode(path, id, collection)
  collection.documents.set(id, node)
  collection.sorted = undefined
  state.byPath.set(path, node)
  return node
}

function ensureCollection(state: TreeState, path: string): CollectionNode {
  const [ownerPath, id] = splitLast(path)
  const owner = ensureNode(state, ownerPath)
  const known = owner.collections.get(id)
  if (known !== undefined) return known
  const collection: CollectionNode = { id, path, parent: owner, documents: new Map(), sorted: undefined }
  owner.collections.set(id, collection)
  const group = state.groups.get(id)
  if (group === undefined) state.groups.set(id, new Set([collection]))
  else group.add(collection)
  return collection
}

function forgetBefore(state: TreeState, horizon: Micros): void {
  const { deleted } = state
  for (let first = deleted[0]; first !== undefined && first.time < horizon; first = deleted[0]) {
    deleted.shift()
    if (first.node.versions.at(-1)?.time !== first.time) continue
    first.node.versions = []
    forget(state, first.node)
  }
}

function forget(state: TreeState, node: DocumentNode): void {
  const collection = node.parent
  if (collection === undefined || node.collections.size > 0 || stateAt(node) !== undefined) return
  state.byPath.delete(node.path)
  collection.documents.delete(node.id)
  collection.sorted = undefined
  if (collection.documents.size > 0) return
  collection.parent.collections.delete(collection.id)
  state.groups.get(collection.id)?.delete(collection)
  // A node that only stood there to carry this collection goes with it.
  if (collection.parent.versions.length === 0) forget(state, collection.parent)
}

/** The document at a node as it is now, or as it was at `time`. */
export function stateAt(node: DocumentNode, time?: Micros): DocumentState | undefined {
  const { versions } = node
  let index = versions.length - 1
  if (time !== undefined) {
    while (index >= 0 && (versions[index]?.time ?? 0) > time) index--
    if (index < 0 && versions.length >= MAX_VERSIONS) {
      throw rpcError(status.FAILED_PRECONDITION, 'The requested read_time is too old.')
    }
  }
  return versions[index]?.state
}

/** Drops the versions of a node that ended before `horizon`, and the oldest of too many. */
function trimVersions(node: DocumentNode, horizon: Micros): void {
  const { versions } = node
  let drop = Math.max(versions.length - MAX_VERSIONS, 0)
  while (drop + 1 < versions.length && (versions[drop + 1]?.time ?? 0) <= horizon) drop++
  if (drop > 0) versions.splice(0, drop)
}

/** The documents of a collection by id, those that no longer exist among them. */
export function sortedDocuments(collection: CollectionNode): readonly DocumentNode[] {
  collection.sorted ??= [...collection.documents.values()].sort((a, b) => compareIds(a.id, b.id))
  return collection.sorted
}

/** Every document node below a node, the node itself left out, in no order. */
export function* descendants(node: DocumentNode): Generator<DocumentNode> {
  for (const collection of node.collections.values()) {
    for (const document of collection.documents.values()) {
      yield document
      if (document.collections.size > 0) yield* descendants(document)
    }
  }
}

function createNode(path: string, id: string, parent: CollectionNode | undefined): DocumentNode {
  return { path, id, parent, collections: new Map(), versions: [], liveBelow: 0 }
}

function countBelow(node: DocumentNode, change: number): void {
  for (let owner = node.parent?.parent; owner !== undefined; owner = owner.parent?.parent) {
    owner.liveBelow += change
  }
}

function splitLast(path: string): [string, string] {
  const cut = path.lastIndexOf('/')
  return cut === -1 ? ['', path] : [path.slice(0, cut), path.slice(cut + 1)]
}

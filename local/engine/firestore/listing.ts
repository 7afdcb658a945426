import { compareStrings } from './order.ts'
import type { Micros } from './time.ts'
import { type DocumentNode, type DocumentTree, descendants, sortedDocuments, stateAt } from './tree.ts'
import type { DocumentState } from './writes.ts'

/** A page of a list and where the next one begins (`undefined` at the end). */
type Page<T> = { readonly items: readonly T[]; readonly next: string | undefined }

type ListedDocument = { readonly path: string; readonly state: DocumentState | undefined }

/**
 * Lists a collection by id. With `showMissing` also those ids that only have documents below them; their
 * state is `undefined`.
 */
export function listDocuments(
  tree: DocumentTree,
  collectionPath: string,
  options: { time: Micros; showMissing: boolean; pageSize: number; after: string | undefined },
): Page<ListedDocument> {
  const collection = tree.collection(collectionPath)
  const nodes = collection === undefined ? [] : sortedDocuments(collection)
  const listed: ListedDocument[] = []
  const start = options.after === undefined ? 0 : nodes.findIndex((node) => node.id === options.after) + 1
  for (const node of nodes.slice(start)) {
    const state = stateAt(node, options.time)
    if (state === undefined && !(options.showMissing && node.liveBelow > 0)) continue
    if (listed.length === options.pageSize) return { items: listed, next: lastIdOf(listed) }
    listed.push({ path: node.path, state })
  }
  return { items: listed, next: undefined }
}

/** The ids of the collections directly below a document (or the root) that hold any document, at any depth. */
export function listCollectionIds(
  tree: DocumentTree,
  parent: string,
  options: { time: Micros; pageSize: number; after: string | undefined },
): Page<string> {
  const owner = tree.find(parent)
  const ids = [...(owner?.collections.values() ?? [])]
    .filter((collection) => [...collection.documents.values()].some((node) => existsAt(node, options.time)))
    .map((collection) => collection.id)
    .sort(compareStrings)
    .filter((id) => options.after === undefined || compareStrings(id, options.after) > 0)
  const items = ids.slice(0, options.pageSize)
  return { items, next: items.length < ids.length ? items.at(-1) : undefined }
}

function existsAt(node: DocumentNode, time: Micros): boolean {
  if (stateAt(node, time) !== undefined) return true
  for (const below of descendants(node)) if (stateAt(below, time) !== undefined) return true
  return false
}

function lastIdOf(listed: readonly ListedDocument[]): string | undefined {
  return listed.at(-1)?.path.split('/').at(-1)
}

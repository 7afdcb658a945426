import type { Group } from '../catalogue/functions.ts'
import { CALL_DEADLINE_MS, withDeadline } from '../deadline.ts'
import type { Parse } from '../json.ts'
import { type CommitOutcome, commitWrites } from './commit.ts'
import { type Database, reach } from './database.ts'
import { systemDocumentPath } from './paths.ts'
import {
  type Doc,
  type ListOptions,
  listDocuments,
  readDocument,
  type SystemScope,
  type Write,
  writeOf,
} from './scoped.ts'
import { encode, type Fields } from './values.ts'

export type { SystemScope }

/**
 * The top-level collections a group owns: outbox, quarantine, key rings, plans. Never a tenant's
 * documents; whatever is about a tenant carries `tenantId` as a field.
 */
export type SystemFirestore = {
  find<T>(collection: string, id: string, parse: Parse<T>): Promise<Doc<SystemScope, T> | undefined>
  list<T>(collection: string, options: ListOptions, parse: Parse<T>): Promise<Doc<SystemScope, T>[]>
  create(collection: string, id: string, fields: Fields): Write<SystemScope>
  update(collection: string, doc: Doc<SystemScope, unknown>, fields: Fields): Write<SystemScope>
  delete(collection: string, doc: Doc<SystemScope, unknown>): Write<SystemScope>
  /** All or none, conditional; `commitId` makes our own success recognisable. */
  commit(writes: readonly Write<SystemScope>[], commitId: string): Promise<CommitOutcome>
  /** Sets the named fields of a document that exists, whatever else is there. */
  merge(collection: string, id: string, fields: Fields): Promise<void>
  /** One cheap read, to learn whether the store answers. */
  ping(): Promise<void>
}

export function systemFirestore(database: Database, group: Group): SystemFirestore {
  const path = (collection: string, id: string): string => systemDocumentPath(group, collection, id)
  return {
    find: (collection, id, parse) => readDocument(database, path(collection, id), parse),
    list: (collection, options, parse) => {
      // The path of any document proves that the collection is ours.
      path(collection, 'any')
      return listDocuments(database, collection, options, parse)
    },
    create: (collection, id, fields) =>
      writeOf('create', { path: path(collection, id), fields, once: true, tenantId: undefined }),
    update: (collection, doc, fields) =>
      writeOf('update', {
        path: path(collection, doc.id),
        fields,
        version: doc.version,
        once: false,
        tenantId: undefined,
      }),
    delete: (collection, doc) =>
      writeOf('delete', {
        path: path(collection, doc.id),
        fields: {},
        version: doc.version,
        once: false,
        tenantId: undefined,
      }),
    commit: (writes, commitId) => commitWrites(database, writes, commitId),
    merge: async (collection, id, fields) => {
      const { client, sdk } = await reach(database)
      const work = client.doc(path(collection, id)).set(encode(sdk, fields, undefined), { merge: true })
      await withDeadline('firestore.set', CALL_DEADLINE_MS, work)
    },
    ping: async () => {
      const { client } = await reach(database)
      await withDeadline('firestore.get', CALL_DEADLINE_MS, client.doc(path(`${group}_inbox`, 'ping')).get())
    },
  }
}

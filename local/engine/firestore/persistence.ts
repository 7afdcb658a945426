import type { DatabaseSync } from 'node:sqlite'
import { atomically, openSqlite } from '../sqlite.ts'
import type { Micros } from './time.ts'
import type { DocumentState } from './writes.ts'

type StoredChange = { readonly path: string; readonly after: DocumentState | undefined }
export type StoredDocument = { database: string; path: string; state: DocumentState }

/** Where acknowledged commits outlive the process. */
export type Persistence = {
  load(): { documents: StoredDocument[]; lastTime: Micros }
  /** Stores a commit as a whole before it is acknowledged. */
  save(database: string, changes: readonly StoredChange[], time: Micros): void
  /** Replaces everything (a reset, a restored snapshot). */
  replace(documents: Iterable<StoredDocument>, time: Micros): void
  close(): void
}

/** How documents become bytes and come back. */
export type DocumentCodec = {
  encode(state: DocumentState): Uint8Array
  decode(bytes: Uint8Array): DocumentState
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS documents (
    db TEXT NOT NULL, path TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (db, path)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID`

/** Keeps a store's documents in an SQLite file. */
export function openPersistence(file: string, codec: DocumentCodec): Persistence {
  const db = openSqlite(file, SCHEMA)
  const put = db.prepare('INSERT OR REPLACE INTO documents (db, path, data) VALUES (?, ?, ?)')
  const drop = db.prepare('DELETE FROM documents WHERE db = ? AND path = ?')
  const setTime = db.prepare("INSERT OR REPLACE INTO meta (key, value) VALUES ('lastTime', ?)")
  return {
    load: () => ({ documents: loadDocuments(db, codec), lastTime: loadTime(db) }),
    save: (database, changes, time) =>
      atomically(db, () => {
        for (const { path, after } of changes) {
          if (after === undefined) drop.run(database, path)
          else put.run(database, path, codec.encode(after))
        }
        setTime.run(time)
      }),
    replace: (documents, time) =>
      atomically(db, () => {
        db.exec('DELETE FROM documents')
        for (const { database, path, state } of documents) put.run(database, path, codec.encode(state))
        setTime.run(time)
      }),
    close: () => {
      if (db.isOpen) db.close()
    },
  }
}

function loadDocuments(db: DatabaseSync, codec: DocumentCodec): StoredDocument[] {
  const documents: StoredDocument[] = []
  for (const row of db.prepare('SELECT db, path, data FROM documents').iterate()) {
    const { db: database, path, data } = row
    if (typeof database !== 'string' || typeof path !== 'string' || !(data instanceof Uint8Array)) continue
    documents.push({ database, path, state: codec.decode(data) })
  }
  return documents
}

function loadTime(db: DatabaseSync): Micros {
  return Number(db.prepare("SELECT value FROM meta WHERE key = 'lastTime'").get()?.['value'] ?? 0)
}

import type { DatabaseSync } from 'node:sqlite'
import { atomically, openSqlite } from '../sqlite.ts'
import type { Message } from './model.ts'

/** A delivery as it was when the process ended: leases and back-offs do not outlive it. */
type StoredDelivery = {
  readonly entry: number
  readonly subscription: string
  readonly seq: number
  readonly attempts: number
  readonly acked: boolean
}

type Stored = {
  readonly nextSeq: number
  readonly nextEntry: number
  readonly topics: readonly unknown[]
  readonly subscriptions: readonly unknown[]
  readonly snapshots: readonly unknown[]
  readonly messages: readonly Message[]
  readonly deliveries: readonly StoredDelivery[]
}

type ResourceKind = 'topics' | 'subscriptions' | 'snapshots'

/** Where the engine writes what must survive it. Every call is durable against a kill once it returns. */
export type Journal = {
  load(): Stored
  /** All or nothing of what `work` writes. */
  atomically<T>(work: () => T): T
  putResource(kind: ResourceKind, name: string, value: unknown): void
  deleteResource(kind: ResourceKind, name: string): void
  addMessage(message: Message): void
  deleteMessage(seq: number): void
  addDelivery(entry: number, subscription: string, seq: number): void
  updateDelivery(entry: number, attempts: number, acked: boolean): void
  deleteDelivery(entry: number): void
  reset(): void
  close(): void
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS resources (kind TEXT, name TEXT, value TEXT NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT NOT NULL, topic TEXT NOT NULL, data BLOB NOT NULL,
    attributes TEXT NOT NULL, ordering_key TEXT NOT NULL, publish_ms REAL NOT NULL, stored_ms REAL NOT NULL);
  CREATE TABLE IF NOT EXISTS deliveries (
    entry INTEGER PRIMARY KEY AUTOINCREMENT, subscription TEXT NOT NULL, seq INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, acked INTEGER NOT NULL DEFAULT 0)`

/** A journal in an SQLite file, or nowhere when there is no file. */
export function openJournal(file: string | undefined): Journal {
  return file === undefined ? forgetfulJournal() : sqliteJournal(file)
}

function sqliteJournal(file: string): Journal {
  const db = openSqlite(file, SCHEMA)
  const put = db.prepare('INSERT OR REPLACE INTO resources (kind, name, value) VALUES (?, ?, ?)')
  const drop = db.prepare('DELETE FROM resources WHERE kind = ? AND name = ?')
  const addMessage = db.prepare('INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
  const deleteMessage = db.prepare('DELETE FROM messages WHERE seq = ?')
  const addDelivery = db.prepare('INSERT INTO deliveries (entry, subscription, seq) VALUES (?, ?, ?)')
  const updateDelivery = db.prepare('UPDATE deliveries SET attempts = ?, acked = ? WHERE entry = ?')
  const deleteDelivery = db.prepare('DELETE FROM deliveries WHERE entry = ?')
  return {
    load: () => load(db),
    atomically: (work) => atomically(db, work),
    putResource: (kind, name, value) => void put.run(kind, name, JSON.stringify(value)),
    deleteResource: (kind, name) => void drop.run(kind, name),
    addMessage: (message) =>
      void addMessage.run(
        message.seq,
        message.messageId,
        message.topic,
        message.data,
        JSON.stringify(message.attributes),
        message.orderingKey,
        message.publishMs,
        message.storedMs,
      ),
    deleteMessage: (seq) => void deleteMessage.run(seq),
    addDelivery: (entry, subscription, seq) => void addDelivery.run(entry, subscription, seq),
    updateDelivery: (entry, attempts, acked) => void updateDelivery.run(attempts, acked ? 1 : 0, entry),
    deleteDelivery: (entry) => void deleteDelivery.run(entry),
    reset: () => db.exec('DELETE FROM resources; DELETE FROM messages; DELETE FROM deliveries;'),
    close: () => db.close(),
  }
}

function load(db: DatabaseSync): Stored {
  const resources = (kind: ResourceKind): unknown[] =>
    db
      .prepare('SELECT value FROM resources WHERE kind = ? ORDER BY name')
      .all(kind)
      .map((row): unknown => JSON.parse(String(row['value'])))
  // SQLite remembers the highest key ever used, so an id is never given twice, even after deletions.
  const highest = (table: string): number =>
    Number(db.prepare('SELECT seq FROM sqlite_sequence WHERE name = ?').get(table)?.['seq'] ?? 0)
  return {
    nextSeq: highest('messages') + 1,
    nextEntry: highest('deliveries') + 1,
    topics: resources('topics'),
    subscriptions: resources('subscriptions'),
    snapshots: resources('snapshots'),
    messages: db.prepare('SELECT * FROM messages ORDER BY seq').all().map(toMessage),
    deliveries: db
      .prepare('SELECT * FROM deliveries ORDER BY entry')
      .all()
      .map((row) => ({
        entry: Number(row['entry']),
        subscription: String(row['subscription']),
        seq: Number(row['seq']),
        attempts: Number(row['attempts']),
        acked: row['acked'] === 1,
      })),
  }
}

function toMessage(row: Record<string, unknown>): Message {
  return {
    seq: Number(row['seq']),
    messageId: String(row['message_id']),
    topic: String(row['topic']),
    data: Buffer.from(row['data'] as Uint8Array),
    attributes: JSON.parse(String(row['attributes'])) as Record<string, string>,
    orderingKey: String(row['ordering_key']),
    publishMs: Number(row['publish_ms']),
    storedMs: Number(row['stored_ms']),
  }
}

function forgetfulJournal(): Journal {
  const nothing = (): void => undefined
  return {
    load: () => ({
      nextSeq: 1,
      nextEntry: 1,
      topics: [],
      subscriptions: [],
      snapshots: [],
      messages: [],
      deliveries: [],
    }),
    atomically: (work) => work(),
    putResource: nothing,
    deleteResource: nothing,
    addMessage: nothing,
    deleteMessage: nothing,
    addDelivery: nothing,
    updateDelivery: nothing,
    deleteDelivery: nothing,
    reset: nothing,
    close: nothing,
  }
}

import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/**
 * Opens or creates an engine's SQLite file, for this process alone.
 *
 * The write-ahead log reaches the operating system before a call is answered, so nothing acknowledged is
 * lost when the process is killed; `synchronous=NORMAL` gives up only power cuts. `schema` is run at every
 * opening, so its statements say IF NOT EXISTS. A file written by a newer `version` is refused.
 */
export function openSqlite(file: string, schema: string, version = 1): DatabaseSync {
  mkdirSync(dirname(file), { recursive: true })
  const db = new DatabaseSync(file)
  try {
    lock(db, file)
    const written = Number(db.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0)
    if (written > version) {
      throw new Error(`${file} was written by a newer version of the local stack (schema ${written})`)
    }
    db.exec(`${schema}; PRAGMA user_version = ${version}`)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Two engines on one file would each overwrite what only the other knows. */
function lock(db: DatabaseSync, file: string): void {
  try {
    db.exec('PRAGMA busy_timeout=2000; PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL')
    db.exec('PRAGMA synchronous=NORMAL; BEGIN IMMEDIATE; COMMIT')
  } catch (error) {
    throw new Error(`${file} cannot be opened; another local stack may be using it`, { cause: error })
  }
}

/** All or nothing of what `work` writes; within another such call it is part of that one. */
export function atomically<T>(db: DatabaseSync, work: () => T): T {
  if (db.isTransaction) return work()
  db.exec('BEGIN IMMEDIATE')
  try {
    const done = work()
    db.exec('COMMIT')
    return done
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

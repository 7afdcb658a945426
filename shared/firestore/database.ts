import type * as firestoreModule from '@google-cloud/firestore'
import type { Firestore } from '@google-cloud/firestore'

/** A Firestore database, closed: only `shared/firestore/` can reach the client behind it. */
export type Database = {
  readonly project: string
  readonly databaseId: string
}

/** The client and the module it came from, loaded together on first use. */
export type Opened = {
  readonly client: Firestore
  readonly sdk: typeof firestoreModule
}

export type DatabaseOptions = {
  readonly project: string
  readonly databaseId: string
  /** `host:port` of a local Firestore, or undefined for Google's. */
  readonly emulatorHost?: string | undefined
  /** Opens another client in place of the official one: a simulation has no network to reach one by. */
  readonly open?: (() => Promise<Opened>) | undefined
}

const opened = new WeakMap<Database, () => Promise<Opened>>()

/**
 * Names a database. The client costs half a second of processor time to load, so that happens on the
 * first call that needs it, once.
 */
export function openDatabase(options: DatabaseOptions): Database {
  const database: Database = { project: options.project, databaseId: options.databaseId }
  let pending: Promise<Opened> | undefined
  opened.set(database, () => {
    pending ??= (options.open?.() ?? load(options)).catch((error: unknown) => {
      pending = undefined
      throw error
    })
    return pending
  })
  return database
}

/** The client behind a database. For `shared/firestore/` alone; the architecture test holds that. */
export function reach(database: Database): Promise<Opened> {
  const open = opened.get(database)
  if (open === undefined) throw new TypeError('not a database made by openDatabase')
  return open()
}

/** Ends the client's connections. */
export async function closeDatabase(database: Database): Promise<void> {
  const { client } = await reach(database)
  await client.terminate()
}

async function load(options: DatabaseOptions): Promise<Opened> {
  const sdk = await import('@google-cloud/firestore')
  const client = new sdk.Firestore({
    projectId: options.project,
    databaseId: options.databaseId,
    // Integers come back exact; `decode` turns those that fit into numbers.
    useBigInt: true,
    ...(options.emulatorHost === undefined
      ? {}
      : { host: options.emulatorHost, ssl: false, customHeaders: { Authorization: 'Bearer owner' } }),
  })
  return { client, sdk }
}

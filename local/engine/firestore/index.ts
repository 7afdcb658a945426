import type { ServiceDefinition } from '@grpc/grpc-js'
import type { FaultHook } from '#local/faults.ts'
import { getService, loadServices } from '../protos.ts'
import { toWireDocument } from './answers.ts'
import { fieldsToJson, fromWireFields } from './codec.ts'
import { type CompositeIndex, requireIndexes } from './indexes.ts'
import { comparePaths } from './order.ts'
import { type DocumentCodec, openPersistence } from './persistence.ts'
import { serve } from './server.ts'
import { type Commit, createStore, type Store, type StoreSnapshot } from './store.ts'
import { fromWireTimestamp, toIsoMicros } from './time.ts'
import { sweepTtl, type TtlPolicy } from './ttl.ts'
import type { WireDocument } from './wire.ts'

export type { CompositeIndex } from './indexes.ts'

export type FirestoreEngineOptions = {
  /** The engine's clock, in milliseconds. It may stand still or jump; commit times still only grow. */
  now: () => number
  /** 0 or none: any free port of 127.0.0.1. */
  port?: number
  /** The SQLite file that keeps every acknowledged commit; without one everything is in memory. */
  file?: string
  ttl?: readonly TtlPolicy[]
  /** When given, a query that needs a composite index not listed here fails as in production. */
  indexes?: readonly CompositeIndex[]
}

/** A document as plain JSON, for consoles and tests. Times are ISO 8601 with microseconds. */
type DumpedDocument = {
  database: string
  path: string
  createTime: string
  updateTime: string
  data: Record<string, unknown>
}

export type FirestoreEngine = {
  /** `127.0.0.1:PORT`, the value of FIRESTORE_EMULATOR_HOST. */
  readonly host: string
  /** The documents at and below a path (`''` is all), sorted by path. */
  dump(prefix?: string): DumpedDocument[]
  /** Deletes every document of every database; commit times go on growing. */
  reset(): void
  snapshot(): StoreSnapshot
  /** Brings back exactly the documents of a snapshot; transactions in flight are over. */
  restore(snapshot: StoreSnapshot): void
  /** Asks the hook about every call from now on; `undefined` takes the faults away. */
  setFault(fault: FaultHook | undefined): void
  /** What the hook is asked about. */
  readonly rpcs: readonly string[]
  /** Hears of every commit after it took effect; the returned function ends that. */
  onCommit(listener: (commit: Commit) => void): () => void
  /** Deletes what its TTL field says is over; returns how many documents. */
  sweepTtl(): number
  close(): Promise<void>
}

/** 64-bit integers as decimal strings, enums by name, and only fields that were sent: absence has a meaning. */
const NOTHING_ADDED = { longs: String, enums: String, defaults: false }

/** Starts a Firestore that the official client talks to through FIRESTORE_EMULATOR_HOST. */
export async function startFirestoreEngine(options: FirestoreEngineOptions): Promise<FirestoreEngine> {
  const services = loadServices('@google-cloud/firestore', 'build/protos/v1.json', NOTHING_ADDED)
  const service = getService(services, 'google.firestore.v1.Firestore')
  const persistence =
    options.file === undefined ? undefined : openPersistence(options.file, documentCodec(service))
  const store = createStore({
    now: options.now,
    persistence,
    indexes: options.indexes === undefined ? undefined : requireIndexes(options.indexes),
  })
  let fault: FaultHook | undefined
  const server = await serve({
    store,
    service,
    port: options.port,
    fault: (rpc, request) => fault?.(rpc, request),
  }).catch((error: unknown) => {
    persistence?.close()
    throw error
  })
  return {
    host: server.host,
    dump: (prefix = '') => dump(store, prefix),
    reset: store.reset,
    snapshot: store.snapshot,
    restore: store.restore,
    setFault: (next) => {
      fault = next
    },
    rpcs: server.rpcs,
    onCommit: store.onCommit,
    sweepTtl: () => sweepTtl(store, options.ttl ?? [], options.now()),
    close: async () => {
      await server.close()
      persistence?.close()
    },
  }
}

function dump(store: Store, prefix: string): DumpedDocument[] {
  const documents: DumpedDocument[] = []
  for (const database of store.databases()) {
    for (const { path, state } of store.tree(database).documents()) {
      if (prefix !== '' && path !== prefix && !path.startsWith(`${prefix}/`)) continue
      documents.push({
        database,
        path,
        createTime: toIsoMicros(state.createTime),
        updateTime: toIsoMicros(state.updateTime),
        data: fieldsToJson(state.fields),
      })
    }
  }
  return documents.sort((a, b) => comparePaths(`${a.database}/${a.path}`, `${b.database}/${b.path}`))
}

/** Documents are stored as the bytes they have on the wire: every value survives exactly. */
function documentCodec(service: ServiceDefinition): DocumentCodec {
  const method = service['GetDocument']
  if (method === undefined) throw new Error('the protos define no GetDocument')
  return {
    encode: (state) => method.responseSerialize(toWireDocument('', state)),
    decode: (bytes) => {
      const wire: WireDocument = method.responseDeserialize(Buffer.from(bytes))
      return {
        fields: fromWireFields(wire.fields),
        createTime: fromWireTimestamp(wire.createTime ?? {}),
        updateTime: fromWireTimestamp(wire.updateTime ?? {}),
      }
    },
  }
}

import { invalid, isRpcError, type RpcError, rpcError, status } from '../rpc-error.ts'
import type { IndexPolicy } from './indexes.ts'
import type { Persistence, StoredDocument } from './persistence.ts'
import type { Row } from './query-match.ts'
import type { QueryPlan } from './query-plan.ts'
import { runQuery } from './query-run.ts'
import { createTimeline, fromWireTimestamp, type Micros, type Timeline } from './time.ts'
import { checkUnchanged, createTransactions, type Transaction, type Transactions } from './transactions.ts'
import { createTree, type DocumentTree, RETENTION_MICROS } from './tree.ts'
import type { Value } from './values.ts'
import type { WireConsistency, WireTransactionOptions } from './wire.ts'
import { applyWrite, type DocumentState, type Write } from './writes.ts'

/** One document's way through one commit. */
type DocumentChange = {
  readonly path: string
  readonly before: DocumentState | undefined
  readonly after: DocumentState | undefined
}

export type Commit = {
  readonly database: string
  readonly time: Micros
  readonly changes: readonly DocumentChange[]
}

export type CommitResult = {
  readonly time: Micros
  readonly results: readonly { updateTime: Micros | undefined; transforms: readonly Value[] }[]
}

/** The moment a read sees, and the transaction it belongs to. */
export type ReadView = {
  readonly database: string
  readonly time: Micros
  readonly transaction: Transaction | undefined
  /** Set when this read began its transaction: the caller must be told its id. */
  readonly begun: Uint8Array | undefined
}

/** Everything at one moment. Opaque; documents are shared, so taking and restoring one is quick. */
export type StoreSnapshot = { readonly documents: readonly StoredDocument[] }

/** The documents of all projects and databases, and everything that may happen to them. Synchronous. */
export type Store = {
  readonly timeline: Timeline
  tree(database: string): DocumentTree
  databases(): Iterable<string>
  begin(database: string, options: WireTransactionOptions | undefined): Transaction
  rollback(database: string, id: Uint8Array): void
  view(database: string, wire: WireConsistency): ReadView
  /** Reads one document and remembers the read for its transaction's commit. */
  read(view: ReadView, path: string): DocumentState | undefined
  query(view: ReadView, plan: QueryPlan): { rows: Row[]; skipped: number }
  /** All or nothing. Throws what the first failing write calls for, or ABORTED. */
  commit(database: string, writes: readonly Write[], transaction?: Uint8Array): CommitResult
  /** Every write on its own. */
  batchWrite(database: string, writes: readonly Write[]): (CommitResult | RpcError)[]
  onCommit(listener: (commit: Commit) => void): () => void
  /** Called after a reset or a restore: anything may have changed. */
  onReplace(listener: () => void): () => void
  snapshot(): StoreSnapshot
  restore(snapshot: StoreSnapshot): void
  reset(): void
}

type StoreOptions = {
  now: () => number
  persistence?: Persistence | undefined
  indexes?: IndexPolicy | undefined
}

type State = {
  trees: Map<string, DocumentTree>
  timeline: Timeline
  transactions: Transactions
  persistence: Persistence | undefined
  indexes: IndexPolicy | undefined
  commitListeners: Set<(commit: Commit) => void>
  replaceListeners: Set<() => void>
  /** Reads cannot go further back: what was before was not kept (a restart, a restore). */
  floor: Micros
}

/** A store with what `persistence` kept; every change is kept there before anybody hears of it. */
export function createStore(options: StoreOptions): Store {
  const timeline = createTimeline(options.now)
  const state: State = {
    trees: new Map(),
    timeline,
    transactions: createTransactions(() => options.now() * 1000),
    persistence: options.persistence,
    indexes: options.indexes,
    commitListeners: new Set(),
    replaceListeners: new Set(),
    floor: 0,
  }
  const stored = options.persistence?.load()
  if (stored !== undefined) fill(state, stored.documents, stored.lastTime)
  return {
    timeline,
    tree: (database) => treeOf(state, database),
    databases: () => state.trees.keys(),
    begin: (database, wire) => begin(state, database, wire),
    rollback: (database, id) => state.transactions.end(state.transactions.use(id, database)),
    view: (database, wire) => viewOf(state, database, wire),
    read: (view, path) => {
      view.transaction?.reads.add(path)
      return treeOf(state, view.database).read(path, view.time)
    },
    query: (view, plan) => query(state, view, plan),
    commit: (database, writes, transaction) => commit(state, database, writes, transaction),
    batchWrite: (database, writes) => batchWrite(state, database, writes),
    onCommit: (listener) => subscribe(state.commitListeners, listener),
    onReplace: (listener) => subscribe(state.replaceListeners, listener),
    snapshot: () => ({ documents: [...allDocuments(state)] }),
    restore: (snapshot) => replace(state, snapshot.documents),
    reset: () => replace(state, []),
  }
}

function treeOf(state: State, database: string): DocumentTree {
  let tree = state.trees.get(database)
  if (tree === undefined) {
    tree = createTree()
    state.trees.set(database, tree)
  }
  return tree
}

function begin(state: State, database: string, wire: WireTransactionOptions | undefined): Transaction {
  const readTime = wire?.readOnly?.readTime
  return state.transactions.begin(database, {
    readOnly: wire?.readOnly !== undefined,
    readTime: readTime === undefined ? state.timeline.read() : pastTime(state, fromWireTimestamp(readTime)),
  })
}

function viewOf(state: State, database: string, wire: WireConsistency): ReadView {
  if (wire.transaction !== undefined && wire.transaction.length > 0) {
    const transaction = state.transactions.use(wire.transaction, database)
    return { database, time: transaction.readTime, transaction, begun: undefined }
  }
  if (wire.newTransaction !== undefined) {
    const transaction = begin(state, database, wire.newTransaction)
    return { database, time: transaction.readTime, transaction, begun: transaction.id }
  }
  const time =
    wire.readTime === undefined ? state.timeline.read() : pastTime(state, fromWireTimestamp(wire.readTime))
  return { database, time, transaction: undefined, begun: undefined }
}

function pastTime(state: State, time: Micros): Micros {
  const now = state.timeline.read()
  if (time > now) throw invalid('The requested read_time must not be in the future.')
  if (time < now - RETENTION_MICROS || time < state.floor) {
    throw rpcError(status.FAILED_PRECONDITION, 'The requested read_time is too old.')
  }
  return time
}

function query(state: State, view: ReadView, plan: QueryPlan): { rows: Row[]; skipped: number } {
  state.indexes?.check(plan)
  const result = runQuery(treeOf(state, view.database), plan, view.time)
  if (view.transaction !== undefined && !view.transaction.readOnly) {
    view.transaction.queries.push({ plan, rows: result.rows })
  }
  return result
}

function commit(
  state: State,
  database: string,
  writes: readonly Write[],
  id: Uint8Array | undefined,
): CommitResult {
  const tree = treeOf(state, database)
  if (id !== undefined && id.length > 0) {
    const transaction = state.transactions.use(id, database)
    // Whatever comes of it, a transaction is over with its commit.
    state.transactions.end(transaction)
    if (transaction.readOnly && writes.length > 0)
      throw invalid('Cannot modify entities in a read-only transaction.')
    if (!transaction.readOnly) checkUnchanged(tree, transaction)
  }
  const foreign = writes.find((write) => write.database !== database)
  if (foreign !== undefined) throw invalid(`Document "${foreign.path}" belongs to another database.`)
  return apply(state, tree, database, writes)
}

function apply(state: State, tree: DocumentTree, database: string, writes: readonly Write[]): CommitResult {
  const time = state.timeline.nextCommit()
  const staged = new Map<string, DocumentChange>()
  const results = writes.map((write) => {
    const before = tree.read(write.path)
    const current = staged.get(write.path)
    const outcome = applyWrite(current === undefined ? before : current.after, write, time)
    staged.set(write.path, { path: write.path, before, after: outcome.state })
    return { updateTime: outcome.state?.updateTime, transforms: outcome.results }
  })
  const changes = [...staged.values()].filter((change) => change.before !== change.after)
  if (changes.length > 0) {
    state.persistence?.save(database, changes, time)
    for (const { path, after } of changes) tree.put(path, after, time)
  }
  announce(state, { database, time, changes })
  return { time, results }
}

function batchWrite(state: State, database: string, writes: readonly Write[]): (CommitResult | RpcError)[] {
  const paths = new Set(writes.map((write) => write.path))
  if (paths.size !== writes.length)
    throw invalid('Cannot write to the same document more than once in a batch.')
  return writes.map((write) => {
    try {
      return commit(state, database, [write], undefined)
    } catch (error) {
      if (isRpcError(error)) return error
      throw error
    }
  })
}

function announce(state: State, done: Commit): void {
  for (const listener of state.commitListeners) {
    try {
      listener(done)
    } catch (error) {
      // The commit stands and is acknowledged; a listener that fails must not make it look failed.
      console.error('a commit listener failed', error)
    }
  }
}

function* allDocuments(state: State): Generator<StoredDocument> {
  for (const [database, tree] of state.trees) {
    for (const { path, state: document } of tree.documents()) yield { database, path, state: document }
  }
}

function replace(state: State, documents: readonly StoredDocument[]): void {
  const time = state.timeline.nextCommit()
  state.persistence?.replace(documents, time)
  state.trees.clear()
  state.transactions.clear()
  fill(state, documents, time)
  for (const listener of state.replaceListeners) listener()
}

function fill(state: State, documents: readonly StoredDocument[], time: Micros): void {
  state.timeline.advanceTo(time)
  state.floor = time
  for (const { database, path, state: document } of documents) {
    treeOf(state, database).put(path, document, document.updateTime)
  }
}

function subscribe<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

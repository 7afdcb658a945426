import { randomBytes } from 'node:crypto'
import { invalid, rpcError, status } from '../rpc-error.ts'
import type { Row } from './query-match.ts'
import type { QueryPlan } from './query-plan.ts'
import { runQuery } from './query-run.ts'
import type { Micros } from './time.ts'
import type { DocumentTree } from './tree.ts'

/** A transaction in flight: what it read is checked again when it commits. */
export type Transaction = {
  readonly id: Uint8Array
  readonly database: string
  readonly readOnly: boolean
  /** All its reads see the documents as they were at this time. */
  readonly readTime: Micros
  readonly beganAt: Micros
  lastUsedAt: Micros
  readonly reads: Set<string>
  readonly queries: { plan: QueryPlan; rows: readonly Row[] }[]
}

export type Transactions = {
  begin(database: string, options: { readOnly: boolean; readTime: Micros }): Transaction
  /** INVALID_ARGUMENT when it is unknown, over, of another database or expired. */
  use(id: Uint8Array, database: string): Transaction
  end(transaction: Transaction): void
  clear(): void
}

const MAX_AGE_MICROS = 270 * 1e6
const MAX_IDLE_MICROS = 60 * 1e6
const SWEEP_ABOVE = 1000

/** The transactions of one engine. `now` is in microseconds. */
export function createTransactions(now: () => Micros): Transactions {
  const active = new Map<string, Transaction>()
  const isExpired = (transaction: Transaction) =>
    now() - transaction.beganAt > MAX_AGE_MICROS || now() - transaction.lastUsedAt > MAX_IDLE_MICROS
  return {
    begin: (database, options) => {
      // A client that died never ends its transactions; they must not pile up.
      if (active.size > SWEEP_ABOVE) {
        for (const [key, transaction] of active) if (isExpired(transaction)) active.delete(key)
      }
      const time = now()
      const id = randomBytes(16)
      const transaction: Transaction = {
        id,
        database,
        ...options,
        beganAt: time,
        lastUsedAt: time,
        reads: new Set(),
        queries: [],
      }
      active.set(id.toString('hex'), transaction)
      return transaction
    },
    use: (id, database) => {
      const key = Buffer.from(id).toString('hex')
      const transaction = active.get(key)
      if (transaction === undefined || transaction.database !== database || isExpired(transaction)) {
        active.delete(key)
        // The client recognises this wording and runs the transaction again.
        throw invalid('The referenced transaction has expired or is no longer valid.')
      }
      transaction.lastUsedAt = now()
      return transaction
    },
    end: (transaction) => {
      active.delete(Buffer.from(transaction.id).toString('hex'))
    },
    clear: () => active.clear(),
  }
}

/**
 * ABORTED when anything the transaction read has changed since, documents that newly match its queries
 * included: what it decided may be wrong, and the client runs it again.
 */
export function checkUnchanged(tree: DocumentTree, transaction: Transaction): void {
  for (const path of transaction.reads) {
    // Versions are shared objects: the same object is the same version.
    if (tree.read(path) !== tree.read(path, transaction.readTime)) throw aborted(path)
  }
  for (const { plan, rows } of transaction.queries) {
    const current = runQuery(tree, plan).rows
    const same =
      current.length === rows.length &&
      current.every((row, index) => row.path === rows[index]?.path && row.state === rows[index]?.state)
    if (!same) throw aborted(plan.collectionId ?? plan.parent)
  }
}

function aborted(what: string): Error {
  return rpcError(status.ABORTED, `Transaction aborted: "${what}" changed after the transaction read it.`)
}

import { createStore, type Store } from '#local/engine/firestore/store.ts'
import { systemClock } from '#shared/clock.ts'

/** What Firestore bills for: documents read, written and deleted. */
export type Operations = { reads: number; writes: number; deletes: number }

/**
 * The embedded engine's store, counting as Firestore bills: a document that is not there costs a read, a
 * query at least one, and every write of a commit that is refused what it would have cost.
 */
export function countingStore(): { readonly store: Store; take(): Operations } {
  const inner = createStore({ now: systemClock.now })
  let counted: Operations = { reads: 0, writes: 0, deletes: 0 }
  const store: Store = {
    ...inner,
    read: (view, path) => {
      counted.reads += 1
      return inner.read(view, path)
    },
    query: (view, plan) => {
      const found = inner.query(view, plan)
      counted.reads += Math.max(1, found.rows.length)
      return found
    },
    commit: (database, writes, transaction) => {
      for (const write of writes) {
        if ('kind' in write && write.kind === 'delete') counted.deletes += 1
        else counted.writes += 1
      }
      return inner.commit(database, writes, transaction)
    },
  }
  return {
    store,
    /** What was counted since the last time. */
    take: () => {
      const taken = counted
      counted = { reads: 0, writes: 0, deletes: 0 }
      return taken
    },
  }
}
